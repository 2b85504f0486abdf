"""Fewest bits per weight at which a network keeps its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore._progress import progress_bar
from sc_neurocore._tables import html_table
from sc_neurocore.evidence._executors import opened
from sc_neurocore.evidence._runs import Outcome, Run, outcomes
from sc_neurocore.evidence._sources import SourceByLength, source_at
from sc_neurocore.evidence.evaluation import (
    Accuracy,
    accuracy,
    labeled,
    lengths_and_seeds,
    numbers_of_bits,
)
from sc_neurocore.networks import (
    Network,
)
from sc_neurocore.networks._inputs import InputLike
from sc_neurocore.streams import (
    Bernoulli,
    Sobol,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Plan", "plan"]

LENGTHS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


@dataclass(frozen=True, eq=False)
class Plan:
    """Fewest bits at which a source keeps the accuracy of a network; `print` summarizes them.

    Attributes
    ----------
    source : str
        Name of the source.
    max_loss : float
        Permitted loss of accuracy compared with real numbers, in [0, 1).
    confidence : float
        Confidence of `interval`.
    tried : tuple of Accuracy
        Every length and number of bits per step tried, in the order of their cost. Their `float_right`
        and `same` refer to the classes on real numbers after the longest length given to `plan`, and
        their `spike_ratios` to the spikes after as many steps.
    """

    source: str
    max_loss: float
    confidence: float
    tried: tuple[Accuracy, ...]

    @property
    def length(self) -> int | None:
        """Length whose loss is at most `max_loss`; None if none of those tried is."""
        last = self.tried[-1]
        return last.length if last.loss <= self.max_loss else None

    @property
    def bits_per_step(self) -> int | None:
        """Bits per time step at that length; None if `length` is None."""
        return None if self.length is None else self.tried[-1].bits_per_step

    @property
    def sure(self) -> bool:
        """Whether the whole confidence interval of the loss at `length` is at most `max_loss`.

        If not, there are too few images to be sure. False if `length` is None.
        """
        return self.length is not None and self.interval[1] <= self.max_loss

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the loss at the last length tried, by `Accuracy.loss_interval`."""
        return self.tried[-1].loss_interval(self.confidence)

    def __repr__(self) -> str:
        last = self.tried[-1]
        return (
            f"Plan({self.source!r}, length={self.length}, bits_per_step={last.bits_per_step}, "
            f"loss={last.loss:.4f}, max_loss={self.max_loss}, tried={len(self.tried)})"
        )

    def _repr_html_(self) -> str:
        interval = f"{self.confidence:.0%} interval"
        header = ("source", "length", "bits per step", "accuracy", "float", "loss", interval)
        rows = []
        for row in self.tried:
            low, high = (f"{100 * end:.2f}" for end in row.loss_interval(self.confidence))
            shares = (f"{share:.2%}" for share in (row.mean, row.of_float, row.loss))
            steps = row.length, row.bits_per_step
            rows.append((self.source, *steps, *shares, f"{low} to {high} points"))
        return html_table(header, rows)

    def __str__(self) -> str:
        last, (low, high) = self.tried[-1], self.interval
        k = last.bits_per_step
        bits = f"{last.length} bits" if k == 1 else f"{last.length} steps of {k} bits"
        more = "more than " if self.length is None else ""
        return (
            f"{self.source}: {more}{bits}; {last.mean:.2%} of {last.of_float:.2%}, a loss of "
            f"{100 * last.loss:.2f} points ({100 * low:.2f} to {100 * high:.2f} with "
            f"{self.confidence:.0%} confidence)"
        )


