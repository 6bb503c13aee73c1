"""Reading and linking the run directories that Sacred's file observer writes.

Nothing here needs Sacred itself, except to recognize its observer in a live run.
"""

import os
import pathlib
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from imitation.errors import ArtifactError, ConfigError
from imitation.util.artifacts import JSON, read_json
from imitation.util.paths import AnyPath, parse_path


class SacredDicts(NamedTuple):
    """The contents of a run directory: `config.json` and `run.json`."""

    sacred_dir: pathlib.Path
    config: dict[str, JSON]
    run: dict[str, JSON]

    @classmethod
    def load_from_dir(cls, sacred_dir: AnyPath) -> "SacredDicts":
        """Reads a run directory.

        Args:
            sacred_dir: directory that holds `config.json` and `run.json`.

        Returns:
            The directory and the contents of both files.

        Raises:
            ArtifactError: a file is missing, or is not a JSON object.
        """
        directory = parse_path(sacred_dir)
        config = _read_object(directory / "config.json")
        return cls(directory, config, _read_object(directory / "run.json"))


def _read_object(path: pathlib.Path) -> dict[str, JSON]:
    """Reads a JSON file that must hold an object."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise ArtifactError(
            f"{path} must hold a JSON object, got {type(value).__name__}"
        )
    return value


def dir_contains_sacred_jsons(dir_path: pathlib.Path) -> bool:
    """Returns whether a directory holds `config.json` and `run.json`."""
    return all((dir_path / name).is_file() for name in ("config.json", "run.json"))


def filter_subdirs(
    root_dir: pathlib.Path,
    filter_fn: Callable[[pathlib.Path], bool] = dir_contains_sacred_jsons,
    *,
    nested_ok: bool = False,
) -> Sequence[pathlib.Path]:
    """Finds the directories below a root that a function selects.

    Args:
        root_dir: where to start; it can be selected too. Symbolic links to directories
            are not followed.
        filter_fn: given a directory, returns whether to select it.
        nested_ok: whether a selected directory may lie inside another one.

    Returns:
        The selected directories in the order of their names.

    Raises:
        ValueError: a selected directory lies inside another one, and `nested_ok` is
            False.
    """
    root_dir = pathlib.Path(root_dir)
    found = sorted(
        path
        # os.walk does not follow symbolic links, such as those of
        # `build_sacred_symlink`.
        for name, _, _ in os.walk(root_dir)
        if filter_fn(path := pathlib.Path(name))
    )
    if not nested_ok:
        selected = set(found)
        for path in found:
            outer = selected.intersection(path.parents)
            if outer:
                raise ConfigError(
                    f"Found nested directories: {path} lies inside {outer.pop()}; "
                    "pass nested_ok=True to get both"
                )
    return found


def get_sacred_dir_from_run(run: Any) -> pathlib.Path | None:
    """Finds the directory that a live Sacred run writes to.

    Args:
        run: a `sacred.run.Run`.

    Returns:
        The absolute directory of its file observer; None if it has none, or if the
        run has not started yet.
    """
    from sacred.observers import FileStorageObserver

    for observer in run.observers:
        if isinstance(observer, FileStorageObserver) and observer.dir is not None:
            return parse_path(observer.dir)
    return None


def build_sacred_symlink(log_dir: AnyPath, run: Any) -> None:
    """Links `log_dir/sacred` to the directory that a live Sacred run writes to.

    The link is relative, so that moving both directories together keeps it intact. A
    link that is already there is replaced. Warns if the run writes to no directory.

    Args:
        log_dir: where to put the link, created if need be.
        run: a `sacred.run.Run`.

    Raises:
        ValueError: `log_dir/sacred` exists and is not a symbolic link.
    """
    sacred_dir = get_sacred_dir_from_run(run)
    if sacred_dir is None:
        warnings.warn(
            "Couldn't find the run's sacred directory, so nothing is linked to it; "
            "add a sacred.observers.FileStorageObserver to the experiment.",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    directory = parse_path(log_dir)
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / "sacred"
    if link.exists() and not link.is_symlink():
        raise ConfigError(f"{link} is in the way of a link to {sacred_dir}; remove it")
    # Replaced in one step: no reader sees a run without its link.
    temporary = link.with_name(f".sacred-{secrets.token_hex(4)}")
    # Windows tells links to directories apart; elsewhere the flag is ignored.
    temporary.symlink_to(
        os.path.relpath(sacred_dir, directory), target_is_directory=True
    )
    temporary.replace(link)


def dict_get_nested(
    d: Mapping[str, Any], nested_key: str, *, sep: str = ".", default: Any = None
) -> Any:
    """Looks up a key such as "a.b.c" in nested mappings.

    >>> dict_get_nested({"rl": {"batch_size": 64}}, "rl.batch_size")
    64

    Args:
        d: the outermost mapping.
        nested_key: keys of the levels, joined by `sep`.
        sep: the separator.
        default: returned if a level lacks its key or is not a mapping.

    Returns:
        The value, or `default`.
    """
    value: Any = d
    for key in nested_key.split(sep):
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value
