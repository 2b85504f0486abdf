"""Steps of a PyTorch model that is a chain of layers, traced by torch.fx, without importing PyTorch."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from sc_neurocore import _checks

KNOWN = (
    "Linear, Conv2d, BatchNorm, ReLU, AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, Flatten, Dropout, "
    "Identity and a final Softmax"
)


class Step(NamedTuple):
    """A layer, and its output for the data."""

    module: Any
    output: Any


def steps_of(model: Any, signal: Any) -> Iterator[Step]:
    """Yield the layers of a model in order, in float64 and evaluation mode.

    Functions are replaced by the modules that compute them, a new shape by Flatten.

    Raises
    ------
    ValueError
        If the model is no chain of modules and of the functions known here, or has hooks.
    """
    for module in model.modules():
        _check_plain(module)
    # A Sequential around it, so that a model of one layer is a layer and not a function.
    whole = sys.modules["torch"].nn.Sequential(_copied(model))
    tensors: dict[Any, Any] = {}
    others: dict[Any, Any] = {}
    last = None
    for node in _graph(whole).nodes:
        if node.op == "placeholder" and last is None:
            tensors[node], last = signal, node
            continue
        if node.op in ("placeholder", "get_attr"):
            others[node] = None
            continue
        inputs = [x for x in node.all_input_nodes if x in tensors]
        if inputs not in ([], [last]):
            _no_chain(node)
        if node.op == "output":
            if node.args[0] is not last:
                _no_chain(node)
            return
        if not inputs or _asks_for_shape(node):
            others[node] = _evaluated(node, tensors | others)
            continue
        module, output = _run(whole, node, tensors[last], others)
        if not hasattr(output, "ndim"):
            _checks.fail("model", "return one tensor from each layer", module)
        if len(output) != len(signal):
            _checks.fail("model", "flatten every axis but the first, that of the batch", module)
        yield Step(module, output)
        tensors, last = {**dict.fromkeys(tensors), node: output}, node


def _output(module: Any, signal: Any, *arguments: Any) -> Any:
    """Return the output of a module; raise if its input has another shape than it takes."""
    nn = sys.modules["torch"].nn
    images = (nn.Conv2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.MaxPool2d, nn.BatchNorm2d)
    if isinstance(module, images) and signal.ndim != 4:  # PyTorch takes three axes for one image
        contract = f"have shape (n, channels, rows, columns) for {module}"
        _checks.fail("data", contract, f"{signal.ndim} axes")
    try:
        with sys.modules["torch"].no_grad():
            return module(signal, *arguments)
    except (RuntimeError, IndexError, ValueError) as error:
        reason = str(error).splitlines()[0]
        _checks.fail("data", f"have a shape that fits the model, {module}", tuple(signal.shape), reason)


def kind_of(module: Any) -> Any:
    """Return the class of a module, without parametrizations of its weights."""
    return sys.modules["torch"].nn.utils.parametrize.type_before_parametrizations(module)


def _graph(whole: Any) -> Any:
    fx, nn = import_module("torch.fx"), sys.modules["torch"].nn
    tracer = fx.Tracer()
    default = tracer.is_leaf_module
    layers = (nn.Linear, nn.Conv2d, nn.ReLU, nn.AvgPool2d, nn.MaxPool2d, nn.Flatten)
    # Subclasses of layers are leaves too: they are refused by name, not by what they call.
    tracer.is_leaf_module = lambda m, name: isinstance(m, layers) or default(m, name)
    try:
        return tracer.trace(whole)
    except Exception as error:  # whatever the code of the model raises when it is given no numbers
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        contract = (
            "be one that torch.fx can trace, whose code does not depend on the values of its data"
        )
        _checks.fail("model", contract, type(whole[0]).__name__, reason)


def _no_chain(node: Any) -> NoReturn:
    contract = "be a chain of layers, each with the output of the one before it as its only input"
    _checks.fail("model", contract, f"{node.name} with {len(node.all_input_nodes)} inputs")


def _copied(model: Any) -> Any:
    try:
        return copy.deepcopy(model).double().eval()
    except RuntimeError:  # PyTorch cannot copy weights that a pruning hook computes
        remedy = "make pruned weights permanent with torch.nn.utils.prune.remove"
        _checks.fail("model", "be one that copy.deepcopy can copy", model, remedy)


def _check_plain(module: Any) -> None:
    """Raise if a module can compute something else than its class does.

    The hooks of torch.nn.utils, such as spectral_norm, only compute the weights.
    """
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    if "forward" in vars(module) or not all(
        type(hook).__module__.startswith("torch.nn.utils.") for hook in hooks
    ):
        _checks.fail("model", "have no hooks and no forward of its own", module)


def _asks_for_shape(node: Any) -> bool:
    if node.op == "call_method":
        return node.target in ("size", "dim")
    return node.target is getattr and node.args[1] in ("shape", "ndim")


def _evaluated(node: Any, values: dict[Any, Any]) -> Any:
    """Return the value of a node of shapes, such as ``x.shape[0] * 2``."""
    arguments, keywords = _concrete(node, values)
    if node.op == "call_method" and node.target in ("size", "dim"):
        return getattr(arguments[0], node.target)(*arguments[1:], **keywords)
    if node.target is not getattr and getattr(node.target, "__module__", "") != "_operator":
        _unknown(node)
    return node.target(*arguments, **keywords)


def _concrete(node: Any, values: dict[Any, Any]) -> tuple[Any, Any]:
    replaced = import_module("torch.fx").node.map_arg
    return replaced(node.args, values.get), replaced(node.kwargs, values.get)


def _run(whole: Any, node: Any, signal: Any, others: dict[Any, Any]) -> tuple[Any, Any]:
    """Return the module of a node and its output."""
    torch = sys.modules["torch"]
    if node.op == "call_module":
        if len(node.args) != 1 or node.kwargs:
            _no_chain(node)
        module = whole.get_submodule(node.target)
        return module, _output(module, signal)
    arguments, keywords = _concrete(node, others)
    if node.target in ("view", "reshape", torch.reshape):
        shape = keywords.get("shape", arguments[1:])
        return torch.nn.Flatten(), _output(torch.Tensor.reshape, signal, *shape)
    make = _functions().get(node.target)
    module = None if make is None else make(*arguments[1:], **keywords)
    if module is None or node.args[:1] != (node.all_input_nodes[0],):
        _unknown(node)
    return module, _output(module, signal)


def _unknown(node: Any) -> NoReturn:
    given = node.target if isinstance(node.target, str) else node.target.__name__
    _checks.fail("model", f"consist of {KNOWN}", f"the function {given}")


def _functions() -> dict[Any, Callable[..., Any]]:
    """Return modules of functions and methods, by their arguments after the input."""
    torch = sys.modules["torch"]
    nn, functional = torch.nn, torch.nn.functional

    def relu(inplace: bool = False) -> Any:
        return nn.ReLU()

    def dropout(p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        return None if training else nn.Identity()

    def max_pool(
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return nn.MaxPool2d(kernel_size, stride, padding, dilation, return_indices, ceil_mode)

    def softmax(dim: int | None = None, **_: Any) -> Any:
        return nn.Softmax(dim)

    def flatten(start_dim: int = 0, end_dim: int = -1) -> Any:
        return nn.Flatten(start_dim, end_dim)

    made: dict[Any, Callable[..., Any]] = {}
    made |= dict.fromkeys([functional.relu, torch.relu, "relu", "relu_"], relu)
    made |= dict.fromkeys([functional.dropout], dropout)
    made |= dict.fromkeys([functional.softmax, torch.softmax, "softmax"], softmax)
    made |= dict.fromkeys([functional.log_softmax, torch.log_softmax, "log_softmax"], softmax)
    made |= dict.fromkeys([torch.flatten, "flatten"], flatten)
    made |= {functional.avg_pool2d: nn.AvgPool2d, functional.max_pool2d: max_pool}
    made |= {functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d, "contiguous": nn.Identity}
    return made
