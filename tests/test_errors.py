"""Table of error messages: `name must <contract>, got <value>; <remedy>`."""

import math
from functools import partial

import numpy as np
import pytest
from error_table import test_of

from sc_neurocore import (
    LIF,
    Bitstream,
    BitstreamCurrentSource,
    BitstreamEncoder,
    BitstreamSpikeRecorder,
    BitstreamSynapse,
    Conv2d,
    Dense,
    Interval,
    Network,
    Role,
    SCDenseLayer,
    StochasticLIFNeuron,
    _checks,
    bitstream_to_probability,
    current_trace,
    encode,
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    rheobase,
    set_threads,
    simulate,
    simulate_float,
    spike_times,
    stream_key,
)
from sc_neurocore.neurons import LIFState, isi_ms, isi_steps, stationary_std

NAN, INF = math.nan, math.inf
RAGGED = [[0], [0, 1]]
PAIR = Bitstream.from_bits([[0, 1, 1], [1, 1, 0]])
NETWORK = Network([Dense([[0.5, 0.5]])])
NEURON = StochasticLIFNeuron(seed=1)


def with_defaults(make, **defaults):
    return lambda **changes: make(**defaults | changes)


interval = with_defaults(Interval, low=0.0, high=1.0)
encoder = with_defaults(BitstreamEncoder, length=8, seed=0)
synapse = with_defaults(BitstreamSynapse, w_min=0.0, w_max=1.0, length=8, seed=0)
source = with_defaults(
    BitstreamCurrentSource, x_inputs=[0.5, 0.5], x_min=0.0, x_max=1.0, weight_values=[0.5, 0.5],
    w_min=0.0, w_max=1.0, length=8, seed=0,
)  # fmt: skip
layer = with_defaults(
    SCDenseLayer, n_neurons=3, x_inputs=[0.5, 0.5], weight_values=[0.5, 0.5], x_min=0.0, x_max=1.0,
    w_min=0.0, w_max=1.0, length=8, base_seed=0,
)  # fmt: skip
dense = with_defaults(Dense, weights=[[0.5, 0.5]])
conv = with_defaults(Conv2d, weights=[[[[0.5, 0.5]]]], input_size=(2, 3))
streams = with_defaults(encode, p=[0.5, 0.5], length=8, key=0)
trace = with_defaults(current_trace, x=PAIR, w=PAIR)
run = with_defaults(simulate, network=NETWORK, x=[0.5, 0.5], length=8, seed=0)
run_float = with_defaults(simulate_float, network=NETWORK, x=[0.5, 0.5], length=8)
state = with_defaults(LIFState, v=[0.0, 0.0], refractory=[0, 0], t=0)
key = with_defaults(stream_key, seed=0, role=Role.INPUT)


def layer_of(**params):
    return layer(neuron_params=params)


# --- arguments of one kind have one set of messages

