"""Writes the tables in docs/guide/cli.md from the settings and the registry.

Run it after changing a setting or a command:
``python docs/_tools/cli_reference.py``. A test fails while the page is out of date.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from imitation.scripts import settings as typed
from imitation.scripts.command import CommandSettings, Script
from imitation.scripts.registry import COMMANDS, experiments

PAGE = pathlib.Path(__file__).resolve().parents[1] / "guide" / "cli.md"
MARKERS = ("<!-- {}: begin -->", "<!-- {}: end -->")


def scripts() -> list[Script[Any]]:
    """Returns the scripts that the page describes."""
    return [command.load_experiment().script for command in experiments().values()]


def resume_table() -> str:
    """Returns the table of how each command is resumed."""
    users: dict[tuple[str, str], list[str]] = {}
    for name, command in COMMANDS.items():
        if command.resume is not None:
            key = (command.resume.continues_from, command.resume.result)
            users.setdefault(key, []).append(f"`{name}`")
    rows = [
        f"| {', '.join(names)} | {source} | {result} |"
        for (source, result), names in users.items()
    ]
    return "\n".join(
        ["| command | continues from | the result |", "|---|---|---|", *rows]
    )


def rendered() -> str:
    """Returns the generated part of the page."""
    own, groups = _collect()
    parts = [_own_section(name, cls, own) for name, cls in own.items()]
    for group, (cls, inner, users) in groups.items():
        lines = [f"### `{group}`", "", f"{_first_line(cls)} Used by {users}.", ""]
        table = _table(cls, f"{group}.", inner=inner)
        parts.append("\n".join(lines + table + _presets(cls, group)))
    return "\n\n".join(parts)


def page(text: str) -> str:
    """Returns the page with its generated parts replaced."""
    for name, part in (("resume", resume_table()), ("settings", rendered())):
        begin, end = (marker.format(name) for marker in MARKERS)
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{part}\n\n{end}{tail}"
    return text


Conditions = Mapping[str, typed.When]


def _collect() -> tuple[dict[str, type], dict[str, tuple[type, Conditions, str]]]:
    """The settings classes of the scripts, and of the groups with their users."""
    own = {script.name: script.settings_cls for script in scripts()}
    found: dict[str, tuple[type, Conditions, list[str]]] = {}

    def visit(cls: type, path: str, user: str) -> None:
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for field, sub_cls in typed.sub_settings(cls).items():
            name = f"{path}{field}"
            inner = typed.declaration(fields[field]).inner
            found.setdefault(name, (sub_cls, inner, []))[2].append(f"`{user}`")
            visit(sub_cls, f"{name}.", user)

    for name, cls in own.items():
        visit(cls, "", name)
    groups = {
        name: (cls, w, ", ".join(users)) for name, (cls, w, users) in found.items()
    }
    return own, groups


def _own_section(name: str, cls: type, own: Mapping[str, type]) -> str:
    """The settings of a script that belong to no group."""
    lines = [f"### `{name}`", ""]
    table = _table(cls, "", shared=() if name == next(iter(own)) else _SHARED)
    presets = [f"`{preset}`" for preset in cls.named_configs]  # type: ignore[attr-defined]  # every settings class has it
    return "\n".join([*lines, *table, "", f"Named configs: {', '.join(presets)}."])


_SHARED = tuple(
    name
    for name in typed.field_docs(CommandSettings)
    if name not in typed.sub_settings(CommandSettings)
)


def _table(
    cls: type,
    prefix: str,
    shared: tuple[str, ...] = (),
    inner: Conditions | None = None,
) -> list[str]:
    """One row per setting: its name, default, values and meaning."""
    docs, defaults = typed.field_docs(cls), typed.to_config(cls())
    groups, hints = typed.sub_settings(cls), typed.field_types(cls)
    rows = []
    for field in dataclasses.fields(cls):
        name = field.name
        if name in groups or name in shared:
            continue
        declared = typed.declaration(field)
        rule, hint = declared.rule, hints[name]
        values = rule.described(hint) if rule else typed.describe(hint)
        if declared.path:
            values = values.replace("a string", "a path that exists")
        applies = (inner or {}).get(name, declared.applies)
        text = docs[name]
        if applies is not None:
            text += f" Applies only {applies.described(prefix)}."
        cells = f"`{defaults[name]!r}` | {_escaped(values)} | {_escaped(text)}"
        rows.append(f"| `{prefix}{name}` | {cells} |")
    if not rows:
        return ["All its settings are in groups." if not prefix else ""]
    return ["| setting | default | values | meaning |", "|---|---|---|---|", *rows]


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table."""
    for character in "|<":
        text = text.replace(character, f"\\{character}")
    return text


def _presets(cls: type, group: str) -> list[str]:
    """The line about a group's named configs."""
    presets = [f"`{group}.{name}`" for name in getattr(cls, "named_configs", {})]
    return ["", f"Named configs: {', '.join(presets)}."] if presets else []


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
