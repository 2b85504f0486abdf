"""Plain Python, with state in attributes."""

from __future__ import annotations

import platform
import random
from functools import partial

from serve import Call, serve
from workloads import CURRENT, LEAK, NOISE, STEPS_OF_ONE


class Neuron:
    """A straightforward implementation of the neuron."""

    def __init__(self, noise_std: float) -> None:
        self.v, self.left, self.noise_std = 0.0, 0, noise_std

    def step(self, current: float) -> int:
        if self.left > 0:
            self.left -= 1
            return 0
        self.v = self.v - self.v * LEAK + current
        if self.noise_std:
            self.v += random.gauss(0.0, self.noise_std)
        if self.v >= 1.0:
            self.v = 0.0
            return 1
        return 0


def step(noise_std: float) -> Call:
    neuron = Neuron(noise_std)

    def run() -> None:
        for _ in range(STEPS_OF_ONE):
            neuron.step(CURRENT)

    return run


if __name__ == "__main__":
    serve(platform.python_version(), {"step": partial(step, 0.0), "step noise": partial(step, NOISE)})
