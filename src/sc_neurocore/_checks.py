"""Argument checks and the wording of errors: `name must <contract>, got <value>; <remedy>`."""

from __future__ import annotations

import math
import operator
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

A = TypeVar("A", bound=np.generic)
B = TypeVar("B", bound=np.generic)
C = TypeVar("C")

# Time steps that a stream can have: words of 64 steps have a counter of 32 bits.
LONGEST = 2**38
# Where `kept_warnings` keeps the warnings of a thread.
_kept: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar("kept", default=None)


def fail(name: str, contract: str, value: object, remedy: str = "") -> NoReturn:
    """Raise a ValueError: the value breaks its contract."""
    got = _shortened(value, str(value))
    raise ValueError(f"{name} must {contract}, got {got}" + (f"; {remedy}" if remedy else ""))


def wrong_type(name: str, contract: str, value: object, remedy: str = "") -> NoReturn:
    """Raise a TypeError: the value has the wrong type."""
    got = _shortened(value, repr(value))
    raise TypeError(f"{name} must {contract}, got {got}" + (f"; {remedy}" if remedy else ""))


def _shortened(value: object, text: str) -> str:
    """Return the text of a value, unless it would fill the screen."""
    if isinstance(value, np.ndarray) and value.size > 16:
        return f"an array of {value.dtype}, shape {value.shape}"
    return f"{text[:100]} ..." if isinstance(value, list | tuple) and len(text) > 300 else text


def no_modes(owner: str, keywords: Collection[str]) -> None:
    """Raise for `mode` and `sc_mode`, keywords of the other package of this name, on PyPI."""
    for name in ("mode", "sc_mode"):
        if name in keywords:
            raise TypeError(
                f"{owner} has no parameter {name}, unlike in sc-neurocore 3.x; choose the random "
                "numbers with source=, as in BitstreamEncoder(source=Sobol()), and multiply signed "
                'values with coding="sign_magnitude", as in SCDenseLayer, or with the codings '
                "Bipolar, SignMagnitude and TwoLine"
            )


def remedies(**of: str) -> Callable[[type[C]], type[C]]:
    """Return a decorator of a class, whose constructor names the remedy for keywords that it lacks."""

    def decorate(cls: type[C]) -> type[C]:
        init: Any = cls.__init__

        @wraps(init)
        def checked(self: C, *args: Any, **keywords: Any) -> None:
            for name in keywords:
                if name in of:
                    raise TypeError(f"{cls.__name__} has no parameter {name}; {of[name]}")
            init(self, *args, **keywords)

        cls.__init__ = checked  # type: ignore[assignment]
        return cls

    return decorate


def missing_extra(feature: str, package: str, extra: str) -> str:
    """Return the message of the error that an optional package is missing.

    Parameters
    ----------
    feature : str
        Name of what needs the package, the subject of the sentence.
    package : str
        Name of the package as its authors write it.
    extra : str
        Extra of pyproject.toml that installs it.
    """
    # Not pip install 'sc-neurocore[...]': the package of that name on PyPI is by other people.
    return (
        f"{feature} needs {package}; run pip install '.[{extra}]' in a clone of sc-neurocore, or "
        f"pip install 'WHEEL[{extra}]' with the path of its wheel"
    )


@contextmanager
def allocating(what: str, remedy: str) -> Iterator[None]:
    """Replace a MemoryError of the block by one that names its result and a remedy."""
    try:
        yield
    except MemoryError:
        raise MemoryError(f"{what} do not fit into memory; {remedy}") from None


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning at the caller's line, the innermost one outside the package and PyTorch."""
    if (kept := _kept.get()) is not None:
        kept.append((message, category))
        return
    level, frame = 2, sys._getframe(1)
    inside = (__package__, "torch")  # modules are called by PyTorch
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in inside:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def kept_warnings() -> Iterator[list[tuple[str, type[Warning]]]]:
    """Yield a list that gets the warnings of this thread, which are not issued: for other processes."""
    kept: list[tuple[str, type[Warning]]] = []
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def finite(name: str, value: Any) -> float:
    """Return a finite real number as a float."""
    if isinstance(value, bool | np.bool_ | str | bytes | complex | list | tuple):
        wrong_type(name, "be a real number", value)
    try:
        number = float(value) if np.ndim(value) == 0 else None
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        number = None
    if number is None:
        wrong_type(name, "be a real number", value)
    if not math.isfinite(number):
        fail(name, "be finite", number)
    return number


