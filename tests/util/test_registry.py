"""Tests of the registry and its loader functions."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from imitation.errors import ImitationError
from imitation.util import registry


def test_register_and_get() -> None:
    reg: registry.Registry[float] = registry.Registry()
    reg.register("value", value=1.5)
    reg.register("positional", 2.5)
    reg.register("a", indirect="math:pi")
    keys = list(reg.keys())
    assert keys == ["value", "positional", "a"]
    assert [reg.get(key) for key in keys] == [1.5, 2.5, math.pi]


def test_indirect_is_imported_only_when_asked_for() -> None:
    reg: registry.Registry[object] = registry.Registry()
    reg.register("missing", indirect="no_such_module:x")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        reg.get("missing")


def test_unknown_key_names_the_known_ones() -> None:
    reg: registry.Registry[int] = registry.Registry()
    with pytest.raises(KeyError, match="'x' is not registered; registered are: none"):
        reg.get("x")
    reg.register("ppo", 1)
    with pytest.raises(KeyError, match="registered are: ppo") as caught:
        reg.get("x")
    assert isinstance(caught.value, ImitationError)
    assert str(caught.value).startswith("Key 'x'")


def test_registering_twice_changes_nothing() -> None:
    reg: registry.Registry[int] = registry.Registry()
    reg.register("x", 1)
    for kwargs in ({"value": 2}, {"indirect": "math:pi"}):
        with pytest.raises(KeyError, match="Duplicate registration for 'x'"):
            reg.register("x", **kwargs)
    assert reg.get("x") == 1


@pytest.mark.parametrize("kwargs", [{}, {"value": 1, "indirect": "math:pi"}])
def test_exactly_one_source(kwargs: Any) -> None:
    reg: registry.Registry[int] = registry.Registry()
    with pytest.raises(ValueError, match="exactly one of 'value' and 'indirect'"):
        reg.register("x", **kwargs)
    assert not reg.keys()


def test_false_values_can_be_registered() -> None:
    reg: registry.Registry[int] = registry.Registry()
    reg.register("zero", 0)
    assert reg.get("zero") == 0


def test_load_attr() -> None:
    assert registry.load_attr("math:pi") == math.pi
    assert registry.load_attr("collections:abc.Mapping.__name__") == "Mapping"
    with pytest.raises(AttributeError):
        registry.load_attr("math:no_such_attribute")


@pytest.mark.parametrize("name", ["math", ":pi", "math:", ""])
def test_load_attr_refuses(name: str) -> None:
    with pytest.raises(ValueError, match=r"path\.to\.module:attribute"):
        registry.load_attr(name)


def test_loader_functions() -> None:
    venv = SimpleNamespace(observation_space="obs", action_space="act")

    def record(*args: str | SimpleNamespace, **kwargs: Any) -> Any:
        return args, kwargs

    of_space = registry.build_loader_fn_require_space(record, a=1, b=2)
    assert of_space(venv, b=3) == (("obs", "act"), {"a": 1, "b": 3})
    of_env = registry.build_loader_fn_require_env(record, a=1)
    assert of_env(venv, c=3) == ((venv,), {"a": 1, "c": 3})
