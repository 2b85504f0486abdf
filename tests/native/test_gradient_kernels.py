"""The kernels of gradients, without PyTorch."""

import numpy as np

import sc_neurocore
from sc_neurocore import LIF, _native
from sc_neurocore.streams._bits import pack, unpack


def test_gradients_do_not_depend_on_instruction_set_threads_or_split():
    rng = np.random.default_rng(0)
    neuron = LIF(tau_mem=rng.uniform(3, 9, 37), tau_syn=2.0, refractory_period=2, noise_std=0.1)
    drive = rng.integers(-9, 30, (70, 33, 37)).astype(np.float32)
    gain, of_spikes = rng.uniform(0.01, 0.1, 37), rng.normal(size=(70, 33, 37)).astype(np.float32)
    of_v, weights = (rng.normal(size=s).astype(np.float32) for s in ((70, 37), (1, 37, 37)))
    x = pack(rng.random((70, 45, 66)) < 0.3)
    before, threads = _native.isa(), sc_neurocore.get_threads()
    results = []
    try:
        for isa in _native.isas():
            _native.set_isa(isa)
            for n in (1, 3):
                sc_neurocore.set_threads(n)
                of_drive, *rest = _native.neuron_gradients(
                    neuron.parameters, 5, True, 37, 0.5, drive, gain, of_spikes, of_v, weights, True
                )
                alone = _native.neuron_gradients(
                    neuron.parameters, 5, True, 37, 0.5, drive[:14], gain, of_spikes[:14], of_v[:14],
                    weights, True,
                )  # fmt: skip
                assert np.array_equal(alone[0], of_drive[:14])
                products = _native.product_gradients(of_drive, x, 2, 1)
                results.append((of_drive, *rest, products))
    finally:
        _native.set_isa(before)
        sc_neurocore.set_threads(threads)
    assert len(results) >= 2
    for result in results[1:]:
        for ours, first in zip(result, results[0], strict=True):
            assert np.array_equal(ours, first)
    bits = unpack(x, 66).reshape(70, 45, 33, 2).sum(-1)
    twin = np.einsum("btn,bit->in", results[0][0].astype(float), bits.astype(float))
    assert np.allclose(results[0][-1], twin, rtol=0, atol=1e-4 * abs(twin).max())