def finite_or_inf(name: str, value: Any) -> float:
    """Return a real number that is finite or inf, but not -inf."""
    if isinstance(value, float | np.floating) and value == math.inf:
        return math.inf
    return finite(name, value)


def positive(name: str, value: Any, *, infinite: bool = False) -> float:
    """Return a number above 0; inf only if `infinite`."""
    number = finite_or_inf(name, value) if infinite else finite(name, value)
    if number <= 0:
        fail(name, "be greater than 0", number)
    return number


def below_one(name: str, value: Any) -> float:
    """Return a number above 0 and below 1."""
    number = positive(name, value)
    if number >= 1:
        fail(name, "be below 1", number)
    return number


def non_negative(name: str, value: Any) -> float:
    """Return a finite number of at least 0."""
    number = finite(name, value)
    if number < 0:
        fail(name, "be 0 or more", number)
    return number


def integer(name: str, value: Any, low: float, high: int | None = None) -> int:
    """Return an integer in [low, high]; refuse a bool."""
    if isinstance(value, bool | np.bool_):
        wrong_type(name, "be an integer", value)
    if np.ma.is_masked(value):
        fail(name, "have no masked values", value, "fill them first, or leave them out")
    try:
        number = operator.index(value)
    except TypeError:
        wrong_type(name, "be an integer", value)
    if number < low or (high is not None and number > high):
        upper = "" if high is None else f" and at most {high}"
        fail(name, f"be at least {low}{upper}", number)
    return number


def power_range(name: str, value: Any, exponent: int) -> int:
    """Return an integer in [0, 2**exponent)."""
    number = integer(name, value, -math.inf)
    if not 0 <= number < 2**exponent:
        fail(name, f"lie in [0, 2**{exponent})", number)
    return number


def length_of_stream(name: str, value: Any) -> int:
    """Return a stream length, from 1 to 2**38 steps."""
    length = integer(name, value, 1)
    if length > LONGEST:
        fail(name, "be at most 2**38", length)
    return length


def ordered(
    low_name: str, low: Any, high_name: str, high: Any, *, open_end: bool = False
) -> tuple[float, float]:
    """Return the ends of an interval with low < high; high can be inf if `open_end`."""
    low = finite(low_name, low)
    high = finite_or_inf(high_name, high) if open_end else finite(high_name, high)
    if low >= high:
        fail(low_name, f"be less than {high_name}", f"{low_name}={low}, {high_name}={high}")
    if math.isfinite(high) and not math.isfinite(high - low):
        fail(low_name, f"lie closer to {high_name}", f"{low_name}={low}, {high_name}={high}")
    return low, high


def within(
    name: str,
    values: NDArray[Any],
    low: float,
    high: float,
    remedy: str = "",
    *,
    given: object = None,
) -> None:
    """Raise unless every value lies in [low, high], up to a few units in the last place.

    `given` is the caller's array, whose precision these units have.
    """
    dtype = getattr(given, "dtype", None)
    precision = dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" else np.float64
    slack = 4 * float(np.finfo(precision).eps) * max(abs(low), abs(high))
    outside = (values < low - slack) | (values > high + slack)
    if outside.any():
        fail(name, f"lie in [{low}, {high}]", _first(values, outside), remedy)


def array(
    name: str, values: ArrayLike, ndims: Sequence[int], *, borrow: bool = False, finite: bool = True
) -> NDArray[np.float64]:
    """Return finite numbers as a C-contiguous float64 array, whose number of axes is one of `ndims`.

    The result is a copy unless `borrow`, for callers that only read it. Without `finite`, the caller
    looks for numbers that are not.
    """
    raw = numbers(name, "hold real numbers", values)
    if raw.ndim not in ndims:
        axes = " or ".join(str(n) for n in ndims) if len(ndims) < 4 else f"at least {ndims[0]}"
        fail(
            name,
            f"have {axes} {'axis' if axes in ('1', 'at least 1') else 'axes'}",
            f"shape {raw.shape}",
        )
    result = (np.asarray if borrow else np.array)(raw, np.float64, order="C")
    if not finite:
        return result
    with np.errstate(over="ignore", invalid="ignore"):
        whole = math.isfinite(result.sum())  # one pass and no temporary array
    if not whole:
        bad = ~np.isfinite(result)
        if bad.any():
            fail(name, "be finite", _first(result, bad))
    return result


def spike(name: str, value: Any) -> int:
    """Return 0 or 1, given as an integer or a bool."""
    if not isinstance(value, int | np.integer | np.bool_):
        wrong_type(name, "be 0 or 1", value)
    if value not in (0, 1):
        fail(name, "be 0 or 1", value)
    return int(value)


