"""Circuits: one description to simulate, to predict, to check, and to build."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore.circuits._copies import Listed, listed, of_list
from sc_neurocore.circuits._nets import Call, Input, Need, Net, as_nets, calls_in_order, collected_needs
from sc_neurocore.circuits._simulation import compiled
from sc_neurocore.circuits._values import ideal_values
from sc_neurocore.circuits._wires import Wiring, check_names, numbered, wire_names, wired
from sc_neurocore.circuits.allocation import Allocation, allocated
from sc_neurocore.circuits.checking import Finding, findings, measured
from sc_neurocore.circuits.prediction import Prediction, input_values, laws_of, predicted, sampled
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Faults,
    Role,
    Source,
    encode,
    stack,
    stream_key,
)
from sc_neurocore.streams.faults import only_on_wires
from sc_neurocore.streams.source import checked_source

__all__ = ["Circuit"]


@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """A stochastic circuit, described by a function of bitstreams.

    The operators of the function are recorded when it is traced, and then serve every purpose:
    `simulate` computes bits, `predict` their densities and errors, `check` finds operands with the
    wrong correlation, `allocate` assigns sources, and `to_dot` draws.

    Use `trace` to make a circuit.

    Attributes
    ----------
    inputs, outputs : dict
        Nets by name. The shape of a net does not include the batch axes of a simulation.
    required : tuple
        Correlations that products of codings require; those of other operators are found by `check`.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.circuits import Circuit
    >>> from sc_neurocore.operators import multiply, stanh
    >>> def neuron(x, w):
    ...     return stanh(multiply(x, w), 8)
    >>> circuit = Circuit.trace(neuron)
    >>> circuit
    Circuit(x, w -> out)
    >>> streams = circuit.encode({"x": 0.9, "w": [0.5, 0.6]}, 65536, seed=1)
    >>> circuit.simulate(streams)
    {'out': Bitstream(shape=(2,), length=65536, p=[0.298 0.644])}
    >>> circuit.simulate(streams)["out"] == neuron(**streams)
    True
    """

    inputs: Mapping[str, Net]
    outputs: Mapping[str, Net]
    required: tuple[Need, ...] = ()

    @classmethod
    def trace(cls, function: Callable[..., Any], **shapes: tuple[int, ...]) -> Circuit:
        """Return the circuit that a function of bitstreams describes.

        Parameters
        ----------
        function : callable
            Function that computes bitstreams by operators and gates. It is called once, with nets in
            place of its parameters that have no default. Bitstreams that it refers to become constants.
            For conditions and counts it has no bits.
        **shapes : tuple of int
            Shape of the inputs that are batches, such as the copies of `bernstein`. Inputs are single
            streams by default.

        Returns
        -------
        Circuit
            Its inputs have the names of the parameters. If the function returns a dict, the outputs
            have its keys, otherwise "out", or "out0", "out1", ... for several streams.

        Raises
        ------
        TypeError
            If `function` is not callable, or does not return streams.
        ValueError
            If a shape is given for no parameter, an operator cannot be part of a circuit, or there are
            no outputs.
        """
        if not callable(function):
            _checks.wrong_type("function", "be a function of bitstreams", function)
        kinds = inspect.Parameter
        names = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if name in shapes
            or (
                parameter.default is kinds.empty
                and parameter.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
            )
        ]
        _checks.known_keys("shapes", shapes, names)
        return cls._of_function(function, {name: _shape(name, shapes.get(name, ())) for name in names})

    @classmethod
    def _of_function(
        cls, function: Callable[..., Any], shapes: Mapping[str, tuple[int, ...]]
    ) -> Circuit:
        """Return the circuit of a function of named inputs of the given shapes."""
        inputs = {name: Net(Input(name), 0, shape) for name, shape in shapes.items()}
        with collected_needs() as needs:
            returned = function(**inputs)
        _check_output_names(list(shapes), outputs := _named_outputs(returned))
        outputs = {name: _checked_output(name, net) for name, net in outputs.items()}
        return cls(inputs, outputs, tuple(needs))

    def simulate(
        self,
        streams: Mapping[str, Bitstream],
        *,
        faults: Faults | None = None,
        key: int | None = None,
    ) -> dict[str, Any]:
        """Return the bits of the outputs, equal to those of the traced function.

        Parameters
        ----------
        streams : mapping of str to Bitstream
            Stream of each input. Its batch shape ends with the shape of the input; the axes before are
            those of a batch, and broadcast between inputs. In the function of another circuit, the
            streams have no bits yet, and have the shapes of the inputs: this circuit becomes a part of
            the other.
        faults : Faults, optional
            Faults of wires: of inputs, constants and results of operators, and inside loops those of
            each gate and machine. All elements of a batch have the same faults. What is inside of an
            operator outside of loops has none.
        key : int, optional
            Key of the faults in ``[0, 2**64)``, from `stream_key` with `Role.FAULT`; required with
            `faults`.

        Returns
        -------
        dict of str to Bitstream
            Outputs by name, all of the same batch; an ndarray for results that are no streams.

        Raises
        ------
        TypeError
            If an input is not a Bitstream, or `key` is missing.
        ValueError
            If an input is missing or unknown, lengths or shapes do not match, or there are rates of
            weights or neurons.

        Examples
        --------
        >>> from sc_neurocore import Faults
        >>> from sc_neurocore.circuits import Circuit
        >>> from sc_neurocore.operators import multiply
        >>> product = Circuit.trace(multiply)
        >>> streams = product.encode({"x": 0.5, "y": 0.5}, 4096, seed=1)
        >>> product.simulate(streams, faults=Faults(flip=0.01), key=1)["out"]
        Bitstream(length=4096, p=0.255)
        """
        if isinstance(streams, Mapping) and Net in map(type, streams.values()):
            if faults is not None:
                _checks.fail("faults", "be omitted for a part of another circuit", faults)
            return self._as_part(streams)
        aligned, n_batch = self._aligned(streams)
        run = self._run
        if faults is not None:
            nets = list(self.outputs.values())
            run = compiled(nets, only_on_wires(faults), _checks.power_range("key", key, 64))
        found = run(aligned, n_batch)
        if n_batch:
            batches = {x.shape[:n_batch] for x in aligned.values()}
            batch = batches.pop() if len(batches) == 1 else np.broadcast_shapes(*batches)
            found = [_of_batch(result, batch) for result in found]
        return dict(zip(self.outputs, found, strict=True))

    def encode(
        self,
        values: Mapping[str, ArrayLike],
        length: int,
        *,
        seed: int,
        source: Source = Bernoulli(),
        generators: Mapping[str, int] | None = None,
    ) -> dict[str, Bitstream]:
        """Return streams for the inputs, of one batch shape.

        The elements of a batch have numbers of their own, so that their errors are independent, and all
        inputs of an element with one generator have the same numbers.

        Parameters
        ----------
        values : mapping of str to array_like of float
            Probabilities of each input, of its shape, preceded by batch axes.
        length : int
            Number of time steps.
        seed : int
            In ``[0, 2**128)``.
        source : Source
            Source of the numbers. Each generator uses one of its independent sequences.
        generators : mapping of str to int, optional
            Number of the generator of each input, or of each wire, such as ``"x[0]"``. Inputs with one
            generator have the SCC +1; with the name ``"~x"``, the generator encodes 1 - x and the bits
            are inverted, for SCC -1. Inputs without an entry have generators of their own. See
            `allocate`.

        Returns
        -------
        dict of str to Bitstream

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is missing or unknown or outside [0, 1], a shape does not match, or the source
            has too few independent sequences.
        """
        checked_source("source", source)
        arrays, batch = self._checked_values(values)
        numbers = numbered(self._wires, generators)
        sequences = source.sequences(1 + max((n for n, _ in numbers.values()), default=0))
        streams = {}
        for name, net in self.inputs.items():
            p, rows = arrays[name], []
            for index, wire in zip(np.ndindex(net.shape), wire_names(name, net.shape), strict=True):
                n, inverted = numbers[wire]
                value = p[(..., *index)]
                key = stream_key(seed, Role.INPUT, n)
                bits = encode(1 - value if inverted else value, length, key=key, source=sequences[n])
                rows.append(~bits if inverted else bits)
            streams[name] = stack(rows).reshape(*batch, *net.shape) if net.shape else rows[0]
        return streams

    def predict(
        self,
        values: Mapping[str, ArrayLike],
        length: int,
        *,
        source: Source = Bernoulli(),
        generators: Mapping[str, int] | None = None,
    ) -> dict[str, Prediction]:
        """Return the expected density and the error of every net, without a simulation.

        With independent numbers in time, as those of `Bernoulli`, a net is the output of a Markov
        chain, whose states are those of the flip-flops and machines that the net depends on. Mean and
        variance follow exactly, transients included. Inputs that share generators, and nets that
        meet again behind a fan-out, are treated by their joint law.

        Parameters
        ----------
        values : mapping of str to array_like of float
            Probabilities of each input, of its shape, preceded by batch axes.
        length : int
            Number of time steps.
        source : Source
            Source of the inputs. Predictions for other sources than `Bernoulli` are mean and variance
            of 64 simulations.
        generators : mapping of str to int, optional
            As in `encode`.

        Returns
        -------
        dict of str to Prediction
            By net: inputs, outputs, and the results of operators, which have the names of their
            operators.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a value is missing or unknown or outside [0, 1], or a shape does not match.

        Notes
        -----
        The joint law is exact for up to 512 reachable states, ``2**18`` outcomes of a step and
        ``2**23`` of all states, after operands that share no generator have been separated. Beyond
        these limits operands are taken as independent, and the bounds of Fréchet hold for any
        correlation (Fréchet: Généralisation du théorème des probabilités totales; Fundamenta
        Mathematicae, 1935).

        Examples
        --------
        >>> from sc_neurocore.circuits import Circuit
        >>> from sc_neurocore.operators import multiply
        >>> square = Circuit.trace(lambda x: multiply(x, x))  # the operands are not independent
        >>> square.predict({"x": 0.5}, 1024)["out"]
        Prediction(0.5 +- 0.016, bias 0.25, exact)
        """
        checked_source("source", source)
        length = _checks.length_of_stream("length", length)
        arrays, batch = self._checked_values(values)
        numbers = numbered(self._wires, generators)
        nets = self._nets
        known: dict[bytes, list[dict[str, Any]]] = {}
        rows = []
        for index in np.ndindex(batch):
            here = {name: array[index] for name, array in arrays.items()}
            same = b"".join(value.tobytes() for value in here.values())
            if same not in known:
                known[same] = self._predicted(here, length, source, numbers)
            rows.append(known[same])
        if not isinstance(source, Bernoulli):
            sample = sampled(lambda seed: self._densities(values, length, seed, source, generators))
            return {
                name: Prediction(np.array([row[i]["value"] for row in rows]).reshape(f[0].shape), *f)
                for i, (name, f) in enumerate(zip(nets, sample, strict=True))
            }
        return {
            name: Prediction(
                **{
                    field: np.array([row[i][field] for row in rows]).reshape((*batch, *net.shape))
                    for field in Prediction.__dataclass_fields__
                }
            )
            for i, (name, net) in enumerate(nets.items())
        }

    def _predicted(
        self,
        values: Mapping[str, NDArray[np.float64]],
        length: int,
        source: Source,
        numbers: Mapping[str, tuple[int, bool]],
    ) -> list[dict[str, Any]]:
        """Return the fields of the prediction of each net for one set of values.

        For sources other than `Bernoulli` these are the values alone.
        """
        by_origin = {
            (net.origin, index): numbers[wire]
            for name, net in self.inputs.items()
            for index, wire in zip(np.ndindex(net.shape), wire_names(name, net.shape), strict=True)
        }
        nets = list(self._nets.values())
        row: list[dict[str, Any]] = [{"value": v} for v in ideal_values(nets, values, by_origin)]
        if isinstance(source, Bernoulli):
            if source.bits < 32:  # comparators of few bits round the values
                values = {name: source.thresholds(v) / source.levels for name, v in values.items()}
            laws = laws_of(self._wiring, input_values(values), numbers, length)
            for fields, found in zip(row, predicted(self._nets, self._wiring, laws), strict=True):
                fields |= found
        return row

    def _densities(
        self,
        values: Mapping[str, ArrayLike],
        length: int,
        seed: int,
        source: Source,
        generators: Mapping[str, int] | None,
    ) -> list[Any]:
        """Return the measured densities of all nets, in the batch shape of the values."""
        streams = self.encode(values, length, seed=seed, source=source, generators=generators)
        aligned, n_batch = self._aligned(streams)
        batch = np.broadcast_shapes(*(x.shape[:n_batch] for x in aligned.values()))
        densities = (x.probability() for x in self._run_all(aligned, n_batch))
        nets = self._nets.values()
        return [
            np.broadcast_to(p, (*batch, *net.shape)) for p, net in zip(densities, nets, strict=True)
        ]

    def check(
        self,
        values: Mapping[str, ArrayLike] | None = None,
        *,
        source: Source = Bernoulli(),
        generators: Mapping[str, int] | None = None,
        streams: Mapping[str, Bitstream] | None = None,
    ) -> tuple[Finding, ...]:
        """Return the operands that do not have the correlation that their operators require.

        Without streams, the correlation follows from the joint law of the operands, before anything
        runs. With `streams`, it is measured on the bits of every operand, as inside `checking`.

        Parameters
        ----------
        values : mapping of str to array_like of float, optional
            Probabilities of the inputs, of their shapes. By default three sets of random values are
            tried, so that a correlation that vanishes by chance is found: for X and X XOR Y it is 0 if
            y = 0.5.
        source : Source
            Source of the inputs. Values that are encoded within the circuit, such as selects, must not
            use its sequences.
        generators : mapping of str to int, optional
            As in `encode`.
        streams : mapping of str to Bitstream, optional
            Streams of the inputs, of their shapes, without batch axes. `values` and `generators` are
            then ignored.

        Returns
        -------
        tuple of Finding
            Empty if all operands are as required. A finding can be printed: it names the operands and
            the paths from the generator that they share.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If a name, a value, a shape or a length does not match.

        Notes
        -----
        Pairs are compared with the SCC that the operator requires, with a tolerance of 0.05 for +1 and
        -1. Operators that require independence of more than two operands, as `bernstein` does, are also
        checked for dependence of three: X, Y and X XOR Y are independent in pairs at densities of 0.5.
        Inputs of machines that must be white are checked for autocorrelation up to lag 4; without
        `streams`, every source but `Bernoulli` and `Permutation` is a finding there. Streams that
        depend on each other only at different steps, such as x and `isolate` of x as two inputs of
        `btanh`, pass; `predict` shows the bias. With `streams`, operands within loops are not measured.

        Examples
        --------
        >>> from sc_neurocore.circuits import Circuit
        >>> from sc_neurocore.operators import isolate, multiply
        >>> square = Circuit.trace(lambda x: multiply(x, x))
        >>> print(square.check({"x": 0.5})[0])  # doctest: +NORMALIZE_WHITESPACE
        multiply needs SCC 0, got 1 between x and x, which are one stream; isolate,
        decorrelate or regenerate one of them, or use another generator
        >>> Circuit.trace(lambda x: multiply(x, isolate(x, 1))).check()
        ()
        """
        if streams is not None:
            aligned, n_batch = self._aligned(streams)
            if n_batch:
                _checks.fail("streams", "have no batch axes", streams[next(iter(streams))].shape)
            return measured(self._nets, self._wiring, aligned)
        checked_source("source", source)
        numbers = numbered(self._wires, generators)
        sequences = source.sequences(1 + max((n for n, _ in numbers.values()), default=0))
        if values is None:
            sets: list[dict[str, float] | None] = [None] * 3
        else:
            arrays, batch = self._checked_values(values)
            sets = [
                input_values({name: array[index] for name, array in arrays.items()})
                for index in np.ndindex(batch)
            ]
        return findings(self._nets, self._wiring, numbers, sets, sequences)

    def allocate(self) -> Allocation:
        """Return generators for the inputs, as few as the correlations allow.

        Inputs whose operators require an SCC of +1 or -1 share a generator. Others share one if that
        changes neither a correlation that an operator requires, nor the mean of `majority`,
        `buffered_add`, or of a gate, machine or loop that is part of no operator. What generators
        cannot provide is proposed as a circuit.

        Returns
        -------
        Allocation
            Its `generators` are those of `encode`, `predict` and `check`.

        Examples
        --------
        >>> from sc_neurocore.circuits import Circuit
        >>> from sc_neurocore.operators import minimum, multiply
        >>> circuit = Circuit.trace(lambda a, b, c, d: (multiply(a, b), minimum(c, d)))
        >>> circuit.allocate()
        Allocation(2 generators: {'a': 0, 'b': 1, 'c': 0, 'd': 0})
        """
        return allocated(self._nets, self._wiring, self._wires, self.check)

    def to_dot(self) -> str:
        """Return the circuit as a graph in the language DOT, for Graphviz."""
        from sc_neurocore.circuits._drawing import dot

        return dot(self.inputs, self.outputs)

    def _as_part(self, streams: Mapping[str, Net | Bitstream]) -> dict[str, Net]:
        """Return the outputs as nets of another circuit, for nets in place of the inputs."""
        check_names("streams", streams, self.inputs)
        nets = {name: as_nets(streams[name]) for name in self.inputs}
        for name, net in self.inputs.items():
            _checks.instance(f"streams[{name!r}]", nets[name], Net)
            if nets[name].shape != net.shape:
                _checks.fail(f"streams[{name!r}]", f"have shape {net.shape}", nets[name].shape)
        part = _assembled(*self._parts, nets)
        for need in part.required:
            need.x.__stream_need__(*need)
        return dict(part.outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        return _assembled, self._parts

    @cached_property
    def _parts(self) -> tuple[Listed, tuple[str, ...], tuple[str, ...], tuple[_Pair, ...]]:
        """The nets as a flat list, the names of inputs and outputs, and `required` without nets."""
        ends = [net for need in self.required for net in (need.x, need.y) if net is not None]
        nets = [*self.inputs.values(), *self.outputs.values(), *ends]
        return (
            listed(nets),
            tuple(self.inputs),
            tuple(self.outputs),
            tuple((need.operator, need.y is not None, need.which) for need in self.required),
        )

    @cached_property
    def _run(self) -> Callable[[Mapping[str, Bitstream], int], list[Any]]:
        return compiled(list(self.outputs.values()))

    @cached_property
    def _nets(self) -> dict[str, Net]:
        return named_nets(self.inputs, self.outputs)

    @cached_property
    def _run_all(self) -> Callable[[Mapping[str, Bitstream], int], list[Any]]:
        return compiled(list(self._nets.values()))

    @cached_property
    def _wiring(self) -> Wiring:
        return wired(self._nets.values(), needs=self.required)

    def _checked_values(
        self, values: Mapping[str, ArrayLike]
    ) -> tuple[dict[str, NDArray[np.float64]], tuple[int, ...]]:
        """Return probabilities of one batch shape, and that shape."""
        check_names("values", values, self.inputs)
        arrays = {}
        for name, net in self.inputs.items():
            p = _checks.array(f"values[{name!r}]", values[name], range(33))
            _checks.within(f"values[{name!r}]", p, 0.0, 1.0)
            if p.shape[max(p.ndim - len(net.shape), 0) :] != net.shape:
                _checks.fail(f"values[{name!r}]", f"have shape {_ending(net.shape)}", p.shape)
            arrays[name] = p
        batches = [a.shape[: a.ndim - len(self.inputs[name].shape)] for name, a in arrays.items()]
        try:
            batch = np.broadcast_shapes(*batches)
        except ValueError:
            shapes = " and ".join(map(str, batches))
            _checks.fail("the values", "have batch shapes that broadcast", shapes)
        return {
            name: np.broadcast_to(a, (*batch, *self.inputs[name].shape)) for name, a in arrays.items()
        }, batch

    @property
    def _wires(self) -> list[str]:
        """Names of the wires of the inputs."""
        return [wire for name, net in self.inputs.items() for wire in wire_names(name, net.shape)]

    def _aligned(self, streams: Mapping[str, Bitstream]) -> tuple[dict[str, Bitstream], int]:
        """Return streams with the same number of batch axes, and that number."""
        check_names("streams", streams, self.inputs)
        batches, lengths = {}, set[int]()
        for name, net in self.inputs.items():
            if not isinstance(streams[name], Bitstream):
                remedy = "encode the values with Circuit.encode"
                _checks.instance(f"streams[{name!r}]", streams[name], Bitstream, remedy)
            shape = streams[name].shape
            n = len(shape) - len(net.shape)
            if n < 0 or shape[n:] != net.shape:
                _checks.fail(f"streams[{name!r}]", f"have batch shape {_ending(net.shape)}", shape)
            batches[name] = n
            lengths.add(streams[name].length)
        if len(lengths) > 1:
            _checks.fail("the streams", "have equal length", " and ".join(map(str, sorted(lengths))))
        n_batch = max(batches.values(), default=0)
        aligned = {}
        for name, n in batches.items():
            x = streams[name]
            aligned[name] = x if n == n_batch else x.reshape(*(1,) * (n_batch - n), *x.shape)
        return aligned, n_batch

    def __repr__(self) -> str:
        return f"Circuit({', '.join(self.inputs)} -> {', '.join(self.outputs)})"

    def _repr_html_(self) -> str:
        nets = [("input", *net) for net in self.inputs.items()]
        nets += [("output", *net) for net in self.outputs.items()]
        return html_table(
            ("net", "name", "shape"), [(what, name, net.shape) for what, name, net in nets]
        )


# Operator of a need, whether it is one of two nets, and of what.
_Pair = tuple[str, bool, str]


def _assembled(
    made: Listed,
    inputs: Sequence[str],
    outputs: Sequence[str],
    needs: Sequence[_Pair],
    given: Mapping[str, Net] | None = None,
) -> Circuit:
    """Return the circuit of `Circuit._parts`, with new inputs or those that are given."""
    n = len(inputs)
    if given is None:
        places = dict(zip(inputs, made.places, strict=False))
        given = {name: Net(Input(name), 0, place.shape) for name, place in places.items()}
    nets = of_list(made, given)
    rest = iter(nets[n + len(outputs) :])
    return Circuit(
        dict(zip(inputs, nets, strict=False)),
        dict(zip(outputs, nets[n:], strict=False)),
        tuple(Need(name, next(rest), next(rest) if two else None, of) for name, two, of in needs),
    )


def _shape(name: str, shape: object) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple(_checks.integer(f"the shape of {name}", size, 1, 2**31) for size in sizes)


def _of_batch(result: Any, batch: tuple[int, ...]) -> Any:
    """Return a result of all elements of a batch, also if it does not depend on them."""
    n = len(batch)
    if result.shape[:n] == batch:
        return result
    array = result.words if isinstance(result, Bitstream) else result
    array = np.ascontiguousarray(np.broadcast_to(array, (*batch, *array.shape[n:])))
    return Bitstream(array, result.length) if isinstance(result, Bitstream) else array


def _ending(shape: tuple[int, ...]) -> str:
    """Return the text of a shape that can be preceded by other axes."""
    return f"(..., {', '.join(map(str, shape))})"


def _named_outputs(returned: Any) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {str(name): net for name, net in returned.items()}
    if isinstance(returned, list | tuple):
        return {f"out{i}": net for i, net in enumerate(returned)}
    return {"out": returned}


def _check_output_names(inputs: list[str], outputs: Mapping[str, Any]) -> None:
    if not outputs:
        _checks.fail("function", "return at least one stream", "none")
    if both := set(inputs) & set(outputs):
        _checks.fail("the outputs", "have other names than the inputs", ", ".join(sorted(both)))


def _checked_output(name: str, net: Any) -> Net:
    net = getattr(net, "stream", net)  # of a coding
    if not isinstance(net, Net):
        _checks.wrong_type("function", "return streams that depend on its parameters", net)
    if net.open:
        _checks.fail(f"output {name}", "not be taken out of a loop", net, "return it from the loop")
    return net


def named_nets(inputs: Mapping[str, Net], outputs: Mapping[str, Net]) -> dict[str, Net]:
    """Return inputs, outputs and the results of operators by name."""
    named = dict(inputs)
    taken = {(net.origin, net.place): name for name, net in outputs.items()}
    for origin in calls_in_order(outputs.values()):
        if not isinstance(origin, Call) or origin.name in ("item", "reshaped", "stack"):
            continue
        for place, (shape, is_stream) in enumerate(origin.results):
            if not is_stream or (origin, place) in taken:
                continue
            base = name = origin.name
            n = 1
            while name in named or name in outputs:
                n += 1
                name = f"{base}_{n}"
            named[name] = Net(origin, place, shape)
    return named | {name: net for name, net in outputs.items() if net.is_stream}
