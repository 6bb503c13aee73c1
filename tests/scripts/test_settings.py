"""Typed settings built from nested mappings, and their one-line errors."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch as th

from imitation.errors import ConfigError
from imitation.scripts import settings as typed

RELU = typed.ClassPath("torch.nn:ReLU")


@dataclasses.dataclass(frozen=True)
class Inner:
    size: int = 3
    """How large."""

    cls_name: typed.ClassPath = RELU
    """Which
    class."""


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)
    """A group."""

    rate: float = 0.5
    """A rate."""

    flag: bool = False
    name: str | None = None
    kind: Literal["a", "b"] = "a"
    parts: tuple[str, ...] = ("x",)
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    either: int | str = 1


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"rate": 2},
        {"inner": {"size": 5.0}, "name": "n", "kind": "b", "either": "x"},
        {"parts": ["p", "q"], "kwargs": {"deep": {"lr": 1e-3, "none": None}}},
    ],
)
def test_build_and_to_config_are_inverse(config: Any) -> None:
    built = typed.build(Outer, config)
    assert typed.build(Outer, typed.to_config(built)) == built
    for name, value in typed.flatten(config):
        found = dict(typed.flatten(typed.to_config(built)))[name]
        assert found == value


def test_numbers_take_the_type_of_their_field() -> None:
    built = typed.build(Outer, {"inner": {"size": 1e6}, "rate": 2})
    assert type(built.inner.size) is int and built.inner.size == 1_000_000
    assert type(built.rate) is float


@pytest.mark.parametrize("name", [th.nn.Tanh, "torch.nn.Tanh", "torch.nn:Tanh"])
def test_a_class_may_be_given_by_itself_or_by_name(name: Any) -> None:
    built = typed.build(Outer, {"inner": {"cls_name": name}})
    loaded = typed.load_class(built.inner.cls_name, th.nn.Module, "inner.cls_name")
    assert loaded is th.nn.Tanh


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rte": 1}, "unknown setting 'rte'; did you mean rate"),
        (
            {"inner": {"sise": 1}},
            "unknown setting 'inner.sise'; did you mean inner.size",
        ),
        ({"zzz": 1}, "unknown setting 'zzz'; known are inner, rate"),
        ({"inner": 3}, "inner is a group of settings, got 3"),
        ({"inner": {"size": 2.5}}, "inner.size must be a whole number, got 2.5"),
        ({"inner": {"size": True}}, "inner.size must be a whole number, got True"),
        (
            {"inner": {"size": float("nan")}},
            "inner.size must be a whole number, got nan",
        ),
        (
            {"inner": {"size": float("inf")}},
            "inner.size must be a whole number, got inf",
        ),
        ({"inner": {"cls_name": "no class"}}, "inner.cls_name must be a class name"),
        ({"rate": "fast"}, "rate must be a number, got 'fast'"),
        ({"flag": "true"}, "flag must be True or False, got 'true'"),
        ({"flag": 1}, "flag must be True or False, got 1"),
        ({"name": 3}, "name must be a string or None, got 3"),
        ({"kind": "c"}, "kind must be one of 'a', 'b', got 'c'"),
        ({"parts": "pq"}, "parts must be a list of a string, got 'pq'"),
        ({"parts": [1]}, "parts must be a list of a string"),
        ({"kwargs": [1]}, r"kwargs must be a dict, got \[1\]"),
    ],
)
def test_what_does_not_fit_is_explained(config: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        typed.build(Outer, config)


def test_merge_is_deep_and_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    update = {"a": {"c": 3}, "d": [2]}
    merged = typed.merge(base, update)
    assert merged == {"a": {"b": 1, "c": 3}, "d": [2]}
    merged["a"]["b"] = merged["d"][0] = 9
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}
    assert update == {"a": {"c": 3}, "d": [2]}


def test_dotted_keys_nest() -> None:
    config = {"a.b.c": 1, "a": {"d": 2}, "e.f": {"g.h": 3}}
    expected = {"a": {"b": {"c": 1}, "d": 2}, "e": {"f": {"g": {"h": 3}}}}
    assert typed.expand_dotted(config) == expected


def test_named_classes_in_keyword_arguments_are_loaded() -> None:
    kwargs = {
        "activation_fn": "torch.nn:Tanh",
        "dotted_fn": "torch.nn.ReLU",
        "nested": {"norm_class": "torch.nn:LayerNorm"},
        "title": "torch.nn:Tanh",
        "n": 3,
    }
    loaded = typed.load_classes(kwargs, th.nn.Module, "kw")
    assert loaded["activation_fn"] is th.nn.Tanh
    assert loaded["dotted_fn"] is th.nn.ReLU
    assert loaded["nested"]["norm_class"] is th.nn.LayerNorm
    assert loaded["title"] == "torch.nn:Tanh" and loaded["n"] == 3
    assert kwargs["activation_fn"] == "torch.nn:Tanh"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.at:All", "cannot be imported"),
        ("torch.nn:Nothing", "cannot be imported"),
        ("os:system", "must name a subclass of Module"),
        ("builtins:dict", "must name a subclass of Module"),
    ],
)
def test_a_name_that_is_no_class_of_the_right_kind(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"kw\.x_class.*{message}"):
        typed.load_classes({"x_class": path}, th.nn.Module, "kw")


def test_docstrings_under_fields_are_found_on_one_line() -> None:
    assert typed.field_docs(Inner) == {"size": "How large.", "cls_name": "Which class."}
    assert typed.field_docs(Outer)["rate"] == "A rate."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranges(typed.Settings):
    prefix = "group."

    whole: int = typed.setting(4, more_than=0)
    part: int | None = typed.setting(None, divides="whole")
    share: float = typed.setting(0.5, at_least=0, less_than=1)
    sizes: tuple[int, ...] = typed.setting((1,), at_least=1)
    kind: str = typed.setting("a", choices=("a", "b"))
    kwargs: Mapping[str, Any] = typed.setting({"n": 1}, counts=("n",))
    only_a: int = typed.setting(0, applies=typed.When("kind", ("a",)))
    only_part: int = typed.setting(0, applies=typed.When("part"))
    file: str | None = typed.setting(None, path=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"whole": 0}, "group.whole must be a positive integer, got 0"),
        ({"part": 3}, "group.part must be a divisor of group.whole=4, got 3"),
        ({"part": 0}, "group.part must be a divisor of group.whole=4, got 0"),
        ({"share": 1.0}, r"group.share must be a number in \[0, 1\), got 1.0"),
        ({"share": float("nan")}, "group.share must be a number in .*got nan"),
        ({"sizes": (1, 0)}, r"group.sizes must be positive integers, got \(1, 0\)"),
        ({"kind": "c"}, "group.kind must be one of a, b, got 'c'"),
        ({"kwargs": {"n": 0}}, "group.kwargs.n must be a positive integer, got 0"),
        ({"kwargs": {"n": True}}, "group.kwargs.n must be a positive integer"),
    ],
)
def test_a_range_is_declared_with_its_setting(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Ranges(**values)


def test_values_within_their_ranges_are_accepted() -> None:
    made = Ranges(whole=6, part=3, share=0.0, sizes=(), kind="b", kwargs={"n": None})
    assert (made.whole, made.part, made.sizes) == (6, 3, ())
    assert Ranges().kwargs is not Ranges().kwargs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Root(typed.Settings):
    group: Ranges = typed.group(Ranges, commands=("one", "two"))


@pytest.mark.parametrize(
    ("given", "command", "message"),
    [
        ({"kind": "b", "only_a": 1}, "one", "only with group.kind=a; change that or"),
        ({"only_part": 2}, "one", "group.only_part=2 .* applies only with group.part"),
        ({"kind": "b"}, "three", "only to one and two, not to three"),
        ({"kwargs": {"m": 2}}, "three", "group.kwargs.m=2 has no effect"),
    ],
)
def test_a_given_setting_that_cannot_have_an_effect_is_refused(
    given: dict[str, Any], command: str, message: str
) -> None:
    settings = typed.build(Root, {"group": given})
    with pytest.raises(ConfigError, match=message):
        typed.check_effects(settings, {"group": given}, command)
    typed.check_effects(settings, {}, command)  # as when a preset has set it


def test_a_given_default_is_never_refused() -> None:
    given = {"group": {"kind": "b", "only_a": 0, "kwargs": {"n": 1}}}
    typed.check_effects(typed.build(Root, given), given, "two")
    given["group"]["kind"] = "a"
    typed.check_effects(typed.build(Root, given), given, "three")


def test_a_path_must_exist_where_it_has_an_effect(workdir: pathlib.Path) -> None:
    settings = typed.build(Root, {"group": {"file": "here"}})
    with pytest.raises(ConfigError, match=r"group\.file='here' does not exist"):
        typed.check_paths(settings, "one")
    typed.check_paths(settings, "three")
    (workdir / "here").touch()
    typed.check_paths(settings, "one")
