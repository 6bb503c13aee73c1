"""Declarations of settings: default, range and applicability, each in one place.

    batch_size: int = setting(32, more_than=0)
    minibatch_size: int | None = setting(None, divides="batch_size")
    n_eval_episodes: int = setting(10, more_than=0, applies=When("eval_interval"))

`Settings.__post_init__` checks the ranges, `check_effects` refuses a setting that was
given and cannot have an effect, `check_paths` looks for the files that settings name,
and the reference of the command line shows all three.
"""

import copy
import dataclasses
import math
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar, cast

from imitation.errors import ConfigError
from imitation.scripts.settings.arguments import check_keys
from imitation.scripts.settings.conversion import plain
from imitation.scripts.settings.nested import Config, Presets, flatten, merge
from imitation.scripts.settings.schema import field_types

T = TypeVar("T")
# The key of a field's metadata under which its `_Declaration` is.
_KEY = "imitation"


@dataclasses.dataclass(frozen=True)
class When:
    """A condition under which a setting, or a group of them, has an effect.

    Args:
        name: an attribute of the settings in which the condition is declared.
        values: the values with which it holds; if empty, every true value.
        text: the condition in words, to follow "it applies only"; made of the name and
            the values if empty.
    """

    name: str
    values: tuple[object, ...] = ()
    text: str = ""

    def holds(self, settings: object) -> bool:
        """Returns whether the condition holds for (resolved) settings."""
        value = getattr(settings, self.name)
        return value in self.values if self.values else bool(value)

    def described(self, prefix: str) -> str:
        """Returns the condition in words."""
        if self.text:
            return self.text
        if self.values == (None,):
            return f"without {prefix}{self.name}"
        chosen = " or ".join(map(str, self.values))
        return f"with {prefix}{self.name}{'=' if chosen else ''}{chosen}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A range of values. None is in every range, where the type allows it."""

    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    less_than: float | None = None
    choices: tuple[object, ...] = ()
    divides: str | None = None
    """The setting beside this one that must be a multiple of it."""

    def __bool__(self) -> bool:
        return self != Rule()

    def allows(self, value: object, beside: Mapping[str, object]) -> bool:
        """Returns whether a value is in the range.

        A tuple is judged by its items; `divides` needs the settings `beside`.
        """
        if isinstance(value, tuple):
            return all(self.allows(item, beside) for item in value)
        if value is None or (self.choices and value in self.choices):
            return True
        if self.choices or not isinstance(value, int | float):
            return False
        whole = beside.get(self.divides or "")
        if self.divides is not None and whole is not None:
            # A size of 0 or less divides nothing; more_than=0 would say less.
            return value > 0 and cast(int, whole) % value == 0
        # Integers may be too large for a float.
        finite = isinstance(value, int) or math.isfinite(value)
        return (
            finite
            and (self.at_least is None or value >= self.at_least)
            and (self.more_than is None or value > self.more_than)
            and (self.at_most is None or value <= self.at_most)
            and (self.less_than is None or value < self.less_than)
        )

    def described(self, hint: object) -> str:
        """Returns the range in words, such as "a positive integer or None"."""
        several = typing.get_origin(hint) is tuple
        options = set(typing.get_args(hint)) or {hint}
        noun = "number" if float in options else "integer"
        if self.choices:
            text = f"one of {', '.join(map(str, self.choices))}"
        elif self.divides is not None:
            text = f"a divisor of {self.divides}"
        else:
            text = self._bounds(noun)
        if several:
            return text.removeprefix("a ").removeprefix("an ") + "s"
        return f"{text} or None" if types.NoneType in options else text

    def _bounds(self, noun: str) -> str:
        article = "an" if noun == "integer" else "a"
        closed, low = self.at_least is not None, self.at_least
        low = self.more_than if low is None else low
        if self.at_most is not None or self.less_than is not None:
            top = f"{self.at_most}]" if self.less_than is None else f"{self.less_than})"
            return f"{article} {noun} in {'[' if closed else '('}{low}, {top}"
        if (not closed and low == 0) or (noun == "integer" and low == 1):
            return f"a positive {noun}"
        return f"{article} {noun} {'≥' if closed else '>'} {low}"


@dataclasses.dataclass(frozen=True)
class _Declaration:
    """The metadata of a field that holds a setting or a group of settings."""

    rule: Rule = Rule()
    applies: When | None = None
    path: bool = False
    entries: Mapping[str, Rule] = dataclasses.field(default_factory=dict)
    arguments_of: Callable[..., object] | None = None
    filled: Collection[str] = ()
    commands: tuple[str, ...] = ()
    inner: Mapping[str, When] = dataclasses.field(default_factory=dict)


def setting(
    default: T,
    *,
    at_least: float | None = None,
    more_than: float | None = None,
    at_most: float | None = None,
    less_than: float | None = None,
    choices: Iterable[object] = (),
    divides: str | None = None,
    applies: When | None = None,
    path: bool = False,
    counts: Iterable[str] = (),
    arguments_of: Callable[..., object] | None = None,
    filled: Collection[str] = (),
) -> T:
    """Declares a field of a settings class.

    Args:
        default: its default; a mapping is copied for each instance.
        at_least: the least value.
        more_than: what every value is above.
        at_most: the largest value.
        less_than: what every value is below.
        choices: the possible values.
        divides: the name of the setting that must be a multiple of this one.
        applies: when the setting has an effect; None is always.
        path: whether it names a file or a directory that must exist.
        counts: keys of a mapping whose values must be positive integers.
        arguments_of: the function whose arguments are the keys of a mapping.
        filled: those of its arguments that the command passes itself.

    Returns:
        A dataclass field, typed as its default.
    """
    declared = _Declaration(
        rule=Rule(
            at_least=at_least,
            more_than=more_than,
            at_most=at_most,
            less_than=less_than,
            choices=tuple(choices),
            divides=divides,
        ),
        applies=applies,
        path=path,
        entries=dict.fromkeys(counts, Rule(at_least=1)),
        arguments_of=arguments_of,
        filled=filled,
    )
    metadata = {_KEY: declared}
    # Dataclasses refuse mutable defaults, and no two instances may share one.
    if isinstance(default, Mapping):
        made: object = dataclasses.field(
            default_factory=lambda: copy.deepcopy(default), metadata=metadata
        )
    else:
        made = dataclasses.field(default=default, metadata=metadata)
    return cast(T, made)


