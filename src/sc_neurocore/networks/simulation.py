"""Simulation of networks on bitstreams, and of the same networks on real numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks._real_layers import run_rows, some_rows
from sc_neurocore.networks.fixed_point import FixedNetwork, FixedPoint
from sc_neurocore.networks.network import Network, check_network
from sc_neurocore.networks.prepared import PreparedNetwork
from sc_neurocore.networks.recording import Record, Recording
from sc_neurocore.networks.results import Simulation, SimulationState
from sc_neurocore.streams import Bernoulli, Bitstream, Faults
from sc_neurocore.streams.source import Sources

__all__ = ["prepare", "simulate", "simulate_float"]


def simulate(
    network: Network,
    x: InputLike,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
    share_weight_numbers: bool = False,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    state: SimulationState | None = None,
    record: bool | Record = False,
    progress: bool = False,
    reward: ArrayLike | None = None,
) -> Simulation:
    """Return the spikes of a network whose inputs and weights are bitstreams.

    Each weight of a `Dense` layer and each kernel weight of a `Conv2d` has one stream. A bias is an
    input that is always on. Delayed inputs and recurrent spikes are 0 before the first step.

    Parameters
    ----------
    network : Network
    x : array_like, Bitstream or Events
        Densities in [0, 1], which are encoded: of shape (n_in,) or (batch, n_in) if they are constant
        in time, or (batch, n_in, length) if each time step has its own. Or spike trains: streams of
        batch shape (n_in,) or (batch, n_in), or events.
    length : int, optional
        Number of time steps. Required for densities that are constant in time; the other inputs have a
        length of their own.
    seed : int, optional
        In [0, 2**128). Drawn from system entropy by default; read it back from `Simulation.seed`.
    source : Source or tuple of Source
        Sources of the numbers for the inputs and for the weights of each layer, in this order. A single
        source stands for its `sequences`, one for each.
    bits_per_step : int
        Bits of each product per time step. A neuron receives their mean, so the noise of its current is
        smaller: its standard deviation falls like ``1 / sqrt(bits_per_step)``, and faster with
        low-discrepancy sources. Densities get as many new bits in each step; a spike is on for all bits
        of its step. Streams of weights have ``length * bits_per_step`` bits.
    share_weight_numbers : bool
        Compare the weights of all neurons of a layer with the numbers of its first neuron, as hardware
        does to save generators. The mean and variance of each current stay the same, but the currents
        of two neurons become correlated: positively where their weights agree in sign, negatively where
        they differ.
    fixed_point : FixedPoint, optional
        Round weights and inputs, and compute the neurons in fixed point, as hardware does. Inputs that
        are spike trains are not rounded. By default neurons are computed in float64.
    faults : Faults, optional
        Faults of hardware. Flips, drops and stuck wires strike the bits of the inputs, of the weights
        (the bias too) and the spikes of each layer, including the output layer if it has a threshold;
        `dead` strikes neurons, and `weight_upset` the stored words of all weights. Potentials, gains
        and comparators have no faults. Like the random numbers, faults belong to the wires, so that all
        rows of a batch have the same ones, and another seed gives others.
    state : SimulationState, optional
        Continue from the end of another simulation of this network: ``state=previous.state``. All other
        arguments but x and length must be the same; `seed` can be omitted. The results are those of one
        long simulation, bit for bit. By default the network starts at rest.
    record : bool or Record
        Record the spikes of every layer (`Simulation.spikes`), or what a `Record` says
        (`Simulation.recording`). Otherwise memory does not grow with the length.
    progress : bool
        Show a progress bar (requires the extra `progress`).
    reward : float or array_like, shape (length,) or (batch, length), optional
        Reward in each time step, by which layers with a `RewardSTDP` learn. By default 0.

    Returns
    -------
    Simulation

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `length` is missing.
    ValueError
        If x has the wrong shape or values outside [0, 1], `source` has too few sequences for the
        layers, the network does not fit `fixed_point`, a layer with recurrent weights has other faults
        than upset weights, or the state is one of another simulation.

    Warns
    -----
    SilentLayerWarning
        If no neuron of a layer fires because its mean current does not exceed the rheobase. Simulations
        that continue from a state do not warn.
    PeriodWarning
        If the numbers of a source rise through more steps than the streams have (`Source.rise`).

    Notes
    -----
    Random numbers belong to the wires of the network, as in hardware, and not to the inputs: every row
    of a batch uses the same numbers, and its result does not depend on the other rows. Average over
    several seeds to reduce the sampling error.

    Mean currents are unbiased with every randomized source. Firing rates also depend on how evenly a
    current is spread over time. Low-discrepancy streams are more even than Bernoulli streams and
    permutations, registers less; this changes the rates of neurons with two inputs by a few percent and
    is negligible above about 30 inputs. Below 8 inputs the errors of the neurons of a layer are also
    correlated, at any length; use `Bernoulli` or `Permutation` there.

    If a layer has a `plasticity`, the rows of a batch are examples presented one after another. Each
    begins with neurons and traces at rest, and with the weights, thresholds and average rates that the
    one before has left; time and random numbers go on. A single input of shape (n_in,) continues from a
    state without a break. ``run.state.network`` is the network with what it has learned.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> run = simulate(network, [1.0, 0.5], length=100, seed=1)
    >>> longer = simulate(network, [1.0, 0.5], length=100, state=run.state)
    >>> whole = simulate(network, [1.0, 0.5], length=200, seed=1)
    >>> (run.counts + longer.counts == whole.counts).all()
    np.True_
    """
    _checks.instance("progress", progress, bool)
    if state is not None and seed is None:
        _checks.instance("state", state, SimulationState)
        seed = state.seed
    prepared = prepare(
        network,
        seed=seed,
        source=source,
        bits_per_step=bits_per_step,
        share_weight_numbers=share_weight_numbers,
        fixed_point=fixed_point,
        faults=faults,
    )
    return prepared.run(x, length, state=state, record=record, progress=progress, reward=reward)


def prepare(
    network: Network,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
    share_weight_numbers: bool = False,
    fixed_point: FixedPoint | None = None,
    faults: Faults | None = None,
    steps_kept: int = 0,
) -> PreparedNetwork:
    """Return a network ready to be simulated many times with the same random numbers.

    ``prepare(network, ...).run(x, length)`` is ``simulate(network, x, length, ...)``. Where single
    inputs come one after another, or few steps at a time, most of the time of `simulate` goes into the
    bits of the weights, which are always the same; a prepared network can keep them.

    Parameters
    ----------
    network : Network
    seed, source, bits_per_step, share_weight_numbers, fixed_point, faults
        As in `simulate`.
    steps_kept : int
        Number of time steps, from the first on, whose weight bits are made now and kept in memory, one
        bit per weight, time step and bit of the step. Later steps make theirs when they run.

    Returns
    -------
    PreparedNetwork

    Raises
    ------
    TypeError, ValueError
        As `simulate`.

    Examples
    --------
    A closed loop, in which the output spikes decide the next input:

    >>> from sc_neurocore import Dense, Network, prepare
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> prepared = prepare(network, seed=1, steps_kept=100)
    >>> x, state = [1.0, 0.0], None
    >>> for _ in range(100):
    ...     step = prepared.run(x, 1, state=state)
    ...     state, x = step.state, x[::-1] if step.counts[0] else x
    """
    check_network(network)
    k = _checks.integer("bits_per_step", bits_per_step, 1, 2**20)
    return PreparedNetwork.of(
        network if fixed_point is None else in_fixed_point(network, fixed_point, k), seed=seed,
        source=source, bits_per_step=k, share_weight_numbers=share_weight_numbers, faults=faults,
        steps_kept=steps_kept,
    )  # fmt: skip


def in_fixed_point(network: Network, fixed_point: FixedPoint, bits_per_step: int = 1) -> FixedNetwork:
    """Return `fixed_point.of(network)`; TypeError if an argument has the wrong type."""
    _checks.instance("fixed_point", fixed_point, FixedPoint)
    return fixed_point.of(network, bits_per_step)


def simulate_float(
    network: Network, x: InputLike, length: int | None = None, *, record: bool = False
) -> Simulation:
    """Return the spikes of the same network on real numbers: the reference for the error of `simulate`.

    Inputs and weights are real numbers. Neurons, time steps and spikes are those of `simulate`, without
    noise. The two differ by the sampling error alone.

    Parameters
    ----------
    network : Network
    x : array_like, Bitstream or Events
        Densities in [0, 1] of shape (n_in,), (batch, n_in) or, changing in time, (batch, n_in, length);
        or spike trains, as in `simulate`.
    length : int, optional
        Number of time steps; required for densities that are constant in time.
    record : bool
        Record the spikes of every layer (`Simulation.spikes`).

    Returns
    -------
    Simulation
        With `seed` and `state` None.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If x has the wrong shape or values outside [0, 1], or `length` is not positive.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate_float
    >>> simulate_float(Network([Dense([[0.5, -0.25]])]), [1.0, 1.0], length=100).counts
    array([20])
    """
    check_network(network)
    inputs = Inputs.of("x", x, network)
    length = inputs.steps(length)
    _checks.instance("record", record, bool)
    some = some_rows(network.layers, length)
    parts = [
        run_rows(network, inputs[row : row + some], length, record=record)
        for row in range(0, len(inputs), some)
    ]
    counts, potentials, trains = zip(*parts, strict=True)
    shape = (*inputs.batch, network.n_out)
    recording = None
    if record:
        spikes = {
            i: Bitstream(np.concatenate(words), length).reshape(*inputs.batch, -1)
            for i, words in enumerate(zip(*trains, strict=True))
        }
        recording = Recording(spikes)
    return Simulation(
        np.concatenate(counts).reshape(shape),
        np.concatenate(potentials).reshape(shape),
        length,
        seed=None,
        recording=recording,
        dt_ms=network[0].neuron.dt,
    )
