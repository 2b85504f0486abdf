"""Circuits of random gates, machines, delays and loops."""

import inspect

from sc_neurocore import Machine
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import isolate, multiplex, stanh


def random_circuit(rng, n_inputs, n_parts, n_registers=0):
    """Return a circuit with inputs i0, i1, ... and outputs p, q, r."""

    def grown(nets):
        nets = list(nets)
        for kind in rng.integers(0, 9, n_parts):
            a, b, c = (nets[i] for i in rng.integers(0, len(nets), 3))
            n = int(rng.integers(1, 6))
            if kind < 5:
                made = (a & b, a | b, a ^ b, ~a, multiplex(a, b, c))[kind]
            elif kind == 5:
                made = isolate(a, int(rng.integers(1, 4)))
            elif kind == 6:
                made = stanh(a, 2 * n)
            elif kind == 7:
                tables = rng.integers(0, n, (n, 2, 2, 2)), rng.integers(0, 2, (n, 2, 2, 2))
                made = Machine(*tables).run(a, b, c, state=n - 1)[0]
            else:
                tables = rng.integers(0, n, (n, 2, 2)), rng.integers(0, 2, (2, n, 2, 2))
                made = Machine(*tables).run(a, b)[0][1]
            nets.append(made)
        return nets

    def function(**inputs):
        nets = list(inputs.values())
        if n_registers:
            before = rng.bit_generator.state

            def step(*held):
                rng.bit_generator.state = before  # a step is traced more than once
                first, *others = grown([*nets, *held])[-n_registers:]
                return (first ^ inputs["i0"], *others)

            nets += feedback(step, initial=[0, 1, 1][:n_registers])
        return dict(zip("pqr", grown(nets)[::-1], strict=False))

    kind = inspect.Parameter.KEYWORD_ONLY
    names = [inspect.Parameter(f"i{i}", kind) for i in range(n_inputs)]
    function.__signature__ = inspect.Signature(names)
    return Circuit.trace(function)
