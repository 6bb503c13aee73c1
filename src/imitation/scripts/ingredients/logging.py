"""Run directories and loggers.

A command writes to ``<log_root>/<command>/<environment>/<timestamp>``, with a link
``sacred`` to the directory in which Sacred stores the run.
"""

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.ingredients.wb import WandbSettings, wandb_init
from imitation.scripts.settings import Config, Presets, Settings, When, group, setting

if TYPE_CHECKING:
    from imitation.util.logger import HierarchicalLogger

# The file in a run directory from which the run can be resumed.
SETTINGS_FILE = "settings.json"

# Formats that survive a kill and are read back at once.
_RECORDS = ("csv", "json")

_FORMATS = ("csv", "json", "log", "stdout", "tensorboard", "wandb")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoggingSettings(Settings):
    """The run directory, and the formats of its logs."""

    prefix = "logging."

    named_configs: ClassVar[Presets] = {
        "wandb_logging": {"log_format_strs_additional": {"wandb": None}},
    }

    log_root: str | None = setting(None)
    """Directory that holds the run directories; None is "output"."""

    log_dir: str | None = setting(None)
    """Run directory; None is <log_root>/<command>/<environment>/<timestamp>."""

    log_level: int | str = setting(logging.INFO)
    """Least severe messages to show: a number or a name such as "INFO"."""

    log_format_strs: tuple[str, ...] = setting(("tensorboard", "stdout"))
    """Formats of the metrics: csv, json, log, stdout, tensorboard, wandb."""

    log_format_strs_additional: Config = setting({})
    """Further formats, as keys, so that presets can add one."""

    wandb: WandbSettings = group(
        WandbSettings, applies=When("wants_wandb", text="with the format wandb")
    )
    """How the run appears at Weights & Biases, if that format is chosen."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.formats:
            if name not in _FORMATS:
                raise ConfigError(
                    f"logging.log_format_strs: unknown format {name!r}; "
                    f"known are {', '.join(_FORMATS)}"
                )
        if isinstance(self.level, str):
            raise ConfigError(
                "logging.log_level must be a number or one of DEBUG, INFO, WARNING, "
                f"ERROR, CRITICAL, got {self.log_level!r}"
            )

    @property
    def formats(self) -> list[str]:
        """All formats, without repetitions."""
        return list(
            dict.fromkeys([*self.log_format_strs, *self.log_format_strs_additional])
        )

    @property
    def wants_wandb(self) -> bool:
        """True if the run is logged to Weights & Biases."""
        return "wandb" in self.formats

    @property
    def level(self) -> int | str:
        """The log level as a number; the name itself where it is unknown."""
        if isinstance(self.log_level, int):
            return self.log_level
        if self.log_level.isdigit():
            return int(self.log_level)
        levels = logging.getLevelNamesMapping()
        return levels.get(self.log_level.upper(), self.log_level)

    def resolved(self, command: str, env_name: str) -> "LoggingSettings":
        """Fills in the run directory."""
        if self.log_dir is not None:
            return self
        from imitation.util.util import make_unique_timestamp

        name = env_name.replace("/", "_").replace(":", "_")
        root = self.log_root if self.log_root is not None else "output"
        log_dir = os.path.join(root, command, name, make_unique_timestamp())
        return dataclasses.replace(self, log_dir=log_dir)

    def check(self, *, replaces: str | None) -> None:
        """Raises a ConfigError unless the run directory can be used.

        `replaces` is the script whose earlier run in it may be continued or replaced;
        None refuses every directory that holds a run.
        """
        path = pathlib.Path(self.log_dir or ".")
        script = ""  # damaged settings name none, and so match nothing
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8"))
            script = str(stored["script"])
        if (path / SETTINGS_FILE).exists() and replaces != script:
            raise ConfigError(
                f"logging.log_dir={str(path)!r} holds a run already; continue it with "
                f"resume={path}, or choose or empty another directory"
            )
        blocking = next(
            (p for p in [path, *path.parents] if p.exists() and not p.is_dir()), None
        )
        if blocking is not None:
            raise ConfigError(
                f"logging.log_dir={str(path)!r} cannot be made: {blocking} is a file"
            )


def make_log_dir(run: Any, settings: LoggingSettings) -> pathlib.Path:
    """Creates the run directory with a link to the Sacred directory of the run.

    Logs and monitor files of an earlier run, which would be overwritten, are moved to
    ``earlier/<number>/``.
    """
    from imitation.util import sacred as sacred_util

    assert settings.log_dir is not None, "resolved settings name a directory"
    log_dir = pathlib.Path(settings.log_dir)
    log_dir.mkdir(parents=True, exist_ok=True)
    # Both would overwrite what an earlier run has left there.
    found = [log_dir / name for name in ("log", "monitor") if (log_dir / name).exists()]
    if found:
        # One number for each start, so that a run killed twice keeps both logs.
        number = len(list(log_dir.glob("earlier/*")))
        target = log_dir / "earlier" / f"{number:03d}"
        target.mkdir(parents=True)
        for path in found:
            path.rename(target / path.name)
    logger = logging.getLogger("imitation")
    logger.setLevel(settings.level)
    logging.getLogger(__name__).info("Writing to %s", log_dir)
    # Without an observer, as in tests, Sacred stores nothing to link to.
    if run.observers:
        sacred_util.build_sacred_symlink(log_dir, run)
    return log_dir


def setup_logging(
    run: Any, settings: LoggingSettings
) -> tuple["HierarchicalLogger", pathlib.Path]:
    """Builds the logger of the metrics.

    Where the settings ask for neither csv nor json, there is a ``log/progress.json``
    all the same, so that every run can be reported on.

    Returns:
        The logger, writing to ``<log_dir>/log``, and the run directory.
    """
    from imitation.util import logger as imit_logger

    log_dir = make_log_dir(run, settings)
    if settings.wants_wandb:
        # <command>-<environment>-<timestamp>
        name = "-".join(log_dir.parts[-3:])
        wandb_init(settings.wandb, log_dir, name, run.config)
    formats = settings.formats
    if not set(_RECORDS) & set(formats):
        formats.append("json")
    return imit_logger.configure(log_dir / "log", formats), log_dir
