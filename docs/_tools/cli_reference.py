"""Writes the tables of settings in docs/guide/cli.md from the settings classes.

Run it after changing a setting: ``python docs/_tools/cli_reference.py``. A test fails
while the page and the classes differ.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from imitation.scripts import settings as typed
from imitation.scripts.analyze import analysis_ex
from imitation.scripts.command import CommandSettings, Script
from imitation.scripts.eval_policy import eval_policy_ex
from imitation.scripts.parallel import parallel_ex
from imitation.scripts.train_adversarial import train_adversarial_ex
from imitation.scripts.train_density import train_density_ex
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_mce_irl import train_mce_irl_ex
from imitation.scripts.train_preference_comparisons import (
    train_preference_comparisons_ex,
)
from imitation.scripts.train_rl import train_rl_ex
from imitation.scripts.tuning import tuning_ex

PAGE = pathlib.Path(__file__).resolve().parents[1] / "guide" / "cli.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def scripts() -> list[Script[Any]]:
    """Returns the scripts that the page describes."""
    experiments = (
        train_rl_ex,
        train_imitation_ex,
        train_adversarial_ex,
        train_preference_comparisons_ex,
        train_density_ex,
        train_mce_irl_ex,
        eval_policy_ex,
        parallel_ex,
        tuning_ex,
        analysis_ex,
    )
    return [experiment.script for experiment in experiments]


def rendered() -> str:
    """Returns the generated part of the page."""
    own, groups = _collect()
    parts = [_own_section(name, cls, own) for name, cls in own.items()]
    for group, (cls, users) in groups.items():
        lines = [f"### `{group}`", "", f"{_first_line(cls)} Used by {users}.", ""]
        parts.append("\n".join(lines + _table(cls, f"{group}.") + _presets(cls, group)))
    return "\n\n".join(parts)


def page(text: str) -> str:
    """Returns the page with its generated part replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{rendered()}\n\n{END}{tail}"


def _collect() -> tuple[dict[str, type], dict[str, tuple[type, str]]]:
    """The settings classes of the scripts, and of the groups with their users."""
    own = {script.name: script.settings_cls for script in scripts()}
    found: dict[str, tuple[type, list[str]]] = {}

    def visit(cls: type, path: str, user: str) -> None:
        for field, sub_cls in typed.sub_settings(cls).items():
            name = f"{path}{field}"
            found.setdefault(name, (sub_cls, []))[1].append(f"`{user}`")
            visit(sub_cls, f"{name}.", user)

    for name, cls in own.items():
        visit(cls, "", name)
    return own, {name: (cls, ", ".join(u)) for name, (cls, u) in found.items()}


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


def _table(cls: type, prefix: str, shared: tuple[str, ...] = ()) -> list[str]:
    """One row per setting: its name, default and meaning."""
    docs, defaults = typed.field_docs(cls), typed.to_config(cls())
    groups = typed.sub_settings(cls)
    rows = [
        f"| `{prefix}{name}` | `{value!r}` | {_escaped(docs[name])} |"
        for name, value in defaults.items()
        if name not in groups and name not in shared
    ]
    if not rows:
        return ["All its settings are in groups." if not prefix else ""]
    return ["| setting | default | meaning |", "|---|---|---|", *rows]


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
