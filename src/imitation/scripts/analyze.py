"""Tables of the runs of folders, and their TensorBoard logs in one place."""

import logging
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from imitation.errors import ArtifactError, DataError
from imitation.reports.benchmarks.collect import (
    HOUSEKEEPING,
    algorithm_of,
    env_of,
    run_directories,
)
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.analyze import AnalyzeSettings
from imitation.scripts.ingredients.logging import make_log_dir
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import Config, flatten
from imitation.util import artifacts
from imitation.util.sacred import SacredDicts, dict_get_nested

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger("imitation.scripts.analyze")  # also as __main__

_FAILED = ("FAILED", "INTERRUPTED", "TIMEOUT")

# The columns that each level of verbosity adds; the last level has all of them.
_COLUMNS = (
    ("algo", "env_name", "imit_return_summary"),
    ("expert_return_summary", "n_expert_demos"),
    ("run_name", "seed", "status"),
)


def analyze_imitation(settings: AnalyzeSettings, run: RunHandle) -> "pd.DataFrame":
    """Makes a table of runs, one row each.

    Returns:
        The table: algorithm, environment and returns; with a higher verbosity also
        demonstrations, names, seeds, and at last everything that was stored.

    Raises:
        DataError: no run is selected.
    """
    import pandas as pd

    make_log_dir(run, settings.logging)
    rows = [_row(dicts) for dicts in _selected(settings)]
    table = pd.DataFrame(rows)
    if settings.table_verbosity < len(_COLUMNS):
        shown = [c for part in _COLUMNS[: settings.table_verbosity + 1] for c in part]
        table = table[shown]
    table = table.sort_values(["algo", "env_name"], kind="stable", ignore_index=True)
    if settings.csv_output_path is not None:
        _write(settings.csv_output_path, table.to_csv(index=False))
    if settings.tex_output_path is not None:
        # LaTeX reads the underscores of names as subscripts unless they are escaped.
        _write(settings.tex_output_path, table.to_latex(index=False, escape=True))
    if settings.print_table:
        print(table.to_string(index=False))
    return table


def gather_tb_directories(
    settings: AnalyzeSettings, run: RunHandle
) -> Mapping[str, str | int]:
    """Links the TensorBoard logs of runs into one directory.

    Those of a study's trials are called as the trials are, others by algorithm,
    environment and number. Show them with ``tensorboard --logdir GATHER_DIR``.

    Returns:
        ``gather_dir``: the directory, ``tensorboard`` in the run directory;
        ``n_tb_dirs``: how many logs it links to.

    Raises:
        OSError: a link cannot be created.
        DataError: no run is selected.
    """
    gather_dir = (make_log_dir(run, settings.logging) / "tensorboard").absolute()
    gather_dir.mkdir(parents=True, exist_ok=True)
    count = 0
    for dicts in _selected(settings):
        log_dir = _log_dir(dicts)
        if log_dir is None:
            _logger.warning("The logs of %s are gone", dicts.sacred_dir)
            continue
        found = {
            pathlib.Path(folder)
            for folder, _, names in os.walk(log_dir)
            if any(name.startswith("events.out.tfevents") for name in names)
        }
        # The outermost ones, whose links show those below them too.
        for source in sorted(p for p in found if found.isdisjoint(p.parents)):
            link = gather_dir / _name(dicts) / source.relative_to(log_dir)
            link.parent.mkdir(parents=True, exist_ok=True)
            # An earlier run in the same directory may have made it.
            if link.is_symlink():
                link.unlink()
            link.symlink_to(source.absolute(), target_is_directory=True)
            count += 1
    _logger.info("Show them: tensorboard --logdir %s", gather_dir)
    return {"n_tb_dirs": count, "gather_dir": str(gather_dir)}


def _write(path: str, text: str) -> None:
    with artifacts.replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    _logger.info("Wrote %s", path)


