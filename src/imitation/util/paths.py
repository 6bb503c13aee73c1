"""Parsing of paths that users pass, and unique names for output directories."""

import datetime
import os
import pathlib
import uuid

from imitation.errors import ConfigError

# What a function that takes a path accepts.
AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def parse_path(
    path: AnyPath,
    allow_relative: bool = True,
    base_directory: pathlib.Path | None = None,
) -> pathlib.Path:
    """Parses a path into an absolute, resolved `pathlib.Path`.

    Args:
        path: the path; bytes are decoded with the file system's encoding.
        allow_relative: whether a relative path is allowed.
        base_directory: what a relative path is relative to; None means the current
            working directory.

    Returns:
        The absolute path, with symbolic links resolved. It need not exist.

    Raises:
        ValueError: `path` is relative and `allow_relative` is False, or
            `base_directory` is given although `allow_relative` is False.
    """
    if base_directory is not None and not allow_relative:
        raise ConfigError(
            "If `base_directory` is specified, then `allow_relative` must be True."
        )
    parsed = pathlib.Path(os.fsdecode(path))
    if not parsed.is_absolute():
        if not allow_relative:
            raise ConfigError(f"Path {parsed} is not absolute")
        parsed = (base_directory or pathlib.Path.cwd()) / parsed
    return parsed.resolve()


def parse_optional_path(
    path: AnyPath | None,
    allow_relative: bool = True,
    base_directory: pathlib.Path | None = None,
) -> pathlib.Path | None:
    """Parses a path as `parse_path` does; None stays None.

    Args:
        path: the path, or None.
        allow_relative: whether a relative path is allowed.
        base_directory: what a relative path is relative to; None means the current
            working directory.

    Returns:
        The absolute path, or None.

    Raises:
        ValueError: as `parse_path`.
    """
    if path is None:
        return None
    return parse_path(path, allow_relative, base_directory)


def make_unique_timestamp() -> str:
    """Returns `YYYYMMDD_HHMMSS_xxxxxx`: local time and a random suffix."""
    now = datetime.datetime.now().strftime("%Y%m%d_%H%M%S")
    return f"{now}_{uuid.uuid4().hex[:6]}"
