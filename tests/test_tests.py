"""Every test asserts something, and nothing that holds by itself."""

import ast
import io
import itertools
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
# The tutorials' programs are kept as the documentation printed them.
FILES = [
    path
    for path in sorted(TESTS.rglob("*.py"))
    if "tutorials/programs" not in path.as_posix()
]

# `states.unchanged` compares the state before and after a block.
ASSERTING = ("raises", "warns", "fail", "deprecated_call", "unchanged")
ASSERTING_PREFIXES = ("assert", "check_")
# Calls that return the same for the same argument: repeated, they compare nothing.
PURE = {"abs", "bool", "dict", "float", "int", "len", "list", "max", "min"}
PURE |= {"set", "sorted", "str", "sum", "tuple"}
SAMENESS = {"assert_allclose", "assert_array_equal", "assert_equal", "assert_close"}
SAMENESS |= {"array_equal", "allclose", "equal", "isclose", "torch_equal"}


def called_name(node: ast.AST) -> str:
    """The last part of the name that a call has, "" for any other node."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def lacking_assertions(source: str) -> list[str]:
    """The tests in ``source`` that neither assert nor call a helper there that does."""
    calls = {}
    asserting = set()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            inside = list(ast.walk(function))
            names = {called_name(node).lstrip("_") for node in inside}
            calls[function.name] = names
            if (
                any(isinstance(node, ast.Assert) for node in inside)
                or not names.isdisjoint(ASSERTING)
                or any(name.startswith(ASSERTING_PREFIXES) for name in names)
            ):
                asserting.add(function.name)
    while more := {
        name
        for name, called in calls.items()
        if name not in asserting
        and called & {helper.lstrip("_") for helper in asserting}
    }:
        asserting |= more
    return [n for n in calls if n.startswith("test_") and n not in asserting]


def without_approx(node: ast.expr) -> tuple[ast.expr, bool]:
    """The expression inside ``approx(...)``, and whether there was one."""
    if isinstance(node, ast.Call) and called_name(node) == "approx" and node.args:
        return node.args[0], True
    return node, False


def compares_itself(left: ast.expr, right: ast.expr) -> bool:
    """Whether two operands are one expression, whose value cannot differ.

    A function called twice may return two values, so ``draw(0) == draw(0)`` is a test,
    unless ``approx`` says that the values are numbers already drawn.
    """
    (left, loose), (right, looser) = without_approx(left), without_approx(right)
    if ast.dump(left) != ast.dump(right):
        return False
    calls = {called_name(n) for n in ast.walk(left) if isinstance(n, ast.Call)}
    return loose or looser or calls <= PURE


def operand_pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yields what a comparison or a function such as ``assert_allclose`` compares."""
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        yield from itertools.pairwise(operands)
    elif (
        isinstance(node, ast.Call)
        and called_name(node) in SAMENESS
        and len(node.args) >= 2
    ):
        yield node.args[0], node.args[1]


def self_comparisons(source: str) -> list[int]:
    """The lines of comparisons of an expression with itself."""
    return [
        left.lineno
        for node in ast.walk(ast.parse(source))
        for left, right in operand_pairs(node)
        if compares_itself(left, right)
    ]


def empty_assertions(source: str) -> list[int]:
    """The lines that assert a constant, a non-empty collection or a function."""
    always = (ast.Constant, ast.Lambda, ast.JoinedStr)
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
        and (
            isinstance(node.test, always)
            or (
                isinstance(node.test, ast.Tuple | ast.List | ast.Set) and node.test.elts
            )
        )
    ]


def private_imports(source: str) -> list[str]:
    """The private names of the library that are imported without a comment."""
    commented = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    names = [
        (f"{node.module}.{alias.name}", {node.lineno, alias.lineno})
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    ] + [
        (alias.name, {node.lineno, alias.lineno})
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    return [
        name
        for name, lines in names
        if name.startswith("imitation.")
        and any(part[0] == "_" and part[:2] != "__" for part in name.split("."))
        and not lines & commented
    ]


@pytest.mark.parametrize(
    "check",
    [lacking_assertions, self_comparisons, empty_assertions, private_imports],
)
def test_no_test_is_empty_or_knows_private_names(
    check: Callable[[str], object],
) -> None:
    found = {
        str(path.relative_to(TESTS)): wrong
        for path in FILES
        if (wrong := check(path.read_text("utf-8")))
    }
    assert found == {}


def test_missing_assertion_is_found() -> None:
    sample = """
def helper(x):
    assert x

def outer(x):
    return helper(x)

def loose(x):
    return x + 1

def test_by_helper():
    outer(1)

def test_raises():
    with pytest.raises(ValueError):
        f()

def test_calls_only():
    loose(2)

class TestGroup:
    def test_in_class(self):
        loose(3)

    def test_by_library(self):
        np.testing.assert_allclose(loose(3), 4)
"""
    assert lacking_assertions(sample) == ["test_calls_only", "test_in_class"]


@pytest.mark.parametrize(
    "line",
    [
        "assert x == approx(x)",
        "assert pytest.approx(log['a'], rel=1e-3) == log['a']",
        "assert float(log['a']) == pytest.approx(float(log['a']))",
        "assert a < x.y[0] == x.y[0]",
        "assert len(x) == len(x)",
        "np.testing.assert_allclose(x, x, rtol=1e-3)",
        "assert np.array_equal(x.obs, x.obs)",
    ],
)
def test_comparison_with_itself_is_found(line: str) -> None:
    assert self_comparisons(line) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "assert x == approx(y)",
        "assert draw(0) == draw(0)",
        "assert x[0] == x[1]",
        "np.testing.assert_allclose(f(x), f(x))",
    ],
)
def test_comparison_of_two_values_passes(line: str) -> None:
    assert self_comparisons(line) == []


@pytest.mark.parametrize(
    "line", ["assert True", "assert (x == 1, 'message')", "assert 'text'", "assert [x]"]
)
def test_assertion_of_what_always_holds_is_found(line: str) -> None:
    assert empty_assertions(line) == [1]
    assert empty_assertions("assert x") == empty_assertions("assert ()") == []


@pytest.mark.parametrize(
    "line",
    [
        "from imitation.data.rollout import _helper",
        "from imitation.data import rollout, _private",
        "import imitation._private.rollout",
        "def f():\n    from imitation.data._private import public",
        "from imitation.data import (\n    rollout,  # public\n    _private,\n)",
    ],
)
def test_private_import_is_found(line: str) -> None:
    assert len(private_imports(line)) == 1


def test_private_import_with_its_reason_passes() -> None:
    assert private_imports("from imitation.data import _x  # no other name") == []
    assert private_imports("from imitation.data import __version__") == []
    assert private_imports("from another import _private") == []
