"""The native core: free functions on C-contiguous buffers, and the neuron that is stepped by hand.

Arguments are trusted: shapes, types and ranges are checked by the public functions. Packed bits are
uint64 words along the last axis, bit t in word t // 64 at position t % 64, zeros past the end.

A long call releases the GIL, and in the main thread it runs signal handlers about ten times per second.
If one raises, as Ctrl-C does, the call stops and raises the same. Arrays that the call updates in place
are then undefined; a `Neuron` keeps the state from before the call.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

def isas() -> list[str]:
    """Instruction sets that this machine has, the best last."""

def isa() -> str:
    """The instruction set in use."""

def set_isa(name: str) -> None:
    """Use another instruction set from here on."""

def threads() -> int:
    """The largest number of threads that a call may use."""

def set_threads(n: int) -> None:
    """Change that number."""

@final
class LIFParameters:
    """Parameters of the LIF update, see `LIF`.

    leak is dt / tau_mem, gain resistance * dt, syn_leak dt / tau_syn or 0 for no synaptic current;
    subtracts is whether a spike lowers the potential. In fixed point all but the leak are integers,
    and potentials saturate at v_min and v_max.
    """

    def __init__(
        self,
        *,
        leak: float,
        v_rest: float,
        gain: float,
        noise_std: float,
        v_threshold: float,
        v_reset: float,
        refractory_period: int,
        syn_leak: float,
        subtracts: bool,
        fixed: bool = False,
        v_min: float = 0.0,
        v_max: float = 0.0,
    ) -> None: ...
    @property
    def leak(self) -> float: ...
    @property
    def v_rest(self) -> float: ...
    @property
    def gain(self) -> float: ...
    @property
    def noise_std(self) -> float: ...
    @property
    def v_threshold(self) -> float: ...
    @property
    def v_reset(self) -> float: ...
    @property
    def refractory_period(self) -> int: ...
    @property
    def syn_leak(self) -> float: ...
    @property
    def subtracts(self) -> bool: ...
    @property
    def fixed(self) -> bool: ...
    @property
    def v_min(self) -> float: ...
    @property
    def v_max(self) -> float: ...

@final
class PlasticRule:
    """Rules of a layer whose weights change, see `native/kernels.hpp`.

    What a step leaves of a trace begins with `keep`; a_plus, a_minus and so on are 0 without a rule, as
    are level and keep_eligibility, period, inhibition and threshold_step without what they belong to.
    """

    def __init__(
        self,
        *,
        a_plus: float = 0.0,
        a_minus: float = 0.0,
        a3_plus: float = 0.0,
        a3_minus: float = 0.0,
        keep_plus: float = 0.0,
        keep_minus: float = 0.0,
        keep_x: float = 0.0,
        keep_y: float = 0.0,
        w_max: float = 1.0,
        soft: bool = False,
        nearest: bool = False,
        keeps_sign: bool = True,
        triplet: bool = False,
        level: float = 0.0,
        keep_eligibility: float = 0.0,
        learning_rate: float = 0.0,
        period: int = 0,
        total: float = 0.0,
        goal: float = 0.0,
        strength: float = 0.0,
        keep_average: float = 0.0,
        inhibition: float = 0.0,
        threshold_step: float = 0.0,
        keep_threshold: float = 0.0,
    ) -> None: ...
    @property
    def a_plus(self) -> float: ...
    @property
    def a_minus(self) -> float: ...
    @property
    def a3_plus(self) -> float: ...
    @property
    def a3_minus(self) -> float: ...
    @property
    def keep_plus(self) -> float: ...
    @property
    def keep_minus(self) -> float: ...
    @property
    def keep_x(self) -> float: ...
    @property
    def keep_y(self) -> float: ...
    @property
    def w_max(self) -> float: ...
    @property
    def soft(self) -> bool: ...
    @property
    def nearest(self) -> bool: ...
    @property
    def keeps_sign(self) -> bool: ...
    @property
    def triplet(self) -> bool: ...
    @property
    def level(self) -> float: ...
    @property
    def keep_eligibility(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def period(self) -> int: ...
    @property
    def total(self) -> float: ...
    @property
    def goal(self) -> float: ...
    @property
    def strength(self) -> float: ...
    @property
    def keep_average(self) -> float: ...
    @property
    def inhibition(self) -> float: ...
    @property
    def threshold_step(self) -> float: ...
    @property
    def keep_threshold(self) -> float: ...

@final
class FixedNeuron:
    """Integers of a neuron in fixed point.

    A single one adds `one` to the potential, a step takes v * leak >> leak_shift from it. With a
    synaptic current (syn_leak > 0), `one` is added to i, a step takes i * syn_leak >> syn_leak_shift
    from it, and adds i >> syn_fraction to the potential.
    """

    def __init__(
        self,
        *,
        one: int,
        leak: int,
        leak_shift: int,
        threshold: int,
        reset: int,
        subtracts: bool,
        refractory_period: int,
        v_min: int,
        v_max: int,
        syn_leak: int = 0,
        syn_leak_shift: int = 0,
        syn_fraction: int = 0,
    ) -> None: ...
    @property
    def one(self) -> int: ...
    @property
    def leak(self) -> int: ...
    @property
    def leak_shift(self) -> int: ...
    @property
    def syn_leak(self) -> int: ...
    @property
    def syn_leak_shift(self) -> int: ...
    @property
    def syn_fraction(self) -> int: ...
    @property
    def threshold(self) -> int: ...
    @property
    def reset(self) -> int: ...
    @property
    def subtracts(self) -> bool: ...
    @property
    def refractory_period(self) -> int: ...
    @property
    def v_min(self) -> int: ...
    @property
    def v_max(self) -> int: ...

def plastic(
    rule: PlasticRule,
    parameters: Sequence[LIFParameters],
    keys: tuple[int, int, int, int],
    gain: NDArray[np.float64],
    bias: NDArray[np.int64] | None,
    recurrent: NDArray[np.int64] | None,
    shared: bool,
    has_signs: bool,
    powers: NDArray[np.float64],
    x: NDArray[np.uint64] | None,
    densities: NDArray[np.float64] | None,
    x_start: int,
    input_key: int,
    first: int,
    steps: int,
    rewards: NDArray[np.float64] | None,
    state: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """Spikes of a layer whose weights change (n_out, n_words), in steps from `first` on.

    keys are those of weights, noise, and moves down and up. x are words (n_in, n_words), whose bit
    x_start is the first; without them, densities (n_in,) of Bernoulli streams under input_key. bias
    (n_out,) and recurrent (sender, receiver) are codes of weights. powers are those of keep_eligibility
    with the exponents 0 to 64, then their inverses. state is that of `PlasticLayer` in
    `native/kernels.hpp`, updated in place.
    """

def philox(key: int, counters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Philox4x32-10 of counters (n, 4), shape (n, 4)."""

