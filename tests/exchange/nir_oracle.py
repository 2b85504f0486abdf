"""Reference simulations: NIR graphs step by step with Euler's rule, and networks on given spikes."""

import numpy as np
import torch

from sc_neurocore import simulate_float


def run_network(network, bits):
    """Spikes (T, n_out) and potentials (n_out,) on real numbers, under inputs (T, n_in)."""
    inputs = np.asarray(bits, float).T[np.newaxis]
    result = simulate_float(network, inputs, record=True)
    return result.spikes[-1][0].bits().T.astype(int), result.potentials[0]


class Euler:
    """A NIR graph with its state; a node in a cycle receives its output of the previous step.

    `back` lists the edges that carry the output of the previous step. By default they are those that
    close a cycle if nodes are evaluated from the outputs backwards.
    """

    def __init__(self, graph, dt, back=()):
        self.graph, self.dt, self.last, self.v, self.i, self.past = graph, dt, {}, {}, {}, {}
        self.back = set(back)
        self.inner = {
            name: Euler(node, dt) for name, node in graph.nodes.items() if hasattr(node, "nodes")
        }

    def named(self, kind):
        return sorted(n for n, node in self.graph.nodes.items() if type(node).__name__ == kind)

    def step(self, x):
        """Outputs of all output nodes, one after another, and inputs likewise, if there are several."""
        self.now, self.waits, first = {}, set(), 0
        starts = self.named("Input")
        for name in starts:
            shape = [int(n) for n in self.graph.nodes[name].input_type["input"]]
            size = int(np.prod(shape))
            self.now[name] = x if len(starts) == 1 else x[first : first + size].reshape(shape)
            first += size
        ends = [self.output(name) for name in self.named("Output")]
        for name in self.graph.nodes:  # feedback may be the only use of a neuron
            self.output(name)
        self.last = self.now
        return ends[0] if len(ends) == 1 else np.concatenate([np.ravel(y) for y in ends])

    def output(self, name):
        if name in self.now:
            return self.now[name]
        if name in self.waits:
            return self.last.get(name, 0.0)
        self.waits.add(name)
        given = [
            self.before(a) if (a, b) in self.back else self.output(a)
            for a, b in self.graph.edges
            if b == name
        ]
        node = self.graph.nodes[name]
        kind = getattr(self, f"of_{type(node).__name__.lower()}", None)
        total = sum(given)
        self.now[name] = total if kind is None else kind(name, node, np.asarray(total, float))
        return self.now[name]

    def before(self, name):
        (shape,) = self.graph.nodes[name].output_type.values()
        return self.last.get(name, np.zeros(tuple(int(n) for n in shape)))  # zeros broadcast

    def of_nirgraph(self, name, node, x):
        return self.inner[name].step(x)

    def of_flatten(self, name, node, x):
        return x.reshape(-1)

    def of_linear(self, name, node, x):
        return node.weight @ (np.zeros(node.weight.shape[1]) + x)

    def of_affine(self, name, node, x):
        return self.of_linear(name, node, x) + node.bias

    def of_scale(self, name, node, x):
        return node.scale * x

    def of_conv2d(self, name, node, x):
        pad = node.padding
        if isinstance(pad, str):
            sums = np.array(node.dilation) * (np.array(node.weight.shape[2:]) - 1) * (pad == "same")
            x = np.pad(x, [(0, 0), *((int(n) // 2, int(n) - int(n) // 2) for n in sums)])
            pad = 0, 0
        rest = tuple(node.stride), tuple(pad), tuple(node.dilation), int(node.groups)
        arrays = (
            torch.from_numpy(np.asarray(a, float)) for a in (x[np.newaxis], node.weight, node.bias)
        )
        return torch.nn.functional.conv2d(*arrays, *rest)[0].numpy()

    def of_avgpool2d(self, name, node, x):
        sizes = (tuple(int(n) for n in size) for size in (node.kernel_size, node.stride, node.padding))
        return torch.nn.functional.avg_pool2d(torch.from_numpy(x[np.newaxis]), *sizes)[0].numpy()

    def of_sumpool2d(self, name, node, x):
        return self.of_avgpool2d(name, node, x) * np.prod(node.kernel_size)

    def of_delay(self, name, node, x):
        past = self.past.setdefault(name, [])
        past.append(x)
        steps = np.rint(np.broadcast_to(node.delay, x.shape) / self.dt).astype(int)
        late = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            if steps[at] < len(past):
                late[at] = past[-1 - steps[at]][at]
        return late

    def fire(self, name, v, node):
        spikes = v > node.v_threshold
        self.v[name] = np.where(spikes, node.v_reset, v)
        return spikes.astype(float)

    def leak(self, name, tau, node, current):
        v = self.v.get(name, node.v_leak)
        return v + self.dt / tau * (node.v_leak - v + node.r * current)

    def synapse(self, name, node, x):
        i = self.i.get(name, 0.0)
        self.i[name] = i + self.dt / node.tau_syn * (node.w_in * x - i)
        return self.i[name]

    def of_lif(self, name, node, x):
        return self.fire(name, self.leak(name, node.tau, node, x), node)

    def of_if(self, name, node, x):
        return self.fire(name, self.v.get(name, 0.0) + self.dt * node.r * x, node)

    def of_cubalif(self, name, node, x):
        return self.fire(name, self.leak(name, node.tau_mem, node, self.synapse(name, node, x)), node)

    def of_li(self, name, node, x):
        self.v[name] = self.leak(name, node.tau, node, x)
        return self.v[name]

    def of_i(self, name, node, x):
        self.v[name] = self.v.get(name, 0.0) + self.dt * node.r * x
        return self.v[name]

    def of_cubali(self, name, node, x):
        self.v[name] = self.leak(name, node.tau_mem, node, self.synapse(name, node, x))
        return self.v[name]


def run_graph(graph, bits, dt_ms, back=()):
    """Outputs (T, n_out) of a graph under bits (T, n_in)."""
    starts = [node for node in graph.nodes.values() if type(node).__name__ == "Input"]
    shape = (-1,) if len(starts) > 1 else tuple(int(n) for n in starts[0].input_type["input"])
    euler = Euler(graph, dt_ms / 1000, back)
    return np.array([euler.step(x.reshape(shape)).ravel() for x in np.asarray(bits, float)])
