"""Labels, seeds and sources that would give wrong answers without a word."""

import numpy as np
import pytest

from sc_neurocore import LFSR, evaluate, length_for_product, load_digits, plan

NETWORK, IMAGES, LABELS = load_digits()
IMAGES, LABELS = IMAGES[:30], LABELS[:30]


@pytest.mark.parametrize("shift", [1, 100, -10])
def test_labels_are_classes_of_the_network(shift):
    said = r"labels must lie in \[0, 9\], got .*; count classes from 0"
    with pytest.raises(ValueError, match=said):
        evaluate(NETWORK, IMAGES, LABELS + shift, [8], seeds=[0])
    with pytest.raises(ValueError, match=said):
        plan(NETWORK, IMAGES, LABELS + shift, 0.02, seeds=[0])


def test_arrays_are_sequences_and_equal_seeds_are_refused():
    by_list = evaluate(NETWORK, IMAGES, LABELS, [8, 16], seeds=[0, 1])
    by_array = evaluate(NETWORK, IMAGES, LABELS, np.array([8, 16]), seeds=np.arange(2))
    assert [row.mean for row in by_list] == [row.mean for row in by_array]
    with pytest.raises(ValueError, match=r"seeds must differ from one another, got \[3, 3\]"):
        evaluate(NETWORK, IMAGES, LABELS, [8], seeds=[3, 3])


def test_a_class_of_sources_is_no_source():
    said = r"source must be a Source or a function of the length, .*write LFSR\(\) or LFSR.for_length"
    with pytest.raises(TypeError, match=said):
        evaluate(NETWORK, IMAGES, LABELS, [8], source=LFSR)
    with pytest.raises(TypeError, match=said):
        plan(NETWORK, IMAGES, LABELS, 0.02, sources={"register": LFSR})
    with pytest.raises(TypeError, match=said):
        length_for_product(0.1, source=LFSR)
