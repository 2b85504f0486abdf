"""Mutable state is in `stateful/` only: elsewhere no object changes once it has been made."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "sc_neurocore"
# Rooms and modules whose classes may change, with the reason. Only those of `stateful` and `training`
# outlive the call that makes them.
MUTABLE = {
    "stateful": "the classes of the tutorial",
    "training": "modules of PyTorch hold the weights that are trained",
    "hardware": "simulators and generators of Verilog record signals and names as they go",
    "circuits._laws": "the law of a wire is kept for the wires that depend on it",
    "circuits._wires": "the parts of a circuit are added as they are found",
    "networks._blocks": "a simulation notes which layers have fired",
    "networks._bit_layers": "a simulation keeps the words that it made ahead",
    "networks._real_layers": "a simulation on real numbers advances its neurons",
    "networks._delays": "a simulation keeps the delayed inputs that later blocks need",
}
IMMUTABLE_BASES = {
    "ABC", "Enum", "Exception", "IntEnum", "NamedTuple", "Protocol", "RuntimeError", "TypedDict",
    "UserWarning",
}  # fmt: skip
CONSTRUCTORS = {"__init__", "__new__", "__post_init__", "__setstate__"}
SETTERS = {"object.__setattr__", "object.__delattr__", "setattr", "delattr"}


def classes():
    """Yield (module, definition) for every class of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield module, node


def allowed(module):
    """The entry of MUTABLE that covers a module, or None."""
    return next((name for name in MUTABLE if module == name or module.startswith(f"{name}.")), None)


def is_frozen(node):
    """Whether a class is a frozen dataclass or has a base whose instances hold no mutable state."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if any(decorator.startswith("dataclass") for decorator in decorators):
        return any("frozen=True" in decorator for decorator in decorators)
    return any(ast.unparse(base).split(".")[-1] in IMMUTABLE_BASES for base in node.bases)


def changes(node):
    """Return every assignment to an attribute of the object outside its constructors."""
    found = []
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name not in CONSTRUCTORS:
            first = [argument.arg for argument in method.args.posonlyargs + method.args.args][:1]
            found += [f"{node.name}.{method.name}: {line}" for line in _assignments(method, first)]
    return found


def _assignments(method, names):
    for part in ast.walk(method):
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            inner = part
            while isinstance(inner, ast.Attribute | ast.Subscript):
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in names:
                yield ast.unparse(part)
        elif isinstance(part, ast.Call) and ast.unparse(part.func) in SETTERS:
            yield ast.unparse(part)


def test_no_object_changes_after_its_construction_except_where_listed():
    for module, node in classes():
        if allowed(module) is None:
            assert changes(node) == [], module


def test_every_place_that_is_listed_has_an_object_that_changes():
    used = {allowed(module) for module, node in classes() if changes(node)}
    assert used - {None} == set(MUTABLE)


def test_public_classes_are_frozen_except_where_listed():
    for module, node in classes():
        is_public = not any(part.startswith("_") for part in [*module.split("."), node.name])
        if is_public and allowed(module) is None:
            assert is_frozen(node), f"{module}.{node.name}"


def test_the_only_setting_of_a_module_that_changes_is_that_of_the_runtime():
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if any(isinstance(node, ast.Global) for node in nodes):
            assert path.name == "_runtime.py"


@pytest.mark.parametrize(
    "statement",
    [
        "self.x = 1",
        "self.x += 1",
        "self.x: int = 1",
        "self.x[0] = 1",
        "self[0] = 1",
        "self.x.y = 1",
        "del self.x",
        "a, self.x = 1, 2",
        "for self.x in (): pass",
        "object.__setattr__(self, 'x', 1)",
    ],
)
def test_the_check_finds_a_change(statement):
    def class_with(method):
        (node,) = ast.parse(f"class A:\n def {method}(self, other):\n  {statement}\n").body
        return changes(node)

    assert len(class_with("run")) == 1
    assert class_with("__init__") == []


@pytest.mark.parametrize("statement", ["x = self.x", "other.x = 1", "x[self.x] = 1", "self = other"])
def test_the_check_lets_pass_what_changes_nothing_of_the_object(statement):
    (node,) = ast.parse(f"class A:\n def run(self, other):\n  {statement}\n").body
    assert changes(node) == []
