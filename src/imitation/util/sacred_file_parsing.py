"""Finding Sacred's run directories and grouping the runs for a table of results."""

import pathlib
from collections.abc import Iterator

from imitation.errors import ArtifactError
from imitation.util.artifacts import JSON
from imitation.util.paths import AnyPath, parse_path
from imitation.util.sacred import SacredDicts, dict_get_nested, filter_subdirs


def find_sacred_runs(
    run_path: AnyPath, only_completed_runs: bool = False
) -> Iterator[tuple[dict[str, JSON], dict[str, JSON]]]:
    """Finds the runs below a directory, in the order of their paths.

    A run is a directory with `config.json` and `run.json`, as Sacred's file observer
    writes it, at any depth.

    Args:
        run_path: where to search, such as `output/sacred`.
        only_completed_runs: whether to skip runs whose status is not "COMPLETED".

    Yields:
        The contents of `config.json` and `run.json` of each run.

    Raises:
        ArtifactError: there is no such directory, or a file is not a JSON object.
    """
    for _, config, run in _runs(run_path, only_completed_runs):
        yield config, run


def group_runs_by_algo_and_env(
    path: AnyPath, only_completed_runs: bool = False
) -> dict[str, dict[str, list[dict[str, JSON]]]]:
    """Groups the runs below a directory by algorithm and environment.

    The algorithm is the command that was run, such as "gail"; the environment is
    the setting `environment.gym_id`.

    Args:
        path: where to search, such as `output/sacred`.
        only_completed_runs: whether to skip runs whose status is not "COMPLETED".

    Returns:
        ``{algorithm: {environment: [contents of run.json]}}``.

    Raises:
        ArtifactError: there is no such directory, a file is not a JSON object, or a
            run lacks its command or environment.
    """
    grouped: dict[str, dict[str, list[dict[str, JSON]]]] = {}
    for directory, config, run in _runs(path, only_completed_runs):
        algo = run.get("command")
        env = dict_get_nested(config, "environment.gym_id")
        if algo is None or env is None:
            missing = "'command' in run.json"
            if algo is not None:
                missing = "'environment.gym_id' in config.json"
            raise ArtifactError(
                f"cannot group the run in {directory}: expected {missing}"
            )
        grouped.setdefault(algo, {}).setdefault(env, []).append(run)
    return grouped


def _runs(path: AnyPath, only_completed_runs: bool) -> Iterator[SacredDicts]:
    """Yields the runs below a directory."""
    root: pathlib.Path = parse_path(path)
    if not root.is_dir():
        raise ArtifactError(f"expected a directory of sacred runs, {root} is none")
    for directory in filter_subdirs(root, nested_ok=True):
        dicts = SacredDicts.load_from_dir(directory)
        if not only_completed_runs or dicts.run.get("status") == "COMPLETED":
            yield dicts
