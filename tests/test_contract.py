"""Every name that the documentation of release 1.0 promises exists and is called so.

``contract/documented.txt`` lists them. A signature of ours fits a documented one when
every call that the documentation allows is allowed here and means the same: the
documented arguments have their names, order and defaults; what we add is optional.
"""

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIST = Path(__file__).parent / "contract" / "documented.txt"
POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
VAR_KEYWORD = inspect.Parameter.VAR_KEYWORD


def documented(text: str) -> Iterator[tuple[str, str]]:
    """Yields (module, entry) for every line of the list."""
    module = ""
    for line in text.splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif line and not line.startswith("#"):
            yield module, line


ENTRIES = list(documented(LIST.read_text()))


def default_matches(actual: object, documented: ast.expr) -> bool:
    if isinstance(documented, ast.Name):
        return getattr(actual, "__name__", None) == documented.id
    expected = ast.literal_eval(documented)
    return type(actual) is type(expected) and actual == expected


def other_default(
    name: str, actual: inspect.Parameter, default: ast.expr | None
) -> str:
    """Says how the default of one argument differs, "" when it does not.

    A documented argument without a default may have one here.
    """
    if default is None or default_matches(actual.default, default):
        return ""
    return f"{name}={actual.default!r} instead of {ast.unparse(default)}"


def mismatch(signature: inspect.Signature, documented_call: str) -> str:
    """Says what a call that the documentation allows would trip over, "" if nothing.

    Args:
        signature: ours, without ``self``.
        documented_call: such as ``f(x, *, y=1)``.
    """
    (function,) = ast.parse(f"def {documented_call}: ...").body
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    parameters = signature.parameters
    kinds = {p.kind for p in parameters.values()}
    positional = [p for p in parameters.values() if p.kind in POSITIONAL]
    problems = []

    if len(args.args) > len(positional) and VAR_POSITIONAL not in kinds:
        problems.append(f"takes {len(positional)} positional arguments")
    defaults = [None] * (len(args.args) - len(args.defaults)) + args.defaults
    for wanted, default, actual in zip(args.args, defaults, positional, strict=False):
        if actual.name != wanted.arg and not re.fullmatch(r"_\d", wanted.arg):
            problems.append(f"{actual.name} stands where {wanted.arg} belongs")
        problems.append(other_default(wanted.arg, actual, default))
    for wanted, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if wanted.arg in parameters:
            problems.append(other_default(wanted.arg, parameters[wanted.arg], default))
        elif VAR_KEYWORD not in kinds:
            problems.append(f"{wanted.arg} is missing")
    given = {p.name for p in positional[: len(args.args)]}
    given |= {wanted.arg for wanted in args.kwonlyargs}
    problems += [
        f"{p.name} is required"
        for p in parameters.values()
        if p.kind not in (VAR_KEYWORD, VAR_POSITIONAL)
        and p.default is inspect.Parameter.empty
        and p.name not in given
    ]
    return "; ".join(filter(None, problems))


def has_attribute(cls: type, name: str) -> bool:
    """Whether instances have it: declared, a field, or assigned to ``self``."""
    if hasattr(cls, name):
        return True
    if dataclasses.is_dataclass(cls) and name in {
        f.name for f in dataclasses.fields(cls)
    }:
        return True
    for base in cls.__mro__:
        if name in getattr(base, "__annotations__", {}):
            return True
        if base.__module__.startswith("imitation."):
            assigned = rf"self\.{name}\b\s*[:=]|register_buffer\(\s*\"{name}\""
            if re.search(assigned, inspect.getsource(base)):
                return True
    return False


def without_first(function: Any) -> inspect.Signature:
    """The signature of a method as the caller of an instance sees it."""
    signature = inspect.signature(function)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def call_signature(value: Any) -> inspect.Signature:
    """What a function, or a class, is called with."""
    if not isinstance(value, type):
        return inspect.signature(value)
    # Not inspect.signature(cls): a metaclass's __call__ would hide the arguments.
    if issubclass(value, tuple):
        return without_first(value.__new__)
    if value.__init__ is object.__init__:
        return inspect.Signature()
    return without_first(value.__init__)


def problem(module: Any, entry: str) -> str:
    """Says how a module falls short of an entry of the list, "" if it does not."""
    if " < " in entry:
        name, base = entry.split(" < ")
        ancestors = {ancestor.__name__ for ancestor in getattr(module, name).__mro__}
        return "" if base in ancestors else f"its ancestors are {sorted(ancestors)}"
    path, _, arguments = entry.partition("(")
    name, _, member = path.partition(".")
    if not hasattr(module, name):
        return f"{module.__name__} has no {name}"
    value = getattr(module, name)
    if not arguments:
        return "" if not member or has_attribute(value, member) else f"no {member}"
    if not member:
        return mismatch(call_signature(value), f"f({arguments}")
    if not hasattr(value, member):
        return f"{name} has no method {member}"
    method = getattr(value, member)
    bound = isinstance(
        inspect.getattr_static(value, member), classmethod | staticmethod
    )
    signature = inspect.signature(method) if bound else without_first(method)
    return mismatch(signature, f"f({arguments}")


@pytest.mark.parametrize(
    ("module", "entry"), ENTRIES, ids=[f"{m}:{e.split('(')[0]}" for m, e in ENTRIES]
)
def test_documented(module: str, entry: str) -> None:
    assert problem(importlib.import_module(module), entry) == ""


def test_the_list_is_whole() -> None:
    assert len(ENTRIES) > 300
    assert len(set(ENTRIES)) == len(ENTRIES)


def test_policy_registry_has_the_documented_keys() -> None:
    serialize = importlib.import_module("imitation.policies.serialize")
    documented = {"random", "zero", "ppo", "sac", "ppo-huggingface", "sac-huggingface"}
    assert documented <= set(serialize.policy_registry.keys())


def ours(a: Any, b: Any = 1, *, c: Any, d: Any = 2, e: Any = None) -> None:
    """A signature to try the check on."""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(a, b=1, *, c, d=2)", ""),
        ("f(a, b, *, c)", ""),
        ("f(_1, b=1, *, c, d)", ""),
        ("f(x, b=1, *, c)", "a stands where x belongs"),
        ("f(a, b=2, *, c)", "b=1 instead of 2"),
        ("f(a, b=1.0, *, c)", "b=1 instead of 1.0"),
        ("f(a, b=1, *, c, d=3)", "d=2 instead of 3"),
        ("f(a, b=1)", "c is required"),
        ("f(a, b=1, *, c, z=0)", "z is missing"),
        ("f(a, b, x, *, c)", "takes 2 positional arguments"),
        ("f(a, *, c, e=Adam)", "e=None instead of Adam"),
    ],
)
def test_the_check_itself(call: str, expected: str) -> None:
    assert mismatch(inspect.signature(ours), call) == expected