def _selected(settings: AnalyzeSettings) -> Iterator[SacredDicts]:
    """The runs that the settings select; damaged ones are named and left out."""
    assert settings.source_dirs is not None, "resolved settings name folders"
    n_selected = 0
    for root in settings.source_dirs:
        for directory in run_directories(root):
            try:
                dicts = SacredDicts.load_from_dir(directory)
            except ArtifactError as error:
                _logger.warning("Left out: %s", " ".join(str(error).split()))
                continue
            name = dict_get_nested(dicts.run, "experiment.name")
            failed = dicts.run.get("status") in _FAILED
            if (
                algorithm_of(dicts.run) not in HOUSEKEEPING
                and settings.run_name in (None, name)
                and settings.env_name in (None, env_of(dicts.config))
                and not (settings.skip_failed_runs and failed)
            ):
                n_selected += 1
                yield dicts
    if n_selected == 0:
        raise DataError(
            f"no run in {', '.join(settings.source_dirs)} is selected by "
            f"run_name={settings.run_name!r}, env_name={settings.env_name!r}, "
            f"skip_failed_runs={settings.skip_failed_runs}"
        )


def _row(dicts: SacredDicts) -> dict[str, object]:
    result = dicts.run.get("result")
    tables: Config = result if isinstance(result, Mapping) else {}
    n_demos = dict_get_nested(dicts.config, "demonstrations.n_expert_demos")
    return {
        "algo": algorithm_of(dicts.run) or "?",
        "env_name": env_of(dicts.config) or "?",
        "imit_return_summary": _summary(tables.get("imit_stats", tables)),
        "expert_return_summary": _summary(tables.get("expert_stats")),
        "n_expert_demos": n_demos,
        "run_name": dict_get_nested(dicts.run, "experiment.name"),
        "seed": dicts.config.get("seed"),
        "status": dicts.run.get("status"),
        "start_time": dicts.run.get("start_time"),
        "stop_time": dicts.run.get("stop_time"),
        "sacred_dir": str(dicts.sacred_dir),
        "log_dir": dict_get_nested(dicts.config, "logging.log_dir"),
        **{name: value for name, value in flatten(tables) if value != {}},
    }


def _summary(stats: object) -> str:
    """Such as "500.00 ± 0.00 (n=50)"; of the environment's own return if known."""
    if not isinstance(stats, Mapping):
        return ""
    prefix = "monitor_return" if "monitor_return_mean" in stats else "return"
    mean, std = (stats.get(f"{prefix}_{part}") for part in ("mean", "std"))
    if not isinstance(mean, int | float):
        return ""
    spread = f" ± {std:.2f}" if isinstance(std, int | float) else ""
    count = f" (n={stats['n_traj']})" if "n_traj" in stats else ""
    return f"{mean:.2f}{spread}{count}"


def _log_dir(dicts: SacredDicts) -> pathlib.Path | None:
    """The run directory of a Sacred run, also if its folder was moved."""
    stored = dict_get_nested(dicts.config, "logging.log_dir") or dicts.config.get(
        "log_dir"
    )
    # In a study, a trial's folder holds sacred/<id> and, beside it, run.
    study_run = dicts.sacred_dir.parent.parent / "run"
    places = [study_run] if (study_run.parent / "trial.json").exists() else []
    if stored is not None:
        # Relative to where the run was started, above output/sacred/<script>/<id>.
        roots = (pathlib.Path(), *dicts.sacred_dir.parents[:4])
        places += [root / str(stored) for root in roots]
    return next((place for place in places if place.is_dir()), None)


def _name(dicts: SacredDicts) -> str:
    """Returns the name of a run's logs."""
    trial = dicts.sacred_dir.parent.parent
    if (trial / "trial.json").exists():
        return trial.name
    env = env_of(dicts.config) or "unknown"
    parts = algorithm_of(dicts.run) or "unknown", env, dicts.sacred_dir.name
    return "-".join(map(str, parts)).replace("/", "_").replace(":", "_")


analysis_ex = SacredExperiment(
    Script(
        name="analyze",
        doc="Makes tables of the runs of folders, or links their TensorBoard logs.",
        settings_cls=AnalyzeSettings,
        commands={
            "analyze_imitation": analyze_imitation,
            "gather_tb_directories": gather_tb_directories,
        },
    )
)

main_console = analysis_ex.main_console


if __name__ == "__main__":
    main_console()