def plan(
    network: Network,
    images: InputLike,
    labels: ArrayLike,
    max_loss: float,
    *,
    sources: Mapping[str, SourceByLength] | None = None,
    seeds: Sequence[int] = range(5),
    confidence: float = 0.95,
    lengths: Sequence[int] | None = None,
    bits_per_step: Sequence[int] = (1,),
    executor: int | Executor | None = None,
    progress: bool = False,
) -> list[Plan]:
    """Return the fewest bits of each source that keep the accuracy of a network.

    Lengths and bits per step are tried in the order of their cost, ``length * bits_per_step``, shorter
    lengths first if it is equal. The search stops at the first pair whose mean accuracy over the seeds
    is at most `max_loss` below the accuracy of `simulate_float` at the longest length. All pairs and
    sources are tried on the same images with the same seeds.

    A length is the first of several to pass, so it may have passed by chance; the interval does not
    correct for this selection. Check the length you choose on other images or seeds.

    Parameters
    ----------
    network : Network
    images : array_like, Bitstream or Events
        As in `evaluate`.
    labels : array_like of int, shape (n_images,)
        Correct class of each image.
    max_loss : float
        Permitted loss of accuracy, in [0, 1); 0.005 is half a percentage point.
    sources : mapping of str to Source, tuple of Source, or function of the length
        Sources by name, each as in `evaluate`. By default Bernoulli and Sobol.
    seeds : sequence of int
        All images are classified once for each seed.
    confidence : float
        Confidence of the interval of the loss, in (0, 1).
    lengths : sequence of int, optional
        Stream lengths to try, in any order. By default 13 lengths from 4 to 256, or the length of
        inputs that have one.
    bits_per_step : sequence of int
        Bits per time step to try, in any order.
    executor : int or concurrent.futures.Executor, optional
        Where the simulations run, as in `evaluate`.
    progress : bool
        Show a progress bar (requires the extra `progress`).

    Returns
    -------
    list of Plan
        In the order of `sources`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes do not match or a value is outside its range.

    Examples
    --------
    >>> from sc_neurocore import load_digits, plan
    >>> digits = load_digits()
    >>> for row in plan(*digits, max_loss=0.005):
    ...     print(row)
    Bernoulli: 24 bits; 97.82% of 98.22%, a loss of 0.40 points (-0.76 to 1.73 with 95% confidence)
    Sobol: 8 bits; 98.09% of 98.22%, a loss of 0.13 points (-0.99 to 1.33 with 95% confidence)
    """
    inputs, classes = labeled(network, images, labels)
    if lengths is None and inputs.length is None:
        lengths = LENGTHS
    steps, seeds = lengths_and_seeds(lengths, seeds, inputs)
    ks = numbers_of_bits(bits_per_step)
    pairs = sorted(((n, k) for n in steps for k in ks), key=lambda pair: (pair[0] * pair[1], pair[0]))
    if (max_loss := _checks.non_negative("max_loss", max_loss)) >= 1:
        _checks.fail("max_loss", "be below 1", max_loss, "0.01 is one percentage point")
    confidence = _checks.below_one("confidence", confidence)
    if sources is None:
        sources = {"Bernoulli": Bernoulli(), "Sobol": Sobol()}
    _checks.instance("sources", sources, Mapping)
    of_network = list(sources.values())
    longest = max(steps)
    tried: list[list[Accuracy]] = [[] for _ in sources]
    total = len(sources) * len(seeds) * sum(n for n, _ in pairs)
    with opened(executor) as pool, progress_bar(total, "plan", "step", show=progress) as bar:
        (best,) = outcomes(pool, [Run(network, longest)], inputs)
        references: dict[int, Outcome] = {longest: best}
        for n, k in pairs:
            missing = [i for i, own in enumerate(tried) if not own or own[-1].loss > max_loss]
            at_length = [source_at(of_network[i], n * k) for i in missing]
            runs = [Run(network, n)] if missing and n not in references else []
            runs += [Run(network, n, k, seed, source) for source in at_length for seed in seeds]
            found = outcomes(pool, runs, inputs)
            if len(runs) > len(missing) * len(seeds):
                references[n] = next(found)
            for i in missing:
                tried[i].append(accuracy(found, classes, n, k, references[n], len(seeds), bar, best[0]))
            bar.update((len(sources) - len(missing)) * len(seeds) * n)
    return [
        Plan(name, max_loss, confidence, tuple(own)) for name, own in zip(sources, tried, strict=True)
    ]
