"""A command: its typed settings, its named presets and the function it runs.

Nothing here knows Sacred; `imitation.scripts.sacred_adapter` turns a `Script` into a
Sacred experiment.
"""

import dataclasses
import difflib
import json
import os
import pathlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from imitation.errors import ArtifactError, ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.ingredients.logging import SETTINGS_FILE, LoggingSettings
from imitation.scripts.settings import Config, ConfigDict, Presets

_FORMAT = 1


class RunHandle(Protocol):
    """The part of a Sacred run that commands use."""

    observers: Sequence[Any]
    info: ConfigDict

    def log_scalar(self, name: str, value: float, step: int | None = None) -> None:
        """Adds one measurement to ``metrics.json``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommandSettings(typed.Settings):
    """Settings that every command has."""

    replaces_runs: ClassVar[bool] = False
    """Whether the command may write to the directory of an earlier run of its own."""

    seed: int | None = typed.setting(None, at_least=0, less_than=2**32)
    """Seed of every random choice; None draws one and stores it with the run."""

    resume: str | None = typed.setting(None)
    """Run directory of an interrupted run to continue with its own settings."""

    logging: LoggingSettings = typed.group(LoggingSettings)
    """Where the run writes and what it logs."""

    @property
    def place(self) -> str:
        """The subject of the run, part of its path: the environment's id."""
        return "all"

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings.

        Returns:
            Settings that a second call leaves as they are.
        """
        # Not from NumPy's or Python's global generators, which libraries seed.
        seed = secrets.randbelow(2**31) if self.seed is None else self.seed
        logging = self.logging.resolved(command, self.place)
        return dataclasses.replace(self, seed=seed, logging=logging)

    def rng(self, purpose: str) -> np.random.Generator:
        """Returns the generator of one part of the run, independent of the others.

        The same `purpose` gives the same numbers.
        """
        assert self.seed is not None, "resolved settings have a seed"
        # The bytes join the entropy, so that no purpose's stream depends on another's
        # or on the order in which they are asked for.
        return np.random.default_rng([self.seed, *purpose.encode()])

    def make_seed(self, purpose: str) -> int:
        """Returns a seed in [0, 2^31) for one part of the run."""
        return int(self.rng(purpose).integers(2**31))

    def check(self, command: str) -> None:
        """Looks at the world outside the settings: paths, environments, classes."""
        typed.check_paths(self, command)


S = TypeVar("S", bound=CommandSettings)
Command = Callable[[S, RunHandle], object]


@dataclasses.dataclass(frozen=True)
class Script(Generic[S]):
    """One ``python -m imitation.scripts.NAME``: settings, presets and commands."""

    name: str
    """The name of the module, such as "train_rl"."""

    doc: str
    """What the script does, in a sentence."""

    settings_cls: type[S]
    """The class of the settings; its defaults are the script's defaults."""

    commands: Mapping[str, Command[S]]
    """The functions to run, by name."""

    @property
    def default_command(self) -> str | None:
        """The command that runs when none is named: the only one, if there is one."""
        return next(iter(self.commands)) if len(self.commands) == 1 else None

    def make_settings(
        self,
        command: str,
        config_updates: Mapping[str, object] | None = None,
        named_configs: Sequence[str] = (),
        *,
        for_any_command: bool = False,
    ) -> S:
        """Builds the complete settings of a run.

        Args:
            command: the name of the command that will run.
            config_updates: values by (dotted or nested) name; they win over presets.
            named_configs: names of presets, ``ingredient.preset`` for those of an
                ingredient, or paths of JSON files; later ones win over earlier ones.
            for_any_command: whether to accept settings of the script's other commands.

        Raises:
            ConfigError: a name is unknown or a value does not fit.
            ArtifactError: the run to resume cannot be read.
        """
        given = typed.expand_dotted(config_updates or {})
        resume = given.get("resume")
        if resume is not None:
            extra = [*named_configs, *sorted(set(given) - {"resume"})]
            # Other settings would make the rest of the run differ from its beginning.
            if extra:
                raise ConfigError(
                    "resume continues a run with its own settings; "
                    f"leave out {', '.join(extra)}"
                )
            return self._build(read_run(str(resume), self.name, command), command)
        config: ConfigDict = {}
        files: ConfigDict = {}
        presets = self.presets()
        for name in named_configs:
            chosen = presets[name] if name in presets else _read_preset(name, presets)
            config = typed.merge(config, chosen)
            # All that a file says must have an effect, as it is the user's; presets of
            # ours also set things for other commands.
            if name not in presets:
                files = typed.merge(files, chosen)
        settings = self._build(typed.merge(config, given), command)
        runs = None if for_any_command else command
        typed.check_effects(settings, typed.merge(files, given), runs)
        return settings

    def _build(self, updates: Mapping[str, object], command: str) -> S:
        # Merged with the defaults, for updates of a mapping need not name all its keys.
        merged = typed.merge(self.defaults(), updates)
        return typed.build(self.settings_cls, merged).resolved(command)

    def check(self, settings: S, command: str) -> None:
        """Checks the directory that a run will write to, and what its settings name."""
        own = settings.replaces_runs or settings.resume is not None
        settings.logging.check(replaces=self.name if own else None)
        settings.check(command)

    def defaults(self) -> ConfigDict:
        """Returns the default settings as nested dicts."""
        return typed.to_config(self.settings_cls())

    def presets(self) -> dict[str, Config]:
        """Returns every named preset by its full name, as updates from the root."""
        return dict(_presets(self.settings_cls, ""))


