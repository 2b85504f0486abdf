"""Layers of a network as data: weights, neurons, and how inputs are connected to them.

The contract of a layer. Simulation, hardware, training and exchange use only the parameters of `Dense`
and `Conv2d` and these names::

    n_in, n_out    number of inputs and of neurons, flattened
    positions      1 for Dense; rows times columns of the output for Conv2d
    matrix         float64 (n_rows, fan_in): a row of weights per neuron (Dense) or per output channel
                   (Conv2d); with a bias, it is the last column
    codes          int64 (fan_in, n_rows): round(matrix.T * 2**32), as the native core takes them
    delays         int64 (n_in,), the delay of each input in time steps; None if no input is delayed
    sampled        whether products are bits; if not, the current is that of `exact_sums`
    patches(x)     (rows, n_in, time) -> (rows * positions, n_weights, time), where n_weights is fan_in
                   without the bias
    flatten(y)     (rows * positions, n_rows, ...) -> (rows, n_out, ...)

Every layer is thus a dense layer on patches: the counts of a time step are
``flatten(matrix @ [patches(delayed x), 1])``, with the 1 only if there is a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons import LIF, StepNeuron
from sc_neurocore.plasticity import Competition, RewardSTDP
from sc_neurocore.plasticity.rules import Rule, checked_rules

__all__ = ["Conv2d", "Dense"]

_IN_RANGE = "put a scale into gain"


@dataclass(frozen=True, eq=False)
class Dense:
    """Fully connected layer of LIF neurons.

    A weight is a sign and a magnitude. Its bitstream has density ``abs(w)``. The current of a neuron at
    a time step is::

        gain * (ones in products with positive weights - ones in products with negative weights)

    Weight k of neuron j is stream ``j << 32 | k``, where k counts the inputs, then the bias, then the
    recurrent inputs.

    Layers are immutable. Two layers are equal if all their parameters are equal; layers cannot be
    hashed.

    Parameters
    ----------
    weights : array_like, shape (n_out, n_in)
        In [-1, 1].
    gain : float or array_like, shape (n_out,)
        Current of a single one, greater than 0, for all neurons or for each. A gain for each neuron
        scales its row of weights, so that every row can use the whole range [-1, 1].
    neuron : LIF or StepNeuron
        Parameters of all neurons of the layer, or arrays with those of each; or a model of your own.
    bias : array_like, shape (n_out,), optional
        In [-1, 1]. Weights of one more input that is always on.
    recurrent : array_like, shape (n_out, n_out), optional
        In [-1, 1]. Weights of the layer's own spikes at the previous time step; row j holds the weights
        of receiving neuron j.
    delay : int or array_like of int, shape (n_in,)
        Delay of the inputs in time steps, 0 or more. Inputs are 0 until they arrive.
    plasticity : rule or sequence of rules, optional
        Rules by which `simulate` changes the weights, from `sc_neurocore.plasticity`: at most one STDP
        rule, one `Homeostasis` and one `Competition`. Bias and recurrent weights do not change.
    sampled : bool
        Whether products are sampled by bitstreams. With False, the layer takes the inputs of the
        network as numbers: its current is ``gain * (weights @ x + bias)``, with 32 bits of weights and
        inputs, the same in every time step. Such a layer receives no spikes, and no inputs that change
        in time.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a shape or a value is outside its range. Put a scale of the weights into `gain`.

    Examples
    --------
    >>> from sc_neurocore import LIF, Dense
    >>> Dense([[0.5, -0.25, 1.0]], gain=0.2, neuron=LIF(tau_mem=10.0))
    Dense(3 -> 1, gain=0.2, neuron=LIF(tau_mem=10.0))
    >>> Dense([[0.5, -0.25]], bias=[0.1], recurrent=[[-1.0]], delay=[0, 3])
    Dense(2 -> 1, gain=1.0, neuron=LIF(), bias, recurrent, delay up to 3)
    """

    weights: NDArray[np.float64]
    gain: float | NDArray[np.float64] = 1.0
    neuron: LIF | StepNeuron = LIF()
    _: KW_ONLY
    bias: NDArray[np.float64] | None = None
    recurrent: NDArray[np.float64] | None = None
    delay: int | NDArray[np.int64] = 0
    plasticity: tuple[Rule, ...] = ()
    sampled: bool = True

    if TYPE_CHECKING:  # what is accepted; the fields hold what was checked

        def __init__(
            self,
            weights: ArrayLike,
            gain: ArrayLike = 1.0,
            neuron: LIF | StepNeuron = ...,
            *,
            bias: ArrayLike | None = None,
            recurrent: ArrayLike | None = None,
            delay: ArrayLike = 0,
            plasticity: Rule | Sequence[Rule] | None = None,
            sampled: bool = True,
        ) -> None: ...

    def __post_init__(self) -> None:
        _check_common(self, 2)
        if self.recurrent is not None:
            if isinstance(self.neuron, StepNeuron):
                remedy = "connect the layer to itself with a delay of 1"
                _checks.fail("recurrent", "be None for a StepNeuron", "weights", remedy)
            _keep(self, "recurrent", _weights("recurrent", self.recurrent, (self.n_out, self.n_out)))
        _keep(self, "plasticity", checked_rules("plasticity", self.plasticity))
        if self.plasticity and isinstance(self.neuron, StepNeuron):
            _checks.fail("plasticity", "be None for a StepNeuron", self.plasticity)
        for rule in self.plasticity:
            if isinstance(rule, RewardSTDP) and rule.tau_eligibility < self.neuron.dt:
                contract = f"have a tau_eligibility of at least the time step, {self.neuron.dt} ms"
                _checks.fail("plasticity", contract, rule.tau_eligibility)
        w_max = min((getattr(rule, "w_max", 1.0) for rule in self.plasticity), default=1.0)
        if np.abs(self.weights).max() > w_max:
            contract = f"have magnitudes up to the w_max of their rule, {w_max}"
            _checks.fail("weights", contract, float(np.abs(self.weights).max()))

        if not self.sampled:
            contract = "be None for a layer with sampled=False"
            if self.recurrent is not None:
                _checks.fail("recurrent", contract, "weights")
            if self.plasticity:
                _checks.fail("plasticity", contract, self.plasticity)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weights.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[0])

    @property
    def positions(self) -> int:
        """Number of positions of the weights: always 1."""
        return 1

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Weights of shape (n_out, n_in); with a bias as last column (n_out, n_in + 1)."""
        return _with_bias(self.weights, self.bias)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """``round(matrix.T * 2**32)``, as the native core takes weights: shape (fan_in, n_out)."""
        return _coded(self.matrix)

    @property
    def delays(self) -> NDArray[np.int64] | None:
        """Delay of each input in time steps, shape (n_in,), or None if no input is delayed."""
        return _delays(self)

    def patches(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the inputs of each position: x itself, shape (rows, n_in, time)."""
        return x

    def flatten(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return values of neurons by input row: y itself, shape (rows, n_out, ...)."""
        return y

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Return whether the other layer is a Dense with equal parameters."""
        return _equal(self, other) if isinstance(other, Dense) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), _parameters(self))

    def __repr__(self) -> str:
        return f"Dense({self.n_in} -> {self.n_out}, {_shown(self)})"


@dataclass(frozen=True, eq=False)
class Conv2d:
    """Two-dimensional convolution (cross-correlation, as in PyTorch) followed by LIF neurons.

    Inputs and outputs are flattened in the order (channel, row, column). Each kernel weight is one
    bitstream that all positions share, as in hardware. A position is computed as one more row of the
    batch of a `Dense` layer with c_out neurons and c_in * kh * kw inputs, the patch at that position.
    Noise is independent between neurons.

    Layers are immutable. Two layers are equal if all their parameters are equal; layers cannot be
    hashed.

    Parameters
    ----------
    weights : array_like, shape (c_out, c_in, kh, kw)
        In [-1, 1].
    input_size : (int, int)
        Rows and columns of the input.
    gain : float or array_like, shape (c_out,)
        Current of a single one, greater than 0, for all channels or for each.
    neuron : LIF or StepNeuron
        Parameters of all neurons of the layer, or arrays with those of each output channel; or a model
        of your own.
    bias : array_like, shape (c_out,), optional
        In [-1, 1]. Weights of one more input that is always on.
    stride : int
        Step between positions, of rows and of columns, at least 1.
    padding : int
        Rows and columns of zeros added at each side, 0 or more.
    delay : int or array_like of int, shape (n_in,)
        Delay of the inputs in time steps, 0 or more. Inputs are 0 until they arrive.
    sampled : bool
        Whether products are sampled by bitstreams. With False, the layer takes the inputs of the
        network as numbers: its current is ``gain * (weights @ x + bias)``, with 32 bits of weights and
        inputs, the same in every time step. Such a layer receives no spikes, and no inputs that change
        in time.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        If a shape or a value is outside its range, or the kernel is larger than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Conv2d
    >>> layer = Conv2d(np.full((8, 1, 5, 5), 0.1), (28, 28), stride=2)
    >>> layer
    Conv2d(1x28x28 -> 8x12x12, kernel 5x5, stride=2, padding=0, gain=1.0, neuron=LIF())
    >>> layer.n_in, layer.n_out
    (784, 1152)
    """

    weights: NDArray[np.float64]
    input_size: tuple[int, int]
    gain: float | NDArray[np.float64] = 1.0
    neuron: LIF | StepNeuron = LIF()
    _: KW_ONLY
    bias: NDArray[np.float64] | None = None
    stride: int = 1
    padding: int = 0
    delay: int | NDArray[np.int64] = 0
    sampled: bool = True

    if TYPE_CHECKING:

        def __init__(
            self,
            weights: ArrayLike,
            input_size: tuple[int, int],
            gain: ArrayLike = 1.0,
            neuron: LIF | StepNeuron = ...,
            *,
            bias: ArrayLike | None = None,
            stride: int = 1,
            padding: int = 0,
            delay: ArrayLike = 0,
            sampled: bool = True,
        ) -> None: ...

    def __post_init__(self) -> None:
        size = self.input_size
        if not isinstance(size, Sequence) or len(size) != 2:
            _checks.wrong_type("input_size", "be a pair of integers, rows and columns", size)
        _keep(self, "input_size", tuple(_checks.integer("input_size", n, 1) for n in size))
        _keep(self, "stride", _checks.integer("stride", self.stride, 1))
        _keep(self, "padding", _checks.integer("padding", self.padding, 0))
        _check_common(self, 4)
        padded = tuple(n + 2 * self.padding for n in self.input_size)
        kernel = self.weights.shape[2:]
        if kernel[0] > padded[0] or kernel[1] > padded[1]:
            contract = f"have kernels that fit the padded input, {padded[0]} x {padded[1]}"
            _checks.fail("weights", contract, f"{kernel[0]} x {kernel[1]}")

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        (h, w), (kh, kw) = self.input_size, self.weights.shape[2:]
        around = 2 * self.padding
        return (h + around - kh) // self.stride + 1, (w + around - kw) // self.stride + 1

    @property
    def n_in(self) -> int:
        """Number of inputs: channels times rows times columns."""
        return int(self.weights.shape[1] * self.input_size[0] * self.input_size[1])

    @property
    def n_out(self) -> int:
        """Number of neurons: channels times rows times columns of the output."""
        return int(self.weights.shape[0]) * self.positions

    @property
    def positions(self) -> int:
        """Number of positions of the kernel: rows times columns of the output."""
        return self.output_size[0] * self.output_size[1]

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Kernels as rows, with the bias as last column if there is one.

        Shape (c_out, c_in * kh * kw) or (c_out, c_in * kh * kw + 1).
        """
        return _with_bias(self.weights.reshape(len(self.weights), -1), self.bias)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """``round(matrix.T * 2**32)``, as the native core takes weights: shape (fan_in, c_out)."""
        return _coded(self.matrix)

    @property
    def delays(self) -> NDArray[np.int64] | None:
        """Delay of each input in time steps, shape (n_in,), or None if no input is delayed."""
        return _delays(self)

    def patches(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the inputs of each position.

        x has shape (rows, n_in, time), the result (rows * positions, c_in * kh * kw, time), both of one
        dtype. Padding is 0.
        """
        c_in, kh, kw = self.weights.shape[1:]
        image = x.reshape(len(x), c_in, *self.input_size, x.shape[-1])
        if around := self.padding:
            image = np.pad(image, ((0, 0), (0, 0), (around, around), (around, around), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(image, (kh, kw), axis=(2, 3))
        strided = windows[:, :, :: self.stride, :: self.stride]
        patches = strided.transpose(0, 2, 3, 1, 5, 6, 4)  # image, row, column, channel, kernel, time
        return np.ascontiguousarray(patches).reshape(-1, c_in * kh * kw, x.shape[-1])

    def flatten(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return values of neurons by input row, in the order (channel, row, column).

        y has shape (rows * positions, c_out, ...), the result (rows, n_out, ...).
        """
        c_out, *rest = y.shape[1:]
        by_row = y.reshape(-1, self.positions, c_out, *rest).swapaxes(1, 2)
        return np.ascontiguousarray(by_row).reshape(-1, self.n_out, *rest)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Return whether the other layer is a Conv2d with equal parameters."""
        return _equal(self, other) if isinstance(other, Conv2d) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), _parameters(self))

    def __repr__(self) -> str:
        c_out, c_in, kh, kw = self.weights.shape
        (h, w), (oh, ow) = self.input_size, self.output_size
        return (
            f"Conv2d({c_in}x{h}x{w} -> {c_out}x{oh}x{ow}, kernel {kh}x{kw}, stride={self.stride}, "
            f"padding={self.padding}, {_shown(self)})"
        )


Layer = Dense | Conv2d


def of_each(layer: Layer, values: ArrayLike) -> NDArray[np.float64]:
    """Return values of the rows of weights, or one for all, for each neuron: shape (n_out,)."""
    of_rows = np.broadcast_to(np.asarray(values, np.float64), (len(layer.weights),))
    return np.repeat(of_rows, layer.positions)


def all_weights(layer: Layer) -> NDArray[np.float64]:
    """Return the matrix of a layer and, as further columns, its recurrent weights."""
    recurrent = layer.recurrent if isinstance(layer, Dense) else None
    return layer.matrix if recurrent is None else np.concatenate([layer.matrix, recurrent], axis=1)


def with_all_weights(layer: Layer, weights: NDArray[np.float64]) -> Layer:
    """Return a layer with other weights, in the form of `all_weights`."""
    n = layer.matrix.shape[1]
    n_forward = n - (layer.bias is not None)
    given: dict[str, Any] = {"weights": weights[:, :n_forward].reshape(layer.weights.shape)}
    if layer.bias is not None:
        given["bias"] = weights[:, n_forward]
    if isinstance(layer, Dense) and layer.recurrent is not None:
        given["recurrent"] = weights[:, n:]
    return replace(layer, **given)


def exact_sums(layer: Layer, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted sums of inputs, with the bias: shape (rows * positions, n_rows).

    Inputs (rows, n_in) are in [0, 1]. They and the weights have 32 bits, as streams have. Products of
    their halves are integers, which float64 adds up exactly in any order: the result depends neither on
    the size of a batch nor on the processor.
    """
    patches = layer.patches(np.ascontiguousarray(x)[..., np.newaxis])[..., 0]
    if layer.bias is not None:
        patches = np.column_stack([patches, np.ones(len(patches))])
    (high_x, low_x), (high_w, low_w) = (
        _halves(values) for values in (np.rint(patches * 2.0**32), layer.codes.astype(np.float64))
    )
    low, high = low_x @ low_w, high_x @ high_w
    middle = high_x @ low_w + low_x @ high_w
    return np.asarray(low * 2.0**-64 + middle * 2.0**-48 + high * 2.0**-32)


def _halves(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return whole numbers as high and low, ``high * 2**16 + low``."""
    high = np.floor(values * 2.0**-16)
    return high, values - high * 2.0**16


def rules_of(layer: Layer) -> tuple[Rule, ...]:
    """Return the rules by which the weights of a layer change."""
    return layer.plasticity if isinstance(layer, Dense) else ()


def check_fixed(name: str, layer: Layer) -> None:
    """Raise if a layer has a plasticity, which only `simulate` knows."""
    rules = rules_of(layer)
    if rules:
        remedy = "pass the network of a state, whose weights are fixed"
        if all(isinstance(rule, Competition) and not rule.threshold_step for rule in rules):
            remedy = "only simulate knows inhibition"
        _checks.fail(name, "have layers without plasticity", layer, remedy)


def lif_of(name: str, layer: Layer) -> LIF:
    """Return the LIF neurons of a layer; raise for other models and for plasticity."""
    check_fixed(name, layer)
    return _lif(name, layer)


def _lif(name: str, layer: Layer) -> LIF:
    if not isinstance(layer.neuron, LIF):
        _checks.wrong_type(name, "have layers of LIF neurons", layer.neuron)
    return layer.neuron


def neurons(name: str, layer: Layer) -> list[LIF]:
    """Return the LIF neuron of each row of weights, or one for all."""
    lif = _lif(name, layer)
    n = lif.n_neurons
    return [lif] if n is None else [lif[j] for j in range(n)]


def _delays(layer: Layer) -> NDArray[np.int64] | None:
    delays = np.broadcast_to(np.asarray(layer.delay, np.int64), (layer.n_in,))
    return delays if delays.any() else None


def _check_common(layer: Layer, ndim: int) -> None:
    weights = _checks.array("weights", layer.weights, [ndim])
    if weights.size == 0:
        _checks.fail("weights", "hold at least one value", f"shape {weights.shape}")
    _keep(layer, "weights", _weights("weights", layer.weights, weights.shape))
    _keep(layer, "gain", _gain(layer.gain, len(weights)))
    if not isinstance(layer.neuron, LIF | StepNeuron):
        _checks.wrong_type("neuron", "be a LIF or a StepNeuron", layer.neuron)
    if isinstance(layer.neuron, LIF) and layer.neuron.n_neurons not in (None, len(weights)):
        contract = f"have parameters for {len(weights)} neurons, the rows of the weights"
        _checks.fail("neuron", contract, layer.neuron)
    if layer.bias is not None:
        _keep(layer, "bias", _weights("bias", layer.bias, (len(weights),)))
    delay = _checks.delays("delay", layer.delay, layer.n_in)
    if isinstance(delay, np.ndarray):
        delay.flags.writeable = False
    _keep(layer, "delay", delay)
    _checks.instance("sampled", layer.sampled, bool)
    if not layer.sampled and np.any(delay):
        _checks.fail("delay", "be 0 for a layer with sampled=False", layer.delay)


def _gain(gain: ArrayLike, n: int) -> float | NDArray[np.float64]:
    """Return the gain: a number above 0, or a read-only array of one for each row of weights."""
    if np.ndim(gain) == 0:
        return _checks.positive("gain", gain)
    values = _checks.array("gain", gain, [1])
    if values.shape != (n,):
        _checks.fail("gain", f"be a number or have shape ({n},)", f"shape {values.shape}")
    if (values <= 0).any():
        _checks.fail("gain", "be greater than 0", values.min())
    values.flags.writeable = False
    return values


def _weights(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    weights = _checks.array(name, values, [len(shape)])
    if weights.shape != shape:
        _checks.fail(name, f"have shape {shape}", weights.shape)
    _checks.within(name, weights, -1.0, 1.0, _IN_RANGE, given=values)
    np.clip(weights, -1.0, 1.0, out=weights)
    weights.flags.writeable = False
    return weights


def _keep(layer: Layer, name: str, value: object) -> None:
    object.__setattr__(layer, name, value)


def _with_bias(weights: NDArray[np.float64], bias: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return weights if bias is None else np.column_stack([weights, bias])


def _coded(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    n_out, n_in = matrix.shape
    codes = np.empty((n_in, n_out), np.int64)
    block = max(2**20 // n_out, 1)  # of inputs, so that temporaries stay in the cache
    for first in range(0, n_in, block):
        codes[first : first + block] = np.rint(matrix[:, first : first + block].T * 2.0**32)
    codes.flags.writeable = False
    return codes


def _parameters(layer: Layer) -> dict[str, Any]:
    return {field.name: getattr(layer, field.name) for field in fields(layer)}


def _equal(one: Layer, other: Layer) -> bool:
    ours, theirs = _compared(one), _compared(other)
    return all(
        ours[name] == theirs[name]
        if name in ("neuron", "plasticity")
        else np.array_equal(ours[name], theirs[name])
        for name in ours
    )


def _compared(layer: Layer) -> dict[str, Any]:
    """Return the parameters of a layer; delays and gains as arrays, so that 2 and [2, 2] are equal."""
    return _parameters(layer) | {
        "delay": np.broadcast_to(layer.delay, (layer.n_in,)),
        "gain": np.broadcast_to(layer.gain, (len(layer.weights),)),
    }


def _rebuilt(kind: type[Layer], parameters: dict[str, Any]) -> Layer:
    return kind(**parameters)


def _shown(layer: Layer) -> str:
    gain = layer.gain
    shown = f" {gain.min():.4g} to {gain.max():.4g}" if isinstance(gain, np.ndarray) else f"={gain}"
    parts = [f"gain{shown}", f"neuron={layer.neuron!r}"]
    parts += [name for name in ("bias", "recurrent") if getattr(layer, name, None) is not None]
    parts += [repr(rule) for rule in rules_of(layer)]
    parts += [] if layer.sampled else ["sampled=False"]
    if isinstance(layer.delay, np.ndarray):
        parts.append(f"delay up to {layer.delay.max()}")
    elif layer.delay:
        parts.append(f"delay={layer.delay}")
    return ", ".join(parts)