LIF_REALS = ["v_rest", "v_reset", "noise_std", "resistance", "tau_syn"]
LIF_REALS_OR_INF = ["v_threshold", "tau_mem"]
ENDS = ["x_min", "x_max", "w_min", "w_max", "y_min", "y_max"]
REALS = [
    (LIF, ["dt"]),
    (StochasticLIFNeuron, ["dt"]),
    (layer, [*ENDS, "dt_ms"]),
    (source, ENDS),
    (trace, ["y_min", "y_max"]),
    (synapse, ["w_min", "w_max", "w"]),
    (encoder, ["x_min", "x_max"]),
    (interval, ["low", "high"]),
    (BitstreamSpikeRecorder, ["dt_ms"]),
    (NEURON.step, ["input_current"]),
    (partial(NEURON.process_bitstream, [0, 1]), ["input_scale"]),
    (encoder().encode, ["x"]),
    (partial(isi_steps, LIF()), ["current"]),
    (partial(isi_ms, LIF()), ["current"]),
]
REALS_OR_NONE = [
    (partial(spike_times, [0, 1]), ["dt_ms"]),
    (partial(interspike_intervals, [0, 1]), ["dt_ms"]),
    (partial(isi_histogram, [0, 1]), ["dt_ms"]),
    (partial(firing_rate_hz, [0, 1]), ["dt_ms"]),
]
REALS_OR_ARRAYS = [
    (LIF, LIF_REALS),
    (StochasticLIFNeuron, LIF_REALS),
    (layer_of, LIF_REALS),
    (dense, ["gain"]),
    (conv, ["gain"]),
]
REALS_OR_INF = [
    (LIF, LIF_REALS_OR_INF),
    (StochasticLIFNeuron, LIF_REALS_OR_INF),
    (layer_of, LIF_REALS_OR_INF),
]
NOT_REAL = [
    (NAN, ValueError, "be finite, got nan"),
    (INF, ValueError, "be finite, got inf"),
    (-INF, ValueError, "be finite, got -inf"),
    (np.float32(NAN), ValueError, "be finite, got nan"),
    (True, TypeError, "be a real number, got True"),
    ("1", TypeError, "be a real number, got '1'"),
    (None, TypeError, "be a real number, got None"),
    (1j, TypeError, "be a real number, got 1j"),
    ([0.5], TypeError, "be a real number, got [0.5]"),
]
POSITIVE = [
    (LIF, ["tau_mem", "dt", "resistance"]),
    (StochasticLIFNeuron, ["tau_mem", "dt", "resistance"]),
    (layer_of, ["tau_mem", "resistance"]),
    (layer, ["dt_ms"]),
    (dense, ["gain"]),
    (conv, ["gain"]),
    (BitstreamSpikeRecorder, ["dt_ms"]),
    (partial(spike_times, [0, 1]), ["dt_ms"]),
    (partial(interspike_intervals, [0, 1]), ["dt_ms"]),
    (partial(isi_histogram, [0, 1]), ["dt_ms"]),
    (partial(firing_rate_hz, [0, 1]), ["dt_ms"]),
]
NOT_POSITIVE = [
    (0, ValueError, "be greater than 0, got 0.0"),
    (-1.5, ValueError, "be greater than 0, got -1.5"),
]
INTEGERS_FROM = {
    0: [(layer().run, ["T"]), (conv, ["padding"])],
    1: [
        (encoder, ["length"]),
        (synapse, ["length"]),
        (source, ["length"]),
        (layer, ["length", "n_neurons"]),
        (partial(Bitstream, PAIR.words), ["length"]),
        (streams, ["length"]),
        (run_float, ["length"]),
        (LIF().initial_state, ["n_neurons"]),
        (partial(isi_histogram, [0, 1]), ["bins"]),
        (BitstreamSpikeRecorder().isi_histogram, ["bins"]),
        (conv, ["stride"]),
    ],
}
NOT_INTEGER = [
    (1.0, TypeError, "be an integer, got 1.0"),
    (NAN, TypeError, "be an integer, got nan"),
    (True, TypeError, "be an integer, got True"),
    ("1", TypeError, "be an integer, got '1'"),
    ([1], TypeError, "be an integer, got [1]"),
]
SEEDS = [
    (StochasticLIFNeuron, ["seed"]),
    (encoder, ["seed"]),
    (synapse, ["seed"]),
    (source, ["seed"]),
    (layer, ["base_seed"]),
    (run, ["seed"]),
    (key, ["seed"]),
]
NOT_SEED = [
    (-1, ValueError, "lie in [0, 2**128), got -1"),
    (2**128, ValueError, f"lie in [0, 2**128), got {2**128}"),
    *NOT_INTEGER,
]
KEYS = [(streams, ["key"])]
NOT_KEY = [
    (-1, ValueError, "lie in [0, 2**64), got -1"),
    (2**64, ValueError, f"lie in [0, 2**64), got {2**64}"),
    (None, TypeError, "be an integer, got None"),
    *NOT_INTEGER,
]
BITS = [
    (NEURON.process_bitstream, ["bits"]),
    (encoder().decode, ["bits"]),
    (synapse().apply, ["pre_bits"]),
    (bitstream_to_probability, ["bits"]),
    (BitstreamSpikeRecorder().extend, ["spikes"]),
    (spike_times, ["spikes"]),
    (interspike_intervals, ["spikes"]),
    (isi_histogram, ["spikes"]),
]
BITS_OF_ANY_SHAPE = [(Bitstream.from_bits, ["bits"]), (firing_rate_hz, ["spikes"])]
NOT_BITS = [
    ([0, 2], ValueError, "hold only the bits 0 and 1, got 2 at index 1"),
    ([1, 0, -1], ValueError, "hold only the bits 0 and 1, got -1 at index 2"),
    ([0.5, 0], ValueError, "hold only the bits 0 and 1, got 0.5 at index 0"),
    ([0, NAN], ValueError, "hold only the bits 0 and 1, got nan at index 1"),
    ("01", TypeError, "hold the bits 0 and 1, got '01'"),
    ([0, "1"], TypeError, "hold the bits 0 and 1, got [0, '1']"),
    ([0, None], TypeError, "hold the bits 0 and 1, got [0, None]"),
    (None, TypeError, "hold the bits 0 and 1, got None"),
    (RAGGED, ValueError, "be rectangular, with rows of equal length, got [[0], [0, 1]]"),
]
NOT_ONE_AXIS = [
    ([[0, 1]], ValueError, "have one axis, time, got shape (1, 2)"),
    (1, ValueError, "have one axis, time, got shape ()"),
]
ARRAYS = [
    (source, ["x_inputs", "weight_values"]),
    (layer, ["x_inputs", "weight_values"]),
    (NEURON.run, ["currents"]),
    (LIF().run, ["currents"]),
    (streams, ["p"]),
    (run, ["x"]),
    (run_float, ["x"]),
    (Interval(0, 1).to_probability, ["x"]),
    (Interval(0, 1).from_probability, ["p"]),
]
NOT_ARRAY = [
    ([0.5, NAN], ValueError, "be finite, got nan at index 1"),
    ([INF, 0.5], ValueError, "be finite, got inf at index 0"),
    ("ab", TypeError, "hold real numbers, got 'ab'"),
    (["a", 0.5], TypeError, "hold real numbers, got ['a', 0.5]"),
    ([0.5, None], TypeError, "hold real numbers, got [0.5, None]"),
    ([0.5, 1j], TypeError, "hold real numbers, got [0.5, 1j]"),
    (None, TypeError, "hold real numbers, got None"),
    (RAGGED, ValueError, "be rectangular, with rows of equal length, got [[0], [0, 1]]"),
]