def read_run(path: str, script: str, command: str) -> ConfigDict:
    """Reads the settings of a run that is to be continued.

    Args:
        path: the run directory: the one with the results or its Sacred directory.
        script: the script that must have written it.
        command: the command that must have written it.

    Returns:
        The stored settings as updates, writing to the same directory again.
    """
    directory = pathlib.Path(path)
    # Users also pass Sacred's directory of the run, which names ours in its config.
    sacred_config = directory / "config.json"
    if sacred_config.is_file() and not (directory / SETTINGS_FILE).is_file():
        config = _read_json(sacred_config)
        directory = pathlib.Path(config.get("logging", {}).get("log_dir", path))
    stored = _read_json(directory / SETTINGS_FILE)
    if stored.get("script") != script or stored.get("command") != command:
        raise ArtifactError(
            f"resume={path!r} was written by {stored.get('script')} "
            f"{stored.get('command')}; resume it with that command, not {command}"
        )
    updates: ConfigDict = stored.get("settings", {})
    if not isinstance(updates.get("logging"), dict):
        raise ArtifactError(f"{directory / SETTINGS_FILE} is damaged: settings missing")
    # A run may have been moved: it goes on where it lies now.
    updates["resume"] = str(directory)
    updates["logging"]["log_dir"] = str(directory)
    return updates


def stored_run(script: str, command: str, settings: CommandSettings) -> ConfigDict:
    """Returns what `read_run` needs to continue a run."""
    return {
        "format_version": _FORMAT,
        "script": script,
        "command": command,
        "settings": typed.to_config(settings),
    }


def _presets(cls: type, path: str) -> list[tuple[str, Mapping[str, object]]]:
    """Returns the presets of a settings class and of its groups, by full name."""
    found: list[tuple[str, Config]] = []
    # A group may be a plain dataclass of an algorithm, which has no presets.
    own: Presets = getattr(cls, "named_configs", {})
    for name, updates in own.items():
        full = f"{path}.{name}" if path else name
        nested = {path: updates} if path else updates
        found.append((full, typed.expand_dotted(nested)))
    for field, sub_cls in typed.sub_settings(cls).items():
        found += _presets(sub_cls, f"{path}.{field}" if path else field)
    return found


def _read_preset(path: str, known: Mapping[str, object]) -> dict[str, object]:
    """Reads updates from a JSON file that stands where a preset's name may stand."""
    if not os.path.isfile(path):
        close = difflib.get_close_matches(path, known, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else (
                "the command print_named_configs lists them (settings are given as "
                "key=value)"
            )
        )
        raise ConfigError(f"unknown named config {path!r}; {hint}")
    if not path.endswith(".json"):
        raise ConfigError(f"config file {path!r} must be a .json file")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except ValueError as error:
        raise ConfigError(f"config file {path!r} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"config file {path!r} must hold a JSON object")
    return typed.expand_dotted(config)


def _read_json(path: pathlib.Path) -> ConfigDict:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(
            f"{path.parent} holds no run to resume ({path.name} is missing); "
            "pass the directory that the interrupted run printed"
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} must hold a JSON object")
    return value
