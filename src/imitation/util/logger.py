"""Logging of metrics: Stable-Baselines3's logger with contexts that average.

`configure` makes a `HierarchicalLogger`, which can stand wherever Stable-Baselines3
expects its own logger.
"""

import contextlib
import datetime
import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from stable_baselines3.common import logger as sb_logger
from typing_extensions import override

from imitation.errors import ConfigError, MissingExtraError
from imitation.util.paths import AnyPath, parse_path

_FORMATS = ("stdout", "log", "csv", "json", "tensorboard", "wandb")
_DEFAULT_FORMATS = ("stdout", "log", "csv")


class WandbOutputFormat(sb_logger.KVWriter):
    """Writes metrics to the current Weights & Biases run; call `wandb.init()` before.

    Raises:
        ModuleNotFoundError: `wandb` is not installed.
    """

    def __init__(self) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "Trying to log data with `WandbOutputFormat` but `wandb` not "
                "installed; run: pip install 'imitation[wandb]'"
            ) from error
        self._wandb = wandb

    @override
    def write(
        self,
        key_values: dict[str, object],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        metrics = sb_logger.filter_excluded_keys(key_values, key_excluded, "wandb")
        self._wandb.log(metrics, step=step)

    @override
    def close(self) -> None:
        self._wandb.finish()


def make_output_format(
    _format: str, log_dir: str, log_suffix: str = "", max_length: int = 50
) -> sb_logger.KVWriter:
    """Makes a writer for one format.

    Args:
        _format: "stdout", "log", "csv", "json", "tensorboard" or "wandb".
        log_dir: directory of the files, created if need be.
        log_suffix: put before the extension of file names.
        max_length: the length in characters that "stdout" and "log" cut keys to.

    Returns:
        The writer; its files are open until it is closed.

    Raises:
        ValueError: there is no such format.
        ModuleNotFoundError: the format needs a package that is not installed.
    """
    if _format not in _FORMATS:
        raise ConfigError(
            f"Unknown format specified: {_format}; choose from {', '.join(_FORMATS)}"
        )
    if _format == "wandb":
        return WandbOutputFormat()
    writer = sb_logger.make_output_format(_format, log_dir, log_suffix)
    if isinstance(writer, sb_logger.HumanOutputFormat):
        writer.max_length = max_length
    return writer


class HierarchicalLogger(sb_logger.Logger):
    """A logger with contexts in which raw values go elsewhere and means go here.

    Inside `accumulate_means(name)`, `record` and `dump` write raw values to an own
    logger in the subdirectory `raw/<prefixes>/<name>`, and the mean of each value until
    the next `dump` outside goes to the default logger.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     logger = configure(directory, ("log",))
    ...     logger.record("loss", 1.0)
    ...     logger.dump(step=1)  # loss to log.txt
    ...     with logger.accumulate_means("dataset"):
    ...         logger.record("entropy", 5.0)
    ...         logger.dump(step=100)  # to raw/dataset/log.txt
    ...         logger.record("entropy", 6.0)
    ...         logger.dump(step=200)  # to raw/dataset/log.txt
    ...     logger.dump(step=1)  # the mean to log.txt
    ...     with logger.add_accumulate_prefix("foo"), logger.accumulate_means("bar"):
    ...         logger.record("biz", 42.0)
    ...         logger.dump(step=2000)  # to raw/foo/bar/log.txt
    ...     logger.dump(step=1)  # the mean to log.txt
    ...     logger.close()
    ...     with open(os.path.join(directory, "log.txt")) as file:
    ...         print(file.read(), end="")
    ...     with open(os.path.join(directory, "raw", "dataset", "log.txt")) as file:
    ...         print(file.read(), end="")
    -------------------
    | loss | 1        |
    -------------------
    ---------------------------------
    | mean/              |          |
    |    dataset/entropy | 5.5      |
    ---------------------------------
    -----------------------------
    | mean/          |          |
    |    foo/bar/biz | 42       |
    -----------------------------
    ---------------------------------
    | raw/               |          |
    |    dataset/entropy | 5        |
    ---------------------------------
    ---------------------------------
    | raw/               |          |
    |    dataset/entropy | 6        |
    ---------------------------------

    Args:
        default_logger: receives everything outside of contexts, and the means.
        format_strs: formats of the loggers of raw values. "wandb" is left out there: a
            run has one step that must not decrease, and raw steps count differently.
    """

    default_logger: sb_logger.Logger
    current_logger: sb_logger.Logger | None
    format_strs: Sequence[str]

    def __init__(
        self,
        default_logger: sb_logger.Logger,
        format_strs: Sequence[str] = _DEFAULT_FORMATS,
    ) -> None:
        super().__init__(folder=None, output_formats=[])
        self.default_logger = default_logger
        self.current_logger = None
        self.format_strs = format_strs
        self._raw_loggers: dict[str, sb_logger.Logger] = {}
        self._accumulate_prefixes: list[str] = []
        self._key_prefixes: list[str] = []
        self._name: str | None = None
        # SB3 reads these attributes directly, so they must be those of the current
        # target.
        self._show(default_logger)

    def _show(self, logger: sb_logger.Logger) -> None:
        """Makes the public attributes those of the logger that `record` writes to."""
        self.name_to_value = logger.name_to_value
        self.name_to_count = logger.name_to_count
        self.name_to_excluded = logger.name_to_excluded
        self.level = logger.level
        self.dir = logger.dir
        self.output_formats = logger.output_formats

    @contextlib.contextmanager
    def accumulate_means(self, name: str) -> Iterator[None]:
        """Writes raw values to a subdirectory, and their means to the default logger.

        Raw values have keys `raw/[prefixes/]name/[key prefixes/]key` and their means
        `mean/[prefixes/]name/[key prefixes/]key`. `log` and `record_mean` still go
        straight to the default logger.

        Args:
            name: name of the subdirectory. Entering a context of the same name again
                appends to its files.

        Yields:
            None.

        Raises:
            RuntimeError: inside another such context.
        """
        if self.current_logger is not None:
            raise RuntimeError("Nested `accumulate_means` context")
        self._name = name
        self.current_logger = self._raw_logger(
            "/".join([*self._accumulate_prefixes, name])
        )
        # Loggers of raw values are reused: the level may have changed since.
        self.current_logger.set_level(self.default_logger.level)
        self._show(self.current_logger)
        try:
            yield
        finally:
            self.current_logger = None
            self._name = None
            self._show(self.default_logger)

    def _raw_logger(self, path: str) -> sb_logger.Logger:
        """Returns the logger of raw values for a subdirectory, the same each time."""
        if path not in self._raw_loggers:
            directory = self.default_logger.get_dir()
            folder = directory and os.path.join(directory, "raw", *path.split("/"))
            formats = [
                make_output_format(format_str, folder or os.curdir)
                for format_str in self.format_strs
                if format_str != "wandb" and (folder or format_str == "stdout")
            ]
            self._raw_loggers[path] = _closing_logger(folder, formats)
        return self._raw_loggers[path]

    @contextlib.contextmanager
    def add_accumulate_prefix(self, prefix: str) -> Iterator[None]:
        """Puts a prefix before the name of every context entered inside the block.

        Args:
            prefix: joined to the prefixes already active, by a slash.

        Yields:
            None.

        Raises:
            RuntimeError: inside an `accumulate_means` context.
        """
        if self.current_logger is not None:
            raise RuntimeError(
                "Cannot add prefix when accumulate_means context is already active."
            )
        self._accumulate_prefixes.append(prefix)
        try:
            yield
        finally:
            self._accumulate_prefixes.pop()

    @contextlib.contextmanager
    def add_key_prefix(self, prefix: str) -> Iterator[None]:
        """Puts a prefix before every key recorded inside the block.

        Args:
            prefix: joined to the prefixes already active, by a slash.

        Yields:
            None.

        Raises:
            RuntimeError: outside of an `accumulate_means` context.
        """
        if self.current_logger is None:
            raise RuntimeError(
                "Cannot add key prefix when accumulate_means context is not active."
            )
        self._key_prefixes.append(prefix)
        try:
            yield
        finally:
            self._key_prefixes.pop()

    def get_accumulate_prefixes(self) -> str:
        """Returns the active prefixes, each followed by a slash."""
        return "".join(f"{prefix}/" for prefix in self._accumulate_prefixes)

    @override
    def record(
        self, key: str, val: Any, exclude: str | tuple[str, ...] | None = None
    ) -> None:
        """Sets a value to write at the next `dump`; the last one of a key wins.

        Args:
            key: name of the metric; a slash groups metrics.
            val: the value. Inside `accumulate_means` it must be a number, or None,
                which the mean leaves out.
            exclude: formats that shall not show it.
        """
        if self.current_logger is None:
            self.default_logger.record(key, val, exclude)
            return
        assert self._name is not None
        parts = [*self._accumulate_prefixes, self._name, *self._key_prefixes, key]
        path = "/".join(parts)
        self.current_logger.record(f"raw/{path}", val, exclude)
        # The outer `dump` writes the mean over all inner ones.
        self.default_logger.record_mean(f"mean/{path}", val, exclude)

    @override
    def record_mean(
        self, key: str, val: float | None, exclude: str | tuple[str, ...] | None = None
    ) -> None:
        self.default_logger.record_mean(key, val, exclude)

    @override
    def dump(self, step: int = 0) -> None:
        (self.current_logger or self.default_logger).dump(step)

    @override
    def log(self, *args: Any, level: int = sb_logger.INFO) -> None:
        self.default_logger.log(*args, level=level)

    @override
    def set_level(self, level: int) -> None:
        """Sets the threshold for text; `DISABLED` (50) also switches off `dump`.

        Args:
            level: DEBUG=10, INFO=20, WARN=30, ERROR=40 or DISABLED=50.
        """
        self.level = level
        self.default_logger.set_level(level)
        if self.current_logger is not None:
            self.current_logger.set_level(level)

    @override
    def get_dir(self) -> str | None:
        """Returns the directory that `record` currently leads to, None if no files."""
        return (self.current_logger or self.default_logger).get_dir()

    @override
    def close(self) -> None:
        """Closes the files of the default logger and of all loggers of raw values."""
        for logger in [self.default_logger, *self._raw_loggers.values()]:
            logger.close()


def configure(
    folder: AnyPath | None = None, format_strs: Sequence[str] | None = None
) -> HierarchicalLogger:
    """Makes a logger that writes to a directory.

    The files are closed by `close`, or when the logger is no longer referenced.

    Args:
        folder: the directory, created if need be; None means a new one in the system's
            temporary directory.
        format_strs: formats as in `make_output_format`; None means "stdout", "log" and
            "csv".

    Returns:
        The logger.

    Raises:
        ValueError: there is no such format.
    """
    if folder is None:
        now = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
        folder = os.path.join(tempfile.gettempdir(), f"imitation-{now}")
    directory = str(parse_path(folder))
    os.makedirs(directory, exist_ok=True)
    if format_strs is None:
        format_strs = _DEFAULT_FORMATS
    formats = [make_output_format(name, directory) for name in format_strs]
    return HierarchicalLogger(_closing_logger(directory, formats), format_strs)


def _closing_logger(
    folder: str | None, output_formats: list[sb_logger.KVWriter]
) -> sb_logger.Logger:
    """Makes a logger whose files are closed when it is garbage collected.

    Algorithms make a logger when they are given none, and nobody closes that one. A
    run at Weights & Biases outlives the loggers that write to it, so it stays open.
    """
    logger = sb_logger.Logger(folder, output_formats)
    # The formats, not the logger: a reference to it would keep it alive forever.

    # It must not refer to the logger, or nothing would ever be finalized.
    def close_files(writers: list[sb_logger.KVWriter]) -> None:
        for writer in writers:
            if not isinstance(writer, WandbOutputFormat):
                writer.close()

    weakref.finalize(logger, close_files, list(output_formats))
    return logger
