"""Keywords of the other sc-neurocore, 3.x on PyPI, raise errors that name those of this package."""

import inspect
import pickle

import pytest

from sc_neurocore import stateful
from sc_neurocore.stateful import BitstreamEncoder, StochasticLIFNeuron

CLASSES = [getattr(stateful, name) for name in stateful.__all__]


@pytest.mark.parametrize("keyword", ["mode", "sc_mode"])
@pytest.mark.parametrize("kind", CLASSES)
def test_mode_names_source_and_the_codings(kind, keyword):
    with pytest.raises(TypeError, match=f"^{kind.__name__} has no parameter {keyword}, ") as error:
        kind(**{keyword: "bipolar"})
    for remedy in ("source=", 'coding="sign_magnitude"', "Bipolar, SignMagnitude and TwoLine"):
        assert remedy in str(error.value)


def test_other_unknown_keywords_are_reported_by_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'modes'"):
        BitstreamEncoder(modes="sobol")


@pytest.mark.parametrize("kind", CLASSES)
def test_the_signature_lists_the_parameters(kind):
    kinds = {parameter.kind for parameter in inspect.signature(kind).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def test_a_neuron_can_still_be_pickled():
    neuron = StochasticLIFNeuron(noise_std=0.1, seed=1)
    assert pickle.loads(pickle.dumps(neuron)).step(0.1) == neuron.step(0.1)