def of_one_kind(arguments, values):
    return [
        (partial(call, **{name: value}), error, f"{name} must {said}")
        for call, names in arguments
        for name in names
        for value, error, said in values
    ]


LIF_KEYS = (
    "v_rest, v_reset, v_threshold, tau_mem, dt, noise_std, resistance, refractory_period, "
    "tau_syn, reset"
)
UNKNOWN_KEY = f"neuron_params must have only the keys {LIF_KEYS}, got "

ERRORS = [
    *of_one_kind(REALS, NOT_REAL),
    *of_one_kind(REALS_OR_NONE, [row for row in NOT_REAL if row[0] is not None]),
    *of_one_kind(REALS_OR_ARRAYS, [row for row in NOT_REAL if row[0] != [0.5]]),
    *of_one_kind(REALS_OR_INF, [row for row in NOT_REAL if row[0] is not INF and row[0] != [0.5]]),
    *of_one_kind(POSITIVE, NOT_POSITIVE),
    *(row for arguments in INTEGERS_FROM.values() for row in of_one_kind(arguments, NOT_INTEGER)),
    *(
        row
        for low, arguments in INTEGERS_FROM.items()
        for value in (low - 1, -100)
        for row in of_one_kind(arguments, [(value, ValueError, f"be at least {low}, got {value}")])
    ),
    *of_one_kind(SEEDS, NOT_SEED),
    *of_one_kind(KEYS, NOT_KEY),
    *of_one_kind(BITS, NOT_BITS + NOT_ONE_AXIS),
    *of_one_kind(BITS_OF_ANY_SHAPE, NOT_BITS),
    *of_one_kind(ARRAYS, NOT_ARRAY),
    # real numbers too large for a float
    (lambda: LIF(tau_mem=10**400), ValueError, "tau_mem must be finite, got inf"),
    (lambda: LIF(v_threshold=10**400), ValueError, "v_threshold must be finite, got inf"),
    (lambda: NEURON.step(10**400), ValueError, "input_current must be finite, got inf"),
    (lambda: LIF(tau_mem=RAGGED), ValueError,
     "tau_mem must be rectangular, with rows of equal length, got [[0], [0, 1]]"),
    # LIF
    (lambda: LIF(noise_std=-0.1), ValueError, "noise_std must be 0 or more, got -0.1"),
    (lambda: LIF(v_reset=1.0), ValueError,
     "v_reset must be less than v_threshold, got v_reset=1.0, v_threshold=1.0"),
    (lambda: LIF(v_reset=2, v_threshold=1), ValueError,
     "v_reset must be less than v_threshold, got v_reset=2.0, v_threshold=1.0"),
    (lambda: LIF(dt=30.0), ValueError,
     "dt must be at most tau_mem, or the leak overshoots, got 30.0 > 20.0"),
    (lambda: LIF(tau_syn=-1), ValueError, "tau_syn must be 0 or more, got -1.0"),
    (lambda: LIF(tau_syn=0.5), ValueError,
     "dt must be at most tau_syn, or the decay overshoots, got 1.0 > 0.5"),
    (lambda: LIF(v_reset=INF, v_threshold=INF), ValueError, "v_reset must be finite, got inf"),
    *(
        (partial(call, reset=wrong), ValueError,
         f"reset must be one of 'value', 'subtract', got {wrong!r}")
        for call in (LIF, StochasticLIFNeuron, layer_of)
        for wrong in ("zero", None, 1)
    ),
    (lambda: LIF(refractory_period=-1), ValueError,
     "refractory_period must be at least 0 and at most 4294967296, got -1"),
    (lambda: LIF(refractory_period=2**32 + 1), ValueError,
     "refractory_period must be at least 0 and at most 4294967296, got 4294967297"),
    (lambda: LIF(refractory_period=2.0), TypeError, "refractory_period must be an integer, got 2.0"),
    (lambda: LIF(refractory_period=True), TypeError, "refractory_period must be an integer, got True"),
    (lambda: LIF().run(0.1), ValueError, "currents must have 1 or 2 axes, got shape ()"),
    (lambda: LIF().run([[[0.1]]]), ValueError, "currents must have 1 or 2 axes, got shape (1, 1, 1)"),
    (lambda: LIF().run([]), ValueError, "currents must have at least one time step, got shape (0,)"),
    (lambda: LIF().run(np.zeros((3, 0))), ValueError,
     "currents must have at least one time step, got shape (3, 0)"),
    (lambda: LIF().run([[0.1]] * 3, LIF().initial_state(2)), ValueError,
     "currents must have one row, or one row for each of the 2 neurons of the state, got 3"),
    (lambda: LIF().run([0.1], state=1), TypeError, "state must be a LIFState, got 1"),
    (lambda: state(v=[[0.0, 0.0]]), ValueError, "v must have 1 axis, got shape (1, 2)"),
    (lambda: state(v=[0.0, NAN]), ValueError, "v must be finite, got nan at index 1"),
    (lambda: state(refractory=[0]), ValueError, "refractory must have the shape of v, (2,), got (1,)"),
    (lambda: state(refractory=[0, -1]), ValueError,
     "refractory must hold integers of 0 or more, got -1 at index 1"),
    (lambda: state(refractory=[0.0, 1.0]), TypeError,
     "refractory must hold integers of 0 or more, got [0.0, 1.0]"),
    (lambda: state(i=[0.0]), ValueError, "i must have the shape of v, (2,), got (1,)"),
    (lambda: state(i=[0.0, NAN]), ValueError, "i must be finite, got nan at index 1"),
    (lambda: state(t=-1), ValueError, "t must be at least 0, got -1"),
    (lambda: state(t=1.0), TypeError, "t must be an integer, got 1.0"),
    (lambda: NEURON.run(0.1), ValueError, "currents must have 1 axis, got shape ()"),
    (lambda: NEURON.run([[0.1]]), ValueError, "currents must have 1 axis, got shape (1, 1)"),
    # closed forms accept the parameters, not a neuron with state
    (lambda: rheobase(1), TypeError, "neuron must be a LIF, got 1"),
    (lambda: rheobase(NEURON), TypeError, f"neuron must be a LIF, got {NEURON}; pass neuron.lif"),
    (lambda: isi_steps(NEURON, 0.1), TypeError, f"neuron must be a LIF, got {NEURON}; pass neuron.lif"),
    (lambda: isi_ms(NEURON, 0.1), TypeError, f"neuron must be a LIF, got {NEURON}; pass neuron.lif"),
    (lambda: stationary_std(NEURON), TypeError, f"neuron must be a LIF, got {NEURON}; pass neuron.lif"),
    (lambda: isi_steps(LIF(reset="subtract"), 0.1), ValueError,
     f"neuron must have reset='value' or no leak, got {LIF(reset='subtract')}; use isi_ms, the "
     "interval in continuous time, as there is no closed form in time steps"),
    (lambda: firing_rate_hz(1), ValueError, "spikes must have at least one axis, time, got shape ()"),
    # intervals
    (lambda: Interval(1, 0), ValueError, "low must be less than high, got low=1.0, high=0.0"),
    (lambda: Interval(-1e308, 1e308), ValueError,
     "low must lie closer to high, got low=-1e+308, high=1e+308"),
    (lambda: encoder(x_min=1.0), ValueError, "x_min must be less than x_max, got x_min=1.0, x_max=1.0"),
    (lambda: synapse(w_max=-1.0), ValueError,
     "w_min must be less than w_max, got w_min=0.0, w_max=-1.0"),
    *(
        (partial(make, **{f"{x}_min": 2.0, f"{x}_max": 1.0}), ValueError,
         f"{x}_min must be less than {x}_max, got {x}_min=2.0, {x}_max=1.0")
        for make, axes in ((source, "xwy"), (layer, "xwy"), (trace, "y"))
        for x in axes
    ),
    # bits
    (lambda: bitstream_to_probability([]), ValueError, "bits must hold at least one bit, got none"),
    (lambda: encoder().decode([]), ValueError, "bits must hold at least one bit, got none"),
    (lambda: bitstream_to_probability(PAIR), ValueError,
     "bits must be one stream (see probability() for more), got shape (2,)"),
    (lambda: synapse().apply([1] * 7), ValueError,
     "pre_bits must have length 8, got 7"),
    (lambda: synapse().apply([]), ValueError,
     "pre_bits must have length 8, got 0"),
    (lambda: Bitstream.from_bits([]), ValueError,
     "bits must have at least one bit along its last axis, got shape (0,)"),
    (lambda: Bitstream.from_bits(1), ValueError,
     "bits must have at least one bit along its last axis, got shape ()"),
    (lambda: Bitstream.from_bits([[0, 1], [0, 2]]), ValueError,
     "bits must hold only the bits 0 and 1, got 2 at index (1, 1)"),
    (lambda: Bitstream(np.array([1]), 3), ValueError,
     "words must be an array of uint64, got int64, shape (1,)"),
    (lambda: Bitstream([1.0], 3), ValueError,
     "words must be an array of uint64, got float64, shape (1,)"),
    (lambda: Bitstream(np.uint64(1), 3), ValueError,
     "words must be an array of uint64, got uint64, shape ()"),
    (lambda: Bitstream(np.zeros((2, 1), np.uint64), 65), ValueError,
     "words must have a last axis of 2 for length 65, got 1"),
    (lambda: Bitstream(np.zeros(2, np.uint64), 64), ValueError,
     "words must have a last axis of 1 for length 64, got 2"),
    (lambda: Bitstream(np.array([8], np.uint64), 3), ValueError,
     "words must be 0 in the bits past length 3, got ones there"),
    (lambda: Bitstream.from_bits([0, 1]) & Bitstream.from_bits([0, 1, 1]), ValueError,
     "the streams must have equal length, got 2 and 3"),
    (lambda: PAIR | Bitstream.from_bits([[0, 1, 1]] * 3), ValueError,
     "the streams must have batch shapes that broadcast, got (2,) and (3,)"),
    (lambda: BitstreamSpikeRecorder().record(2), ValueError, "spike must be 0 or 1, got 2"),
    (lambda: BitstreamSpikeRecorder().record(np.int64(-1)), ValueError, "spike must be 0 or 1, got -1"),
    (lambda: BitstreamSpikeRecorder().record(1.0), TypeError, "spike must be 0 or 1, got 1.0"),
    (lambda: BitstreamSpikeRecorder().record("1"), TypeError, "spike must be 0 or 1, got '1'"),
    (lambda: BitstreamSpikeRecorder().record(None), TypeError, "spike must be 0 or 1, got None"),
    # encoding
    (lambda: streams(p=NAN), ValueError, "p must be finite, got nan"),
    (lambda: streams(streams=[0, -1]), ValueError,
     "streams must hold integers of 0 or more, got -1 at index 1"),
    (lambda: streams(streams=[0.0, 1.0]), TypeError,
     "streams must hold integers of 0 or more, got [0.0, 1.0]"),
    (lambda: streams(streams="ab"), TypeError, "streams must hold integers of 0 or more, got 'ab'"),
    (lambda: streams(streams=[True, False]), TypeError,
     "streams must hold integers of 0 or more, got [True, False]"),
    (lambda: streams(streams=[0, 1, 2]), ValueError,
     "streams must have a shape that broadcasts with that of p, (2,), got (3,)"),
    (lambda: stream_key(None, Role.INPUT), TypeError, "seed must be an integer, got None"),
    (lambda: stream_key(1, 7), TypeError, "role must be a Role, got 7"),
    (lambda: stream_key(1, "input"), TypeError, "role must be a Role, got 'input'"),
    (lambda: stream_key(1, Role.INPUT, -1), ValueError, "path must lie in [0, 2**32), got -1"),
    (lambda: stream_key(1, Role.INPUT, 2**32), ValueError,
     "path must lie in [0, 2**32), got 4294967296"),
    (lambda: stream_key(1, Role.INPUT, 1.5), TypeError, "path must be an integer, got 1.5"),
    # weights and inputs
    (lambda: synapse(w=1.5), ValueError, "w must lie in [0.0, 1.0], got 1.5"),
    (lambda: synapse(w_min=-1, w=-1.5), ValueError, "w must lie in [-1.0, 1.0], got -1.5"),
    *(
        row
        for make in (source, layer)
        for row in [
            (partial(make, weight_values=[0.5, 1.5]), ValueError,
             "weight_values must lie in [0.0, 1.0], got 1.5 at index 1"),
            (partial(make, weight_values=[-0.5, 1.5]), ValueError,
             "weight_values must lie in [0.0, 1.0], got -0.5 at index 0"),
            (partial(make, weight_values=[0.5]), ValueError,
             "weight_values must hold one weight for each of the 2 x_inputs, got 1"),
            (partial(make, x_inputs=[0.5] * 3), ValueError,
             "weight_values must hold one weight for each of the 3 x_inputs, got 2"),
            (partial(make, x_inputs=[], weight_values=[]), ValueError,
             "x_inputs must hold at least one value, got none"),
            (partial(make, x_inputs=0.5), ValueError, "x_inputs must have 1 axis, got shape ()"),
            (partial(make, x_inputs=[[0.5, 0.5]]), ValueError,
             "x_inputs must have 1 axis, got shape (1, 2)"),
            (partial(make, accumulate="avg"), ValueError,
             "accumulate must be one of 'mean', 'sum', 'or', got 'avg'"),
            (partial(make, accumulate=None), ValueError,
             "accumulate must be one of 'mean', 'sum', 'or', got None"),
        ]
    ),
    (lambda: source(weight_values=[[0.5, 0.5]]), ValueError,
     "weight_values must have 1 axis, got shape (1, 2)"),
    (lambda: layer(weight_values=[[0.5, 0.5]]), ValueError,
     "weight_values must have a row for each of the 3 neurons, got 1"),
    (lambda: layer(weight_values=[[0.5] * 3] * 3), ValueError,
     "weight_values must hold one weight for each of the 2 x_inputs, got 3"),
    (lambda: layer(weight_values=[[0.5, 0.5], [0.5, 0.5], [0.5, 2.0]]), ValueError,
     "weight_values must lie in [0.0, 1.0], got 2.0 at index (2, 1)"),
    (lambda: layer(weight_values=[[0.5, NAN]] * 3), ValueError,
     "weight_values must be finite, got nan at index (0, 1)"),
    (lambda: layer(weight_values=[[[0.5, 0.5]]]), ValueError,
     "weight_values must have 1 or 2 axes, got shape (1, 1, 2)"),
    # settings
    (lambda: set_threads(0), ValueError, "n must be at least 1 and at most 65536, got 0"),
    (lambda: set_threads(1.5), TypeError, "n must be an integer, got 1.5"),
    # current_trace
    (lambda: trace(x=[0, 1]), TypeError, "x must be a Bitstream, got [0, 1]"),
    (lambda: trace(w=[0, 1]), TypeError, "w must be a Bitstream, got [0, 1]"),
    (lambda: trace(w=Bitstream.from_bits([[0, 1]] * 2)), ValueError,
     "w must have the length of x, 3, got 2"),
    (lambda: trace(w=PAIR[0]), ValueError,
     "w must have batch shape (2,) or (n_out, 2), got ()"),
    (lambda: trace(w=Bitstream.from_bits([[0, 1, 1]] * 3)), ValueError,
     "w must have batch shape (2,) or (n_out, 2), got (3,)"),
    (lambda: trace(x=PAIR[0]), ValueError,
     "x must have batch shape (..., n) with n > 0, got ()"),
    (lambda: trace(x=PAIR[:0]), ValueError,
     "x must have batch shape (..., n) with n > 0, got (0,)"),
    (lambda: trace(accumulate="avg"), ValueError,
     "accumulate must be one of 'mean', 'sum', 'or', got 'avg'"),
    # neuron_params
    (lambda: layer_of(tua_mem=1.0), ValueError, f"{UNKNOWN_KEY}'tua_mem'; did you mean 'tau_mem'?"),
    (lambda: layer_of(threshold=1.0), ValueError,
     f"{UNKNOWN_KEY}'threshold'; did you mean 'v_threshold'?"),
    (lambda: layer_of(refractory=1), ValueError,
     f"{UNKNOWN_KEY}'refractory'; did you mean 'refractory_period'?"),
    (lambda: layer_of(seed=1), ValueError, f"{UNKNOWN_KEY}'seed'"),
    (lambda: layer(neuron_params={1: 1}), ValueError, f"{UNKNOWN_KEY}1"),
    (lambda: layer_of(dt=2.0), ValueError, "neuron_params['dt'] must equal dt_ms, 1.0, got 2.0"),
    (lambda: layer_of(dt=None), TypeError, "neuron_params['dt'] must be a real number, got None"),
    (lambda: layer_of(tau_mem=-1), ValueError, "tau_mem must be greater than 0, got -1.0"),
    (lambda: layer_of(v_reset=1.0), ValueError,
     "v_reset must be less than v_threshold, got v_reset=1.0, v_threshold=1.0"),
    (lambda: layer(dt_ms=30.0), ValueError,
     "dt must be at most tau_mem, or the leak overshoots, got 30.0 > 20.0"),
    (lambda: layer(neuron_params=LIF()), TypeError, f"neuron_params must be a Mapping, got {LIF()}"),
    (lambda: layer(neuron_params=["tau_mem"]), TypeError,
     "neuron_params must be a Mapping, got ['tau_mem']"),
    (lambda: layer(neuron_params="tau_mem"), TypeError,
     "neuron_params must be a Mapping, got 'tau_mem'"),
    (lambda: layer(neuron_params=0), TypeError, "neuron_params must be a Mapping, got 0"),
    # networks
    (lambda: run(share_weight_numbers=1), TypeError, "share_weight_numbers must be a bool, got 1"),
    (lambda: dense(weights=[0.5]), ValueError, "weights must have 2 axes, got shape (1,)"),
    (lambda: dense(weights=[[]]), ValueError, "weights must hold at least one value, got shape (1, 0)"),
    (lambda: dense(weights=RAGGED), ValueError,
     "weights must be rectangular, with rows of equal length, got [[0], [0, 1]]"),
    (lambda: dense(weights=[["a"]]), TypeError, "weights must hold real numbers, got [['a']]"),
    (lambda: dense(weights=[[0.5, NAN]]), ValueError,
     "weights must be finite, got nan at index (0, 1)"),
    (lambda: dense(weights=[[0.5, -1.5]]), ValueError,
     "weights must lie in [-1.0, 1.0], got -1.5 at index (0, 1); put a scale into gain"),
    (lambda: dense(neuron=NEURON), TypeError,
     f"neuron must be a LIF or a StepNeuron, got {NEURON}"),
    (lambda: dense(neuron=None), TypeError, "neuron must be a LIF or a StepNeuron, got None"),
    (lambda: Network([]), ValueError, "layers must hold at least one layer, got none"),
    (lambda: Network([dense(), 1]), TypeError, "layers[1] must be a Dense or a Conv2d, got 1"),
    *(
        (partial(Network, wrong), TypeError,
         f"layers must be a sequence of Dense or Conv2d, got {wrong}")
        for wrong in (dense(), conv())
    ),
    *(
        (partial(make, bias=wrong), error, f"bias must {said}")
        for make in (dense, conv)
        for wrong, error, said in [
            (0.5, ValueError, "have 1 axis, got shape ()"),
            ([0.5, 0.5], ValueError, "have shape (1,), got (2,)"),
            ([1.5], ValueError, "lie in [-1.0, 1.0], got 1.5 at index 0; put a scale into gain"),
            ([NAN], ValueError, "be finite, got nan at index 0"),
            (["a"], TypeError, "hold real numbers, got ['a']"),
        ]
    ),
    (lambda: dense(recurrent=[0.5]), ValueError, "recurrent must have 2 axes, got shape (1,)"),
    (lambda: dense(recurrent=[[0.5, 0.5]]), ValueError, "recurrent must have shape (1, 1), got (1, 2)"),
    (lambda: dense(recurrent=[[-2.0]]), ValueError,
     "recurrent must lie in [-1.0, 1.0], got -2.0 at index (0, 0); put a scale into gain"),
    *(
        (partial(make, delay=wrong), error, f"delay must {said}")
        for make, n_in in ((dense, 2), (conv, 6))
        for wrong, error, said in [
            (-1, ValueError, "be at least 0 and at most 274877906944, got -1"),
            (2**39, ValueError, f"be at least 0 and at most 274877906944, got {2**39}"),
            (1.0, TypeError, "be an integer, got 1.0"),
            (True, TypeError, "be an integer, got True"),
            (None, TypeError, "be an integer, got None"),
            ([0], ValueError,
             f"be an integer or hold one for each of the {n_in} inputs, got shape (1,)"),
            ([0, -1], ValueError, "hold integers of 0 or more, got -1 at index 1"),
            ([0.0, 1.0], TypeError, "hold integers of 0 or more, got [0.0, 1.0]"),
        ]
    ),
    (lambda: conv(weights=[[0.5]]), ValueError, "weights must have 4 axes, got shape (1, 1)"),
    (lambda: conv(weights=[[[[]]]]), ValueError,
     "weights must hold at least one value, got shape (1, 1, 1, 0)"),
    (lambda: conv(weights=[[[[1.5]]]]), ValueError,
     "weights must lie in [-1.0, 1.0], got 1.5 at index (0, 0, 0, 0); put a scale into gain"),
    (lambda: conv(weights=np.zeros((1, 1, 3, 3))), ValueError,
     "weights must have kernels that fit the padded input, 2 x 3, got 3 x 3"),
    (lambda: conv(input_size=3), TypeError,
     "input_size must be a pair of integers, rows and columns, got 3"),
    (lambda: conv(input_size=(3,)), TypeError,
     "input_size must be a pair of integers, rows and columns, got (3,)"),
    (lambda: conv(input_size=(3, 0)), ValueError, "input_size must be at least 1, got 0"),
    (lambda: conv(input_size=(3, 1.5)), TypeError, "input_size must be an integer, got 1.5"),
    (lambda: conv(neuron=None), TypeError, "neuron must be a LIF or a StepNeuron, got None"),
    (lambda: Network([dense(), dense()]), ValueError,
     "layer 1 takes 2 inputs, but layer 0 has 1 neurons"),
    *(
        row
        for call in (run, run_float)
        for row in [
            (partial(call, network=dense()), TypeError, f"network must be a Network, got {dense()}"),
            (partial(call, x=[0.5, 1.5]), ValueError,
             "x must lie in [0.0, 1.0], got 1.5 at index 1; scale the inputs to densities"),
            (partial(call, x=[[0.5, 0.5], [-0.1, 0.5]]), ValueError,
             "x must lie in [0.0, 1.0], got -0.1 at index (1, 0); scale the inputs to densities"),
            (partial(call, x=[0.5] * 3), ValueError, "x must have shape (2,) or (batch, 2), got (3,)"),
            (partial(call, x=[[0.5] * 3]), ValueError,
             "x must have shape (2,) or (batch, 2), got (1, 3)"),
            (partial(call, x=np.zeros((0, 2))), ValueError,
             "x must hold at least one input, got shape (0, 2)"),
            (partial(call, x=0.5), ValueError, "x must have shape (2,) or (batch, 2), got ()"),
            (partial(call, x=[[[0.5, 0.5]]]), ValueError,
             "x must have shape (2,) or (batch, 2), got (1, 1, 2); densities that change in time have "
             "shape (batch, 2, steps)"),
        ]
    ),
    *of_one_kind([(run, ["length"])], [*NOT_INTEGER, (0, ValueError, "be at least 1, got 0")]),
    (lambda: run(length=None), TypeError,
     "length must be given unless x has a length of its own, got None"),
    (lambda: run(x=PAIR, length=4), ValueError,
     "length must be omitted or equal the length of x, 3, got 4"),
    (lambda: run(x=PAIR[:1], length=None), ValueError,
     "x must have shape (2,) or (batch, 2), got batch shape (1,)"),
    (lambda: run(x=PAIR[0], length=None), ValueError,
     "x must have shape (2,) or (batch, 2), got batch shape ()"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)


def test_a_missing_extra_is_installed_from_the_clone_or_the_wheel_and_never_by_name():
    assert _checks.missing_extra("sc_neurocore.exchange.nir", "NIR", "nir") == (
        "sc_neurocore.exchange.nir needs NIR; run pip install '.[nir]' in a clone of sc-neurocore, or "
        "pip install 'WHEEL[nir]' with the path of its wheel"
    )


def test_a_refused_call_changes_nothing():
    def neuron():
        return StochasticLIFNeuron(noise_std=0.3, tau_mem=2.0, seed=3)

    refusing = neuron()
    calls = [(refusing.step, NAN), (refusing.run, [0.1, NAN]), (refusing.process_bitstream, [1, 2])]
    for call, value in calls:
        with pytest.raises(ValueError):
            call(value)
    currents = np.full(50, 0.4)
    assert np.array_equal(refusing.run(currents), neuron().run(currents))

    refusing = encoder(length=200)
    with pytest.raises(ValueError):
        refusing.encode(NAN)
    assert np.array_equal(refusing.encode(0.5), encoder(length=200).encode(0.5))

    refusing = layer(y_max=3.0, neuron_params={"noise_std": 0.3})
    with pytest.raises(ValueError):
        refusing.run(-1)
    assert refusing.get_spike_trains().shape == (3, 0)