def draw(
    key: int, domain: int, streams: NDArray[np.uint64], below: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """First words of the counters (0, domain, streams) times `below` over 2**32, shape (n,).

    `below`, at most 2**32, is one for each stream, or one for all, of shape (1,).
    """

def normal(key: int, n_neurons: int, first_step: int, steps: int) -> NDArray[np.float64]:
    """The normal samples of neurons 0 .. n_neurons - 1, shape (n_neurons, steps)."""

def encode(
    key: int,
    streams: NDArray[np.uint64],
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
) -> NDArray[np.uint64]:
    """Words of Bernoulli streams (n,) at thresholds (rows, n) of 2**-32 each, shape (rows, n, words).

    All rows see the same numbers.
    """

def encode_matrix(key: int, densities: NDArray[np.float64], length: int) -> NDArray[np.uint64]:
    """`encode` of densities (rows, lanes) in [0, 1], on the streams row << 32 | lane."""

def lfsr(
    width: int,
    feedback: int,
    phases: NDArray[np.uint64],
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
    zero: bool,
) -> NDArray[np.uint64]:
    """Words of streams (n,) of a register whose next bit is the parity of state & feedback.

    It starts `phase` steps after state 1; a bit is 1 where the state less 1 is below the threshold.
    With `zero`, for widths up to 16, state 0 follows state 1, and the state is below the threshold.
    """

def digital(
    columns: NDArray[np.uint32],
    matrices: NDArray[np.uint64],
    shifts: NDArray[np.uint32],
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
) -> NDArray[np.uint64]:
    """Words of streams (n,) of base-2 digital sequences, at thresholds of 2**-32 each.

    The number is the shift XOR columns (n_matrices, 32) of the stream's matrix where t has ones.
    """

def additive(
    modulus: int,
    steps: NDArray[np.uint64],
    offsets: NDArray[np.uint64],
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
) -> NDArray[np.uint64]:
    """Words of streams (n,) with the numbers (offset + t * step) % modulus, modulus at most 2**32."""

def radical(
    bases: NDArray[np.uint64],
    shifts: NDArray[np.uint64],
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
) -> NDArray[np.uint64]:
    """Words of streams (n,) of radical inverses, at thresholds of 2**-32 each.

    A shift holds a digit for each of the number, with its weight.
    """

def permutation(
    key: int,
    streams: NDArray[np.uint64],
    period: int,
    thresholds: NDArray[np.uint64],
    first_word: int,
    length: int,
) -> NDArray[np.uint64]:
    """Words of streams (n,) whose numbers are the ranks of `period` uniform numbers, repeated."""

def uniform(key: int, streams: NDArray[np.uint64], first: int, length: int) -> NDArray[np.uint32]:
    """Numbers first .. first + length - 1 of Bernoulli streams (n,), shape (n, length)."""

def channel_counts(
    x: NDArray[np.uint64], weights: NDArray[np.uint64], length: int
) -> NDArray[np.uint32]:
    """Ones a time step among x (batch, n_in, words) & weights (n, n_in, words), (batch, n, length)."""

def dot(x: NDArray[np.uint64], w: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Ones among x[i] & w[j] of rows (n_x, words) and (n_w, words), shape (n_x, n_w)."""

def ones(x: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Ones of rows (n, words), shape (n,)."""

def lif(
    parameters: LIFParameters,
    key: int,
    currents: NDArray[np.float64],
    position: int,
    first_step: int,
    steps: int,
    v: NDArray[np.float64],
    refractory: NDArray[np.uint64],
    i: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """Packed spikes of n neurons, shape (n, words); v, refractory and i, shape (n,), are updated.

    currents has shape (n, period) or (1, period) and is read from column `position` on, cyclically.
    """

def fixed_trace(
    neurons: Sequence[FixedNeuron],
    counts: NDArray[np.int32],
    v: NDArray[np.int32],
    refractory: NDArray[np.uint64],
    i: NDArray[np.int32],
    saturations: NDArray[np.uint64],
) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    """Potentials after each step (n, length) and packed spikes (n, words) of neurons in fixed point.

    counts has shape (n, length). Row n has the parameters of neuron ``n % len(neurons)``. v, refractory
    and i, shape (n,), are updated; saturations, shape (n, 2), counts sums below and above the word.
    """

def dense(
    parameters: LIFParameters,
    weight_key: int,
    noise_key: int,
    x: NDArray[np.uint64],
    weights: NDArray[np.int64],
    weight_bits: NDArray[np.uint64] | None,
    shared: bool,
    gain: NDArray[np.float64],
    positions: int,
    first_word: int,
    length: int,
    v: NDArray[np.float64],
    refractory: NDArray[np.uint64],
    i: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """Packed spikes (batch, n_out, words) of a layer under x (batch, n_in, words) for one block.

    weights (n_in, n_out) are signed multiples of 2**-32. Their bits are weight_bits, of shape
    (n_out, n_in, words), or, for None, the Bernoulli streams out << 32 | in of weight_key, or `in` for
    all neurons if shared. gain has shape (n_out,). Row b has the noise of neurons
    out * positions + b % positions. v, refractory and i (batch, n_out) are updated.
    """

def training_sums(
    weight_key: int,
    x: NDArray[np.uint64],
    x_bits: int,
    weights: NDArray[np.int64],
    weight_bits: NDArray[np.uint64] | None,
    bits_per_step: int,
    steps: int,
    places: NDArray[np.int32] | None,
) -> NDArray[np.int16] | NDArray[np.float32]:
    """`dense_sums` of steps from the first one on: (images, steps, positions * n_out).

    The type is int16 if it holds the sums, even with those of n_out own spikes added. Input i of a
    position is places[position, i] of those that x (images, n, words) has; place n is zero, and n + 1
    is always on. None stands for one position with all inputs in order.
    """

def training_neurons(
    parameters: Sequence[LIFParameters],
    noise_key: int,
    own_noise: bool,
    channels: int,
    drive: NDArray[Any],
    gain: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    weight_bits: NDArray[np.uint64] | None,
    bits_per_step: int,
    v: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """Packed spikes (images, n, words) of `neurons` that start at rest, at potentials v (updated).

    The sums of own spikes are added to the drive (images, steps, n) of a type that holds them: int16,
    float32 or float64. Neuron j is
    channel j % channels at position j // channels; its noise is that of neuron
    channel * positions + position, and with own_noise image * n more.
    """

def neuron_gradients(
    parameters: Sequence[LIFParameters],
    noise_key: int,
    own_noise: bool,
    channels: int,
    surrogate: float,
    drive: NDArray[Any],
    gain: NDArray[np.float64],
    of_spikes: NDArray[np.float32],
    of_potentials: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    parameters_too: bool,
    totals: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Gradients of the drive (images, steps, n) and, summed over steps, of gain and parameters.

    The drive is int16 or float32. With totals its gradient is summed over steps too, (images, 1, n).

    The drive holds the sums of own spikes. of_spikes (images, steps or 1, n) is the gradient of spikes,
    of_potentials (images, n) that of the last potentials, weights (steps or 1, n, n) what a spike adds
    to the drive of the next step, a row a receiving neuron. Those of the gain are (images, n), those of
    leak, syn_leak and v_threshold (images, 3, n), or empty.
    """

def product_gradients(
    of_drive: NDArray[np.float32], x: NDArray[np.uint64], x_bits: int, places: NDArray[np.int32] | None
) -> NDArray[np.float32]:
    """Sums (n_in, n) of of_drive (images, steps, positions * n) over the ones of x at places.

    x (images, ..., words) has x_bits bits per step; places as in `training_sums`.
    """

def input_gradients(
    of_sums: NDArray[np.float32],
    weights: NDArray[np.float32],
    pixels: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Gradients (rows, pixels, channels) of the inputs of a convolution, from those of its sums.

    of_sums is (rows, positions * n). Tap k of a position lies on pixel pixels[position, k], or on none
    if that is negative. Row r has the weights r % sets of (sets, taps, n, columns), whose columns are
    the channels and zeros, a multiple of 16.
    """

def codes(weights: NDArray[Any]) -> NDArray[np.int64]:
    """Weights (n, n_in) of floats in [-1, 1] as (n_in, n): sign times round(magnitude * 2**32)."""

def dense_sums(
    weight_key: int,
    x: NDArray[np.uint64],
    x_bits: int,
    x_start: int,
    weights: NDArray[np.int64],
    weight_bits: NDArray[np.uint64] | None,
    shared: bool,
    bits_per_step: int,
    first_word: int,
    start: int,
    length: int,
) -> NDArray[np.float64]:
    """Sums (batch, steps, n_out) of the products of `bits_per_step` bits each, with their signs.

    The block consists of the bits start .. length - 1 from word first_word on, whole steps. x
    (batch, n_in, words of its own) has x_bits bits per step, all or 1, from its bit x_start on; the
    other arguments are those of `dense`.
    """

def real_sums(
    x: NDArray[np.uint64],
    weights: NDArray[np.float64],
    bias: NDArray[np.float64] | None,
    length: int,
) -> NDArray[np.float64]:
    """Sums of the real weights (n_in, n_out) of inputs with a spike, shape (batch, length, n_out).

    x are packed spikes (batch, n_in, words). Weights are added in the order of the inputs, then the
    bias (n_out,).
    """

def neurons(
    parameters: Sequence[LIFParameters],
    noise_key: int,
    drive: NDArray[np.float64],
    gain: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    weight_bits: NDArray[np.uint64] | None,
    bits_per_step: int,
    start: int,
    positions: int,
    first_step: int,
    steps: int,
    v: NDArray[np.float64],
    refractory: NDArray[np.uint64],
    i: NDArray[np.float64],
    before: NDArray[np.uint64],
    traced: bool,
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Packed spikes (batch, n, words) of neurons under drive (batch, steps or 1, n), and potentials.

    The current is gain * (drive + products with the spikes of the step before). Row k of weights (n, n)
    belongs to sending neuron k; None is no such products. Of a product with weight_bits, of shape
    (n, n, words), a row a receiving neuron, it gives the sign, and step s consists of `bits_per_step`
    bits from bit start + s * bits_per_step on; for None the weights are real numbers. parameters are
    those of each neuron or one for all. v, refractory and i (batch, n), and the packed spikes `before`
    (batch, words of n bits) are updated. Potentials after each step have shape (batch, steps, n) if
    `traced`, else (0, steps, n).
    """

def machine(
    table: NDArray[np.uint32],
    n_out: int,
    inputs: NDArray[np.uint64],
    length: int,
    states: NDArray[np.uint32],
) -> NDArray[np.uint64]:
    """Packed outputs (n_out, n, words) of a finite-state machine on inputs (n_in, n, words).

    Entry [state, symbol] of the table is the next state | output 0 << 16 | output 1 << 17, the symbol
    input 0 | input 1 << 1 | and so on, for up to 8 inputs. states, shape (n,), is updated.
    """

def circuit(
    steps: NDArray[np.int32],
    n_values: int,
    outputs: NDArray[np.int32],
    holds: NDArray[np.int32],
    tables: NDArray[np.uint32],
    inputs: NDArray[np.uint64],
    length: int,
    held: NDArray[np.uint64],
    states: NDArray[np.uint32],
) -> NDArray[np.uint64]:
    """Packed outputs (n_out, n, words) of a circuit with feedback on inputs (n_in, n, words).

    A step (kind, a, b, z, z1, table, machine) computes value z from values a and b: AND, OR, XOR, NOT
    a, or a machine with outputs z and z1, whose table begins at `table` in `tables`. b, z or z1 is -1
    if unused. For kind 5, a machine with more than two inputs, b is their number, and the values that
    it reads are in `tables` before `table`. The first n_in values are the inputs. A flip-flop (q, d) of
    `holds` writes value q, which is value d of the step before. held, shape (ceil(n / 64), flip-flops),
    a bit per row, and states, shape (machines, n), are updated.
    """

def integrate(
    inputs: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
    n_bits: int,
    length: int,
    counters: NDArray[np.uint32],
) -> NDArray[np.uint64]:
    """Packed bits r < c, shape (n, words), where r is the top n_bits of numbers[0].

    c <- min(c + inputs[0] - g, 2**n_bits), with g the AND of r < c, inputs[1] if there is one, and
    r' < c if there are numbers[1]. inputs (n_in, n, words), numbers (n_numbers, n, length); counters,
    shape (n,), is updated.
    """

def moving_average(
    x: NDArray[np.uint64], gain: float, length: int, y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Averages y <- y + (x - y) * gain, shape (n, length); y, shape (n,), is updated."""

def shuffle(
    x: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
    depth: int,
    length: int,
    buffers: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """Bits that leave buffers of depth bits at address numbers * depth >> 32, where x enters.

    x (n, words), numbers (n, length); buffers, packed (n, depth words), is updated.
    """

def deposit(x: NDArray[np.uint64], w: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """The streams x (n, words) with their k-th ones replaced by bits k of w (n, words)."""

def in_stream(
    x: NDArray[np.uint64],
    y: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
    thresholds: NDArray[np.uint64],
    length: int,
    bipolar: bool,
) -> NDArray[np.uint64]:
    """Products, shape (n, words), by a shift register of len(thresholds) - 1 bits of y.

    With c ones in the register, which begins as 0, 1, 0, 1, ..., one number k of x becomes
    numbers[k] < thresholds[c]; if bipolar, zero number k becomes its inverse. x, y (n, words), numbers
    (n, length).
    """

@final
class Neuron:
    """A LIF neuron and its state."""

    def __init__(self, parameters: LIFParameters, key: int) -> None: ...
    def step(self, input_current: float) -> int:
        """Advance one step and return 1 for a spike, else 0."""

    def run(self, currents: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Advance len(currents) steps and return the spikes.

        If another thread uses the neuron meanwhile, the state of the one that ends last stays.
        """

    def reset(self) -> None:
        """Return to the state after construction."""

    def restore(self, v: float, refractory: int, i: float, t: int) -> None:
        """Continue from that state."""

    @property
    def v(self) -> float: ...
    @property
    def refractory(self) -> int: ...
    @property
    def i(self) -> float: ...
    @property
    def t(self) -> int: ...

@final
class Chain:
    """Dense layers, each of which receives the spikes of the one before: few steps, few images.

    It keeps references to the weights that it is given, and changes in `add` and `keep` only.
    """

    def __init__(self) -> None: ...
    def add(
        self,
        parameters: Sequence[LIFParameters],
        weight_key: int,
        noise_key: int,
        weights: NDArray[np.int64],
        always_on: bool,
        shared: bool,
        gain: NDArray[np.float64],
        needed: NDArray[np.float64],
        rest: NDArray[np.float64],
    ) -> None:
        """Add a layer with weights (n_in, n_out), as `dense` takes them.

        always_on is whether the last input is, as a bias. needed are the sums of rates times weights
        (n_out,) above which the neurons fire, inf where one never does; rest their first potentials.
        Parameters are one for all neurons, or one for each.
        """
    def keep(self, steps: int, bits: Sequence[NDArray[np.uint64] | None] | None) -> None:
        """Make the weights of the first steps now, from bits (n_out, n_in, words) of each layer.

        Without bits they are those of Bernoulli streams.
        """
    def step(
        self,
        levels: float,
        key: int,
        x: NDArray[np.float64],
        first: int,
        steps: int,
        state: NDArray[np.float64],
        counts: NDArray[np.int64],
        potentials: NDArray[np.float64],
    ) -> int:
        """Run steps from a state, with weights that are kept, as `run` without explanations."""
    def run(
        self,
        x: NDArray[np.float64],
        levels: float,
        key: int,
        numbers: NDArray[np.uint32] | None,
        first: int,
        steps: int,
        bits: Sequence[NDArray[np.uint64] | None] | None,
        rest: bool,
        explain: bool,
        state: NDArray[np.float64],
        counts: NDArray[np.int64],
        potentials: NDArray[np.float64],
    ) -> int:
        """Run densities (batch, n_in) for some steps, add spikes to counts and store potentials.

        An input spikes where its number (n_in, steps) is below round(x * levels); without numbers they
        are Bernoulli ones under the key. bits are weight bits from the word of `first` on. The state is
        of each layer potentials, refractory steps (as uint64) and synaptic currents, (batch, n_out)
        each; with `rest` it begins at rest, whatever it holds.

        Returns 0, or, with `explain`, l + 1 if layer l is the first without spikes and its mean
        currents may be too small, or -1 if a density is not in [0, 1] and the results mean nothing.
        """
