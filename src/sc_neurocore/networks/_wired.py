"""A network with streams for its inputs and weights: what a simulation knows before its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from sc_neurocore import _checks
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._bit_layers import FAULTY_INPUTS, FAULTY_WORDS, BitLayer, Bits
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks._plastic import PlasticLayer
from sc_neurocore.networks._wiring import Block, wires
from sc_neurocore.networks.fixed_point import FixedLIF, FixedNetwork, FixedPoint
from sc_neurocore.networks.layers import Dense, all_weights, with_all_weights
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons import LIF, StepNeuron
from sc_neurocore.streams import Bernoulli, Bitstream, Faults, Role, Source, operands, stream_key
from sc_neurocore.streams._bits import cut, n_words, pack
from sc_neurocore.streams.faults import FaultyWires, upset
from sc_neurocore.streams.keys import checked_seed, lane_streams
from sc_neurocore.streams.source import Sources, warn_of_rise

Wired = TypeVar("Wired", bound="WiredNetwork")


@dataclass(frozen=True, eq=False)
class WiredNetwork:
    """A network with streams for its inputs and weights: everything that does not depend on the inputs.

    Private members are used by the modules that run it, `Blocks` and `ShortRuns`.

    Attributes
    ----------
    network : Network
    fixed_point : FixedPoint or None
    bits_per_step : int
    seed : int
    source : Source
        Source of the numbers for the inputs.
    layers : tuple of BitLayer
    steps_kept : int
    faults : Faults or None
    """

    network: Network
    fixed_point: FixedPoint | None
    bits_per_step: int
    seed: int
    source: Source
    layers: tuple[BitLayer, ...] = field(repr=False)
    steps_kept: int = 0
    faults: Faults | None = None

    @classmethod
    def of(
        cls: type[Wired],
        network: Network | FixedNetwork,
        *,
        seed: int | None = None,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        share_weight_numbers: bool = False,
        faults: Faults | None = None,
        steps_kept: int = 0,
    ) -> Wired:
        """Return a network ready to be simulated; arguments as in `prepare`. Not for users."""
        neurons: Sequence[LIF | FixedLIF | StepNeuron]
        if isinstance(network, FixedNetwork):
            fixed_point, bits_per_step = network.fixed_point, network.bits_per_step
            neurons, network = network.neurons, network.network
        else:
            fixed_point, neurons = None, [layer.neuron for layer in network]
        seed = checked_seed("seed", seed)
        _checks.instance("share_weight_numbers", share_weight_numbers, bool)
        steps_kept = _checks.integer("steps_kept", steps_kept, 0, _checks.LONGEST)
        of_inputs, *of_weights = operands(source, 1 + len(network))
        if faults is not None:
            network = _with_faults(network, faults, seed, fixed_point)
        layers = tuple(
            BitLayer.of(
                layer, own, neuron, i, seed=seed, source=of_layer, share=share_weight_numbers,
                bits_per_step=bits_per_step, steps_kept=steps_kept, faults=faults,
            )
            for i, (layer, own, neuron, of_layer) in enumerate(
                zip(network, wires(network), neurons, of_weights, strict=True)
            )
        )  # fmt: skip
        return cls(network, fixed_point, bits_per_step, seed, of_inputs, layers, steps_kept, faults)

    @cached_property
    def learns(self) -> bool:
        """Whether a layer has a plasticity. Not for users."""
        return any(layer.plastic is not None for layer in self.layers)

    @cached_property
    def _options(self) -> dict[str, object]:
        """Options that a continued simulation has in common with the first one."""
        return {
            "form": (
                self.network.connections,
                self.network.outputs,
                *(layer.form for layer in self.layers),
            ),
            "source": (self.source, *(layer.source for layer in self.layers)),
            "bits_per_step": self.bits_per_step,
            "share_weight_numbers": self.layers[0].share,
            "fixed_point": self.fixed_point,
            "faults": self.faults,
        }

    @cached_property
    def _dt_ms(self) -> float:
        """Duration of a time step in ms."""
        return self.network[0].neuron.dt

    @cached_property
    def _input_streams(self) -> tuple[int, Words]:
        """Key and stream numbers of the inputs."""
        return stream_key(self.seed, Role.INPUT), lane_streams(1, self.network.n_in).ravel()

    @cached_property
    def _faulty_inputs(self) -> FaultyWires | None:
        """Wires of the inputs, if they have faults."""
        if self.faults is None or not self.faults.on_wires:
            return None
        key = stream_key(self.seed, Role.FAULT, *FAULTY_INPUTS)
        return FaultyWires(self.faults, key, self._input_streams[1])

    @cached_property
    def _sole(self) -> PlasticLayer | None:
        """The layer, if there is a single one whose weights change and the inputs come at once."""
        if not self.network.is_chain or len(self.layers) > 1 or self.source != Bernoulli():
            return None
        return self.layers[0].plastic if self.network[0].delays is None else None

    def _densities(self, x: Reals) -> Reals:
        """Return densities as they are encoded: rounded in fixed point."""
        return x if self.fixed_point is None else self.fixed_point.rounded(x)

    def _constant(self, inputs: Inputs) -> list[Reals | None]:
        """Return what the layers that are not sampled receive in every step."""
        found: list[Reals | None] = []
        for layer, sources in zip(self.layers, self.network.connections, strict=True):
            if layer.layer.sampled:
                found.append(None)
                continue
            assert isinstance(inputs.values, np.ndarray)
            parts = [inputs.values[:, source] for source in sources]
            found.append(layer.constant(self._densities(np.concatenate(parts, axis=1))))
        return found

    @cached_property
    def _encodes(self) -> bool:
        """Whether a layer receives bits of the inputs."""
        return any(
            layer.layer.sampled and any(isinstance(source, slice) for source in sources)
            for layer, sources in zip(self.layers, self.network.connections, strict=True)
        )

    def _bits_of_inputs(self, inputs: Inputs, first: int, last: int) -> Callable[[int, int], Block]:
        """Return a function that makes the bits of the inputs, from a first step and their number."""
        values, k = inputs.values, self.bits_per_step
        if not self._encodes:
            nothing = Block(np.zeros((len(inputs), 0, 0), np.uint64))
            return lambda t, steps: nothing
        faulty = self._faulty_inputs
        if isinstance(values, Bitstream):
            words = values.words

            def part(t: int, steps: int) -> Block:
                own = cut(words, t - first, t - first + steps)
                return Block(own if faulty is None else faulty.struck(own, t, steps))

            return part
        values = self._densities(values)
        thresholds = self.source.thresholds(values)
        key, streams = self._input_streams
        warn_of_rise(self.source, streams, last * k)
        if values.ndim == 2:
            made = Bits.of(self.source, key, streams, thresholds, last * k, faulty)
        else:

            def compare(first_word: int, n_bits: int) -> Words:
                """Return words of bits; those before the first step are not used."""
                numbers = self.source.numbers(streams, n_bits, key=key, first=64 * first_word)
                at = np.maximum((64 * first_word + np.arange(n_bits)) // k - first, 0)
                own = pack(numbers < thresholds[:, :, at])
                return own if faulty is None else faulty.struck(own, 64 * first_word, n_bits)

            made = Bits(compare, 0, last * k)

        def block(t: int, steps: int) -> Block:
            first_word, start = divmod(t * k, 64)
            return Block(made.words(first_word, n_words(start + steps * k)), k, start)

        return block


def _with_faults(
    network: Network, faults: Faults, seed: int, fixed_point: FixedPoint | None
) -> Network:
    """Return a network with upset weights; raise if it cannot have the faults."""
    _checks.instance("faults", faults, Faults)
    if faults.on_wires or faults.dead:
        for i, layer in enumerate(network):
            if isinstance(layer, Dense) and layer.recurrent is not None:
                remedy = "connect the layer to itself with a delay of 1"
                contract = f"be upset weights alone for recurrent layer {i}"
                _checks.fail("faults", contract, faults, remedy)
    if not faults.weight_upset:
        return network
    n_bits = faults.weight_bits if fixed_point is None else fixed_point.bits
    layers = []
    for i, layer in enumerate(network):
        weights, key = all_weights(layer), stream_key(seed, Role.FAULT, *FAULTY_WORDS, i)
        struck = upset(weights, faults, n_bits, key, lane_streams(*weights.shape))
        layers.append(with_all_weights(layer, struck))
    return Network(layers, network.connections, network.outputs)