def bits(name: str, values: ArrayLike, length: int | None = None) -> NDArray[np.uint8]:
    """Return a 1-D array of zeros and ones as uint8, of the given length unless it is None."""
    result = bit_array(name, values)
    if result.ndim != 1:
        fail(name, "have one axis, time", f"shape {result.shape}")
    if length is not None and len(result) != length:
        fail(name, f"have length {length}", len(result))
    return result


def bit_array(name: str, values: ArrayLike) -> NDArray[np.uint8]:
    """Return an array of zeros and ones of any shape as uint8."""
    raw = numbers(name, "hold the bits 0 and 1", values)
    wrong = (raw != 0) & (raw != 1)
    if wrong.any():
        fail(name, "hold only the bits 0 and 1", _first(raw, wrong))
    return raw.astype(np.uint8)


def counting(name: str, values: ArrayLike, *, borrow: bool = False) -> NDArray[np.uint64]:
    """Return an array of non-negative integers of any shape as uint64, a copy unless `borrow`."""
    contract = "hold integers of 0 or more"
    raw = numbers(name, contract, values)
    if raw.dtype.kind not in "iu":
        wrong_type(name, contract, values)
    if raw.dtype.kind == "i" and (raw < 0).any():
        fail(name, contract, _first(raw, raw < 0))
    return raw.astype(np.uint64, copy=not borrow)


def delays(name: str, value: Any, n_in: int) -> int | NDArray[np.int64]:
    """Return delays in steps, at least 0: one for all inputs, or an array of one for each."""
    if np.ndim(value) == 0:
        return integer(name, value, 0, LONGEST)
    steps = counting(name, value)
    if steps.shape != (n_in,):
        fail(name, f"be an integer or hold one for each of the {n_in} inputs", f"shape {steps.shape}")
    return np.minimum(steps, LONGEST).astype(np.int64)


def choice(name: str, value: object, options: Sequence[str]) -> str:
    """Return a string that is one of the options."""
    if not isinstance(value, str) or value not in options:
        fail(name, "be one of " + ", ".join(repr(o) for o in options), repr(value))
    return value


def known_keys(name: str, keys: Iterable[object], known: Sequence[str]) -> None:
    """Raise for the first unknown key, and suggest the most similar known ones."""
    for key in keys:
        if key not in known:
            import difflib  # takes 2 ms, so not when the package is imported

            near = difflib.get_close_matches(str(key), known, n=2)
            remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
            fail(name, "have only the keys " + ", ".join(known), repr(key), remedy)


def instance(name: str, value: Any, kind: type, remedy: str = "") -> None:
    """Raise unless the value is an instance of the class."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        wrong_type(name, f"be {article} {kind.__name__}", value, remedy)


def broadcast(name: str, a: NDArray[A], other: str, b: NDArray[B]) -> tuple[NDArray[A], NDArray[B]]:
    """Return both arrays in their common shape; if there is none, raise for `name`, the array b."""
    try:
        first, second = np.broadcast_arrays(a, b)
    except ValueError:
        fail(name, f"have a shape that broadcasts with that of {other}, {a.shape}", b.shape)
    return first, second


def numbers(name: str, contract: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of real numbers of any shape, not masked, not necessarily finite."""
    try:
        raw = np.asarray(values)
    except ValueError:
        fail(name, "be rectangular, with rows of equal length", values)
    except (TypeError, RuntimeError) as error:  # objects that refuse to become arrays, such as tensors
        wrong_type(name, contract, values, str(error).splitlines()[0])
    if raw.dtype.kind not in "iufb":
        wrong_type(name, contract, values)
    unmasked(name, values)
    return raw if raw.flags.aligned else np.require(raw, requirements="A")


def unmasked(name: str, values: object) -> None:
    """Raise if an array, or one of a list of arrays, has masked values."""
    if type(values) is not np.ndarray and _is_masked(values):
        fail(name, "have no masked values", values, "fill them first, or leave them out")


def _is_masked(values: object) -> bool:
    """Return whether an array, or one of a list of arrays, has masked values."""
    if isinstance(values, list | tuple):
        return any(_is_masked(v) for v in values if isinstance(v, list | tuple | np.ma.MaskedArray))
    return bool(np.ma.is_masked(values))


def _first(values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    if values.ndim == 0:
        return str(values[()])
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{values[index]} at index {index[0] if len(index) == 1 else index}"