def group(
    cls: type[T],
    *,
    commands: tuple[str, ...] = (),
    applies: When | None = None,
    inner: Mapping[str, When] | None = None,
) -> T:
    """Declares a field that holds a group of settings.

    Args:
        cls: the class of the group; its defaults are the defaults.
        commands: the commands that use the group; empty for all of the script.
        applies: when the group has an effect; None is always.
        inner: when fields of the group have an effect, for a class that is not a
            `Settings` and so cannot say it itself.

    Returns:
        A dataclass field, typed as the group.
    """
    declared = _Declaration(commands=commands, applies=applies, inner=inner or {})
    made: Any = dataclasses.field(default_factory=cls, metadata={_KEY: declared})
    return cast(T, made)


def declaration(field: "dataclasses.Field[Any]") -> _Declaration:
    """Returns what `setting` or `group` declared about a field."""
    return cast(_Declaration, field.metadata.get(_KEY, _Declaration()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of settings classes: checks what its fields declare.

    Raises:
        ConfigError: a value is out of its range, or a mapping has an unknown key.
    """

    named_configs: ClassVar[Presets] = {}
    """The presets: values by (dotted) name, which the settings get together."""

    prefix: ClassVar[str] = ""
    """The group's dotted name and a dot, for error messages."""

    def __post_init__(self) -> None:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for field in dataclasses.fields(self):
            declared, value = declaration(field), values[field.name]
            name = f"{self.prefix}{field.name}"
            if declared.rule and not declared.rule.allows(value, values):
                hint = field_types(cast(type, type(self)))[field.name]
                raise _out_of_range(name, declared.rule, hint, value, values)
            if declared.arguments_of is not None and value is not None:
                check_keys(value, declared.arguments_of, name, declared.filled)
            check_entries(value, declared.entries, name)


def check_entries(
    mapping: Mapping[str, object], rules: Mapping[str, Rule], name: str
) -> None:
    """Checks integers in a mapping; those that are missing or None are fine."""
    for key, rule in rules.items():
        value = mapping.get(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and rule.allows(value, mapping)):
            raise _out_of_range(f"{name}.{key}", rule, int, value, mapping)


def require(condition: bool, name: str, expected: str, value: object) -> None:
    """Raises a one-line error unless a setting is as it should be.

    Raises:
        ConfigError: `condition` is false.
    """
    if not condition:
        raise ConfigError(f"{name} must be {expected}, got {value!r}")


def check_effects(settings: object, given: Config, command: str | None) -> None:
    """Refuses settings that were given and cannot have an effect.

    Presets of ours are not "given": they set things for several commands and cases.
    """
    for name, value, reason in _without_effect(settings, given, command, "", {}):
        raise ConfigError(
            f"{name}={value!r} has no effect: it applies only {reason}; change that or "
            f"leave {name} out"
        )


def _without_effect(
    settings: object,
    given: Config,
    command: str | None,
    path: str,
    inner: Mapping[str, When],
) -> Iterator[tuple[str, object, str]]:
    """Yields name, value and reason of given settings that do not apply."""
    for field in dataclasses.fields(cast(Any, settings)):
        if field.name not in given:
            continue
        declared, name = declaration(field), f"{path}{field.name}"
        own, value = getattr(settings, field.name), given[field.name]
        applies = inner.get(field.name, declared.applies)
        reason = ""
        if declared.commands and command not in (None, *declared.commands):
            reason = f"to {' and '.join(declared.commands)}, not to {command}"
        elif applies is not None and not applies.holds(settings):
            reason = applies.described(path)
        # Compared as merged plain data: a mapping may be given in part.
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        if reason:
            before = dict(flatten({field.name: plain(default)}, path.rstrip(".")))
            after = merge({field.name: plain(default)}, {field.name: plain(value)})
            for key, leaf in flatten(after, path.rstrip(".")):
                if before.get(key) != leaf:
                    yield key, leaf, reason
        elif dataclasses.is_dataclass(own) and isinstance(value, Mapping):
            yield from _without_effect(own, value, command, f"{name}.", declared.inner)


def check_paths(settings: object, command: str, path: str = "") -> None:
    """Checks that the files exist which settings name, where they have an effect."""
    for field in dataclasses.fields(cast(Any, settings)):
        declared, value = declaration(field), getattr(settings, field.name)
        applies = declared.applies is None or declared.applies.holds(settings)
        if not applies or (declared.commands and command not in declared.commands):
            continue
        name = f"{path}{field.name}"
        if declared.path and value is not None and not os.path.exists(value):
            raise ConfigError(f"{name}={value!r} does not exist")
        if dataclasses.is_dataclass(value):
            check_paths(value, command, f"{name}.")


def _out_of_range(
    name: str, rule: Rule, hint: object, value: object, beside: Mapping[str, object]
) -> ConfigError:
    expected = rule.described(hint)
    if rule.divides is not None:
        whole = f"{name.rpartition('.')[0]}.{rule.divides}".lstrip(".")
        expected = f"a divisor of {whole}={beside[rule.divides]}"
    return ConfigError(f"{name} must be {expected}, got {value!r}")
