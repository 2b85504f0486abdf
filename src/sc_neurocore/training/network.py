"""Trainable networks on bitstreams (extra torch).

The forward pass of `SCNetwork` samples the bitstreams of `simulate` and runs the same neurons on them.
With equal seeds both give the same spikes, bit for bit. The backward pass replaces a bit by its mean,
and the threshold by a fast sigmoid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sc_neurocore import _checks
from sc_neurocore.networks import (
    Dense,
    Network,
)
from sc_neurocore.networks._inputs import InputLike, Inputs, image_of
from sc_neurocore.networks.layers import Layer, check_fixed
from sc_neurocore.networks.network import check_network
from sc_neurocore.neurons import (
    SilentLayerWarning,
    rheobase,
)
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Role,
    operands,
    stream_key,
)
from sc_neurocore.streams.source import Source, Sources
from sc_neurocore.training._autograd import Gradient
from sc_neurocore.training._layer import TrainedLayer, as_array, drawn_seed, widened
from sc_neurocore.training._spikes import Spikes, shifted
from sc_neurocore.training.layers import SCConv2d, SCLinear

__all__ = ["Outputs", "SCNetwork", "from_network", "to_network"]


@dataclass(frozen=True, eq=False)
class Outputs:
    """What neurons did in a pass. ``counts, potentials = outputs`` works.

    Attributes
    ----------
    counts : Tensor, shape (batch, n)
        Spikes of each neuron.
    potentials : Tensor, shape (batch, n)
        Membrane potentials after the last step.
    """

    counts: Tensor
    potentials: Tensor
    _parts: tuple[Spikes, ...]

    @property
    def spikes(self) -> Tensor:
        """Spikes of every step, (steps, batch, n), made when they are asked for."""
        return torch.cat([part.tensor() for part in self._parts], 2)

    @property
    def rates(self) -> Tensor:
        """Spikes per time step, (batch, n)."""
        return self.counts / self._parts[0].steps

    def __iter__(self) -> Iterator[Tensor]:
        """Iterate over counts and potentials."""
        return iter((self.counts, self.potentials))

    @classmethod
    def _of(cls, spikes: Sequence[Spikes], potentials: Sequence[Tensor]) -> Outputs:
        counts = [part.counts() for part in spikes]
        each = [part.in_order(v) for part, v in zip(spikes, potentials, strict=True)]
        return cls(torch.cat(counts, 1), torch.cat(each, 1), tuple(spikes))


class SCNetwork(nn.Module):
    """Trainable `Network`, a module for any optimizer and training loop.

    In training mode each forward pass first clips the weights to [-1, 1] in place. A clip in the graph
    alone would let weights drift far outside and return late.

    Parameters
    ----------
    *layers : SCLinear or SCConv2d
        Layers in order. By default each receives the spikes of the previous one.
    connections, outputs : sequence, optional
        Sources of each layer, and the layers whose neurons are the outputs, as in `Network`. A source
        must come before its layer: of feedback, only recurrent weights of a layer can be trained.
    independent : bool
        Whether the images of a batch use independent random numbers in training mode, which makes
        gradients less noisy. In evaluation mode all images share the numbers of `simulate`, and image 0
        always uses them.
    gradient : {"means", "bits"}
        How products x w are differentiated. With "bits", the gradient of a weight sums over the sampled
        bits of x, and that of an input over those of w. With "means", the default, a density that is
        constant in time and a weight stand for their bits, which makes gradients less noisy and faster;
        spikes are as they were.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore import LIF, simulate
    >>> from sc_neurocore.training import SCLinear, SCNetwork, to_network
    >>> _ = torch.manual_seed(0)
    >>> model = SCNetwork(SCLinear(4, 8, gain=0.8), SCLinear(8, 2, gain=0.8))
    >>> x, labels = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.1, 0.2, 0.9, 0.8]]), torch.tensor([0, 1])
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    >>> for _ in range(50):
    ...     loss = torch.nn.functional.cross_entropy(model(x, length=32), labels)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    >>> simulate(to_network(model), x, length=32, seed=1).classes
    array([0, 1])
    """

    def __init__(
        self,
        *layers: TrainedLayer,
        connections: Sequence[Any] | None = None,
        outputs: Sequence[int] | None = None,
        independent: bool = True,
        gradient: Gradient = "means",
    ) -> None:
        super().__init__()
        _checks.instance("independent", independent, bool)
        for i, layer in enumerate(layers):
            if not isinstance(layer, TrainedLayer):
                _checks.wrong_type(f"layers[{i}]", "be a SCLinear or SCConv2d", layer)
        network = _network_of(layers, connections, outputs)  # which checks that they fit
        for i, sources in enumerate(network.connections):
            if any(isinstance(source, int) and source >= i for source in sources):
                contract = "have sources that come before their layers, to be trained"
                remedy = "use recurrent weights for feedback within a layer"
                _checks.fail("connections", contract, f"layer {i} after {list(sources)}", remedy)
        self._has_started = False  # whether a pass in training mode has looked for silent layers
        self.layers = nn.ModuleList(layers)
        self.connections, self.outputs = network.connections, network.outputs
        self.n_in, self._image = network.n_in, image_of(network)
        self.independent = independent
        self.gradient: Gradient = _checks.choice("gradient", gradient, get_args(Gradient))  # type: ignore[assignment]

    # Bitstreams are NumPy arrays from native code, which torch.compile cannot trace.
    @torch.compiler.disable
    def forward(
        self,
        x: Tensor | InputLike,
        length: int | None = None,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> Tensor:
        """Return spike counts (batch, n_out), or potentials if no output neuron ever fires.

        See `run` for the parameters.
        """
        layers = self._run(x, length, seed, source, bits_per_step, sampled)
        neurons = [self.layers[i].neuron for i in self.outputs]
        fires = any(np.isfinite(neuron.v_threshold).any() for neuron in neurons)
        outputs = [layers[i] for i in self.outputs]
        each = [x.counts() if fires else x.in_order(potentials) for x, potentials in outputs]
        return each[0] if len(each) == 1 else torch.cat(each, 1)

    @torch.compiler.disable
    def run(
        self,
        x: Tensor | InputLike,
        length: int | None = None,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> Outputs:
        """Return differentiable spike counts and potentials of the output layer.

        Memory grows with the length; use `simulate` for many images on long streams. Results are
        float32, or float64 for float64 weights, even with half-precision weights and inside
        `torch.autocast`, so counts are exact; gradients are computed in float32. `torch.compile` runs
        this method uncompiled.

        Parameters
        ----------
        x : Tensor, array_like, Bitstream or Events
            Densities in [0, 1], of shape (batch, n_in) if they are constant in time, or (batch, n_in,
            length) if each time step has its own. Or spike trains: streams of batch shape
            (batch, n_in), or events of a batch. Gradients pass to a Tensor.
        length : int, optional
            Time steps. Required for densities that are constant in time; the other inputs have a length
            of their own.
        seed : int, optional
            In ``[0, 2**128)``. By default each pass draws one from PyTorch's generator.
        source : Source or tuple
            Source of random numbers for the inputs and the weights of each layer, as in `simulate`.
        bits_per_step : int
            Bits of each product per time step, as in `simulate`. A neuron receives their mean, so
            currents and gradients are less noisy.
        sampled : bool
            Whether to sample bits. If False, use their means and no noise, as in `simulate_float`;
            `bits_per_step` then has no effect.

        Returns
        -------
        Outputs
            In evaluation mode equal to `simulate` with that seed, to the last bit.

        Raises
        ------
        TypeError
            If an argument has the wrong type, `x` is a tensor that is not dense and real, or `length`
            is missing.
        ValueError
            If `x` has another shape or values outside [0, 1], `length`, `seed` or `bits_per_step` is
            out of range, or a parameter is not finite.

        Warns
        -----
        SilentLayerWarning
            If no neuron of a layer fires in the first pass in training mode.
        PeriodWarning
            If the numbers of a source rise through more steps than the streams have, as in `simulate`.

        Examples
        --------
        Spike trains as inputs, and 8 bits of each weight per time step:

        >>> import numpy as np
        >>> import torch
        >>> from sc_neurocore import Bitstream, simulate
        >>> from sc_neurocore.training import SCLinear, SCNetwork, to_network
        >>> _ = torch.manual_seed(1)
        >>> trains = Bitstream.from_bits(np.arange(80).reshape(1, 4, 20) % 3 == 0)
        >>> model = SCNetwork(SCLinear(4, 8, gain=2.0), SCLinear(8, 2, gain=2.0)).eval()
        >>> counts, _ = model.run(trains, seed=1, bits_per_step=8)
        >>> result = simulate(to_network(model), trains, seed=1, bits_per_step=8)
        >>> np.array_equal(counts.detach().numpy(), result.counts)
        True
        """
        layers = self._run(x, length, seed, source, bits_per_step, sampled)
        return Outputs._of(*zip(*(layers[i] for i in self.outputs), strict=True))

    @torch.compiler.disable
    def run_layers(
        self,
        x: Tensor | InputLike,
        length: int | None = None,
        seed: int | None = None,
        *,
        source: Sources = Bernoulli(),
        bits_per_step: int = 1,
        sampled: bool = True,
    ) -> tuple[Outputs, ...]:
        """Return the outputs of every layer, for example to add a penalty on hidden rates to a loss.

        See `run` for the parameters.

        Returns
        -------
        tuple of Outputs
            One for each layer.

        Examples
        --------
        >>> import torch
        >>> from sc_neurocore.training import SCLinear, SCNetwork
        >>> _ = torch.manual_seed(0)
        >>> model = SCNetwork(SCLinear(4, 8, gain=0.8), SCLinear(8, 2, gain=0.8))
        >>> hidden, last = model.run_layers(torch.full((3, 4), 0.5), 32)
        >>> penalty = (hidden.rates - 0.1).square().mean()
        >>> hidden.spikes.shape
        torch.Size([32, 3, 8])
        """
        layers = self._run(x, length, seed, source, bits_per_step, sampled)
        return tuple(Outputs._of([spikes], [potentials]) for spikes, potentials in layers)

    def _run(
        self,
        x: Tensor | InputLike,
        length: int | None,
        seed: int | None,
        source: Sources,
        bits_per_step: int,
        sampled: bool,
    ) -> list[tuple[Spikes, Tensor]]:
        """Return the spikes and the last potentials of each layer, these in the order of the links."""
        k = _checks.integer("bits_per_step", bits_per_step, 1, 2**20)
        with torch.autocast(self.layers[0].weight.device.type, enabled=False):
            return self._pass(x, length, seed, source, k, sampled)

    def _pass(
        self,
        x: Tensor | InputLike,
        length: int | None,
        seed: int | None,
        source: Sources,
        k: int,
        sampled: bool,
    ) -> list[tuple[Spikes, Tensor]]:
        if isinstance(x, Tensor) and (x.is_complex() or x.is_meta or x.layout != torch.strided):
            _checks.wrong_type("x", "be a dense tensor of real numbers", x)
        _checks.instance("sampled", sampled, bool)
        given = as_array(x) if isinstance(x, Tensor) else x
        inputs = Inputs.of_size("x", given, self.n_in, batched=True, image=self._image)
        for number, layer in enumerate(self.layers):
            if not layer.sampled:
                inputs.check_constant("x", number)
        steps = inputs.steps(length)
        seed = drawn_seed() if seed is None else seed
        of_inputs, *of_weights = operands(source, 1 + len(self.layers))
        for number, layer in enumerate(self.layers):
            layer.check(f"layers[{number}]")
        k = k if sampled else 1
        independent = self.independent and self.training
        spikes, means = self._bits_of(x, inputs, steps, seed, of_inputs, k, sampled)
        del given, inputs  # which take more memory than all that follows
        starts = self.training and not self._has_started
        done: list[tuple[Spikes, Tensor]] = []
        for number, (layer, weight_source) in enumerate(zip(self.layers, of_weights, strict=True)):
            if self.training:
                layer.project()
            before = self._inputs_of(number, spikes, means, done, steps, k)
            late = layer.late(before, seed, number) if isinstance(before, Spikes) else before
            fired, potentials, sums = layer.fire(
                late, steps, seed, number, source=weight_source, k=k, sampled=sampled,
                independent=independent, gradient=self.gradient,
            )  # fmt: skip
            done.append((fired, potentials))
            active = late.words.any() if isinstance(late, Spikes) else sampled and bool(late.any())
            if starts and active and not fired.words.any():
                own_k = k if layer.sampled else 1
                self._warn_of_silence(number, sums.mean(1, np.float64) / own_k, steps)
                starts = False
        self._has_started |= self.training
        return done

    def _bits_of(
        self,
        x: Tensor | InputLike,
        inputs: Inputs,
        steps: int,
        seed: int,
        source: Source,
        k: int,
        sampled: bool,
    ) -> tuple[Spikes | None, Tensor | None]:
        """Return the bits of inputs, None if they are not sampled, and densities, None of spikes."""
        weight = self.layers[0].weight
        if isinstance(inputs.values, Bitstream):
            return Spikes.given(inputs.values, widened(weight.detach()[:0])), None
        means = x.reshape(inputs.values.shape) if isinstance(x, Tensor) else torch.tensor(inputs.values)
        means = widened(means.to(weight))
        if not sampled:
            return None, means
        rows = len(inputs) if self.independent and self.training else 1
        key = stream_key(seed, Role.INPUT)
        return Spikes.encoded(inputs.values, means, steps, k, key, source, rows), means

    def _inputs_of(
        self,
        number: int,
        spikes: Spikes | None,
        means: Tensor | None,
        done: list[tuple[Spikes, Tensor]],
        steps: int,
        k: int,
    ) -> Spikes | Tensor:
        """Return the inputs of a layer before their delays, from those of the network."""
        sources = self.connections[number]
        if spikes is not None and self.layers[number].sampled:
            parts = [done[s][0] if isinstance(s, int) else _part(spikes, s, self.n_in) for s in sources]
            return Spikes.joined(parts, k)
        assert means is not None
        in_time = means.transpose(1, 2) if means.ndim == 3 else means[:, None]
        reals = [
            done[s][0].tensor().transpose(0, 1) if isinstance(s, int) else in_time[:, :, s]
            for s in sources
        ]
        delay = np.broadcast_to(
            np.asarray(self.layers[number].delay, np.int64), (self.layers[number].n_in,)
        )
        if len(reals) > 1 or delay.any():
            reals = [part.expand(-1, steps, -1) for part in reals]
        joined = reals[0] if len(reals) == 1 else torch.cat(reals, 2)
        return shifted(joined, torch.from_numpy(delay.copy())) if delay.any() else joined

    def _warn_of_silence(self, number: int, means_of_all: NDArray[np.float64], length: int) -> None:
        """Warn that a layer has not fired, with the reason and a remedy, unless it is a readout."""
        layer = self.layers[number]
        means = means_of_all.max(0)
        gains = np.broadcast_to(as_array(layer.gain), (len(layer.weight),))
        gains = np.tile(gains, layer.positions)
        alone = layer.lif()
        each = [alone] if alone.n_neurons is None else [alone[j] for j in range(alone.n_neurons)]
        of_rows = np.broadcast_to([rheobase(neuron) for neuron in each], (len(layer.weight),))
        all_needed = np.tile(of_rows, layer.positions)
        j = int((gains * means - all_needed).argmax())
        gain, mean, needed = float(gains[j]), float(means[j]), float(all_needed[j])
        if needed == math.inf:
            return
        said = "does not exceed" if gain * mean <= needed else "is not far above"
        remedy = "raise its positive weights"
        if mean > 0:
            least = f"above {needed / mean:.4g} (now {gain:.4g})"
            longer = f"above {gain:.4g}, train on longer streams"
            remedy = f"construct it with a gain {least if gain * mean <= needed else longer}"
        _checks.warn(
            f"no neuron of layers[{number}] fired in {length} steps, so gradients can be 0: its "
            f"largest mean current {gain * mean:.4g} {said} the rheobase {needed:.4g}; {remedy}, or "
            "lower v_threshold",
            SilentLayerWarning,
        )


def to_network(model: SCNetwork) -> Network:
    """Return a trained model as a `Network` for `simulate`, with weights clipped to [-1, 1].

    Raises
    ------
    TypeError
        If `model` is not an `SCNetwork`.
    ValueError
        If a parameter is not finite; the message names its layer.
    """
    _checks.instance("model", model, SCNetwork)
    return _network_of(list(model.layers), model.connections, model.outputs)


def from_network(network: Network, *, dtype: torch.dtype | None = None) -> SCNetwork:
    """Return a network as a trainable model.

    Parameters
    ----------
    network : Network
    dtype : torch.dtype, optional
        Type of the weights, by default PyTorch's default type. Weights are rounded to it, the gains are
        not.

    Returns
    -------
    SCNetwork

    Raises
    ------
    TypeError
        If `network` is not a `Network`.
    ValueError
        If layers of it receive later ones or have a plasticity.
    """
    check_network(network)
    for layer in network:
        check_fixed("network", layer)
    model = SCNetwork(
        *map(_module_of, network.layers), connections=network.connections, outputs=network.outputs
    )
    for module, layer in zip(model.layers, network.layers, strict=True):
        module.to(dtype=dtype or module.weight.dtype)
        for name in ("weight", "bias", "recurrent"):
            parameter = getattr(module, name, None)
            if parameter is not None:
                values = getattr(layer, "weights" if name == "weight" else name)
                parameter.data = torch.tensor(values, dtype=parameter.dtype)
    return model


def _network_of(
    layers: Sequence[Any], connections: Sequence[Any] | None, outputs: Sequence[int] | None
) -> Network:
    """Return modules as a `Network`, which checks that they fit each other."""
    for number, layer in enumerate(layers):
        layer.check(f"layers[{number}]")
    return Network([layer.to_layer() for layer in layers], connections, outputs)


def _part(spikes: Spikes, source: slice, n_in: int) -> Spikes:
    """Return the inputs of a network that a layer receives."""
    return spikes if source == slice(0, n_in) else spikes[source]


def _module_of(layer: Layer) -> TrainedLayer:
    common: dict[str, Any] = {
        "gain": layer.gain,
        "neuron": layer.neuron,
        "bias": layer.bias is not None,
        "delay": layer.delay,
        "sampled": layer.sampled,
    }
    if isinstance(layer, Dense):
        return SCLinear(layer.n_in, layer.n_out, recurrent=layer.recurrent is not None, **common)
    c_out, c_in, *kernel = layer.weights.shape
    return SCConv2d(
        c_in,
        c_out,
        tuple(kernel),
        layer.input_size,
        stride=layer.stride,
        padding=layer.padding,
        **common,
    )
