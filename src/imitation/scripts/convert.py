"""Converts demonstrations between formats: ``imitation convert SOURCE DEST``.

Reads HuggingFace and Minari data sets, robomimic and D4RL HDF5 files, ``.npz`` files of
plain arrays, and trajectory files of releases before 1.0; writes the format of
``imitation.data.serialize``, or Minari's. A malformed episode stops it with one line,
and nothing is written then.

Files of releases before 1.0 (``.pkl``, and ``.npz`` with infos) are pickles: reading
one can run any code that its maker put into it. ``--allow-pickle`` allows that and is
never needed for anything else.
"""

import argparse
import dataclasses
import os
import pathlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tqdm.auto import tqdm

from imitation.data import importers, serialize
from imitation.data.importers.recognize import recognize
from imitation.data.storage import columns
from imitation.data.types import Trajectory
from imitation.errors import DataError
from imitation.scripts import command_line
from imitation.util.progress import progress_bar


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        The exit status: 0, or 2 where the arguments or the data are wrong.
    """
    arguments = _parser().parse_args(argv)
    return command_line.guarded(lambda: _convert(arguments), debug=arguments.debug)


@dataclasses.dataclass
class _Tally:
    """Counts what passes through, for the summary."""

    n_episodes: int = 0
    n_steps: int = 0
    layout: columns.Layout | None = None

    def over(
        self, trajectories: Iterable[Trajectory], bar: "tqdm[Any]"
    ) -> Iterator[Trajectory]:
        for trajectory in trajectories:
            bar.update()
            self.n_episodes += 1
            self.n_steps += len(trajectory)
            self.layout = self.layout or columns.Layout.of(trajectory, "episode 0")
            yield trajectory


def _convert(arguments: argparse.Namespace) -> None:
    kind = arguments.from_ or recognize(arguments.source)
    dest = pathlib.Path(arguments.dest)
    free = not dest.exists() or (dest.is_dir() and not os.listdir(dest))
    if arguments.to == "hf" and not (arguments.overwrite or free):
        raise DataError(
            f"{dest} exists already; choose another path or add --overwrite"
        )
    tally = _Tally()
    # A bar in a log file is a line per update.
    no_terminal = not sys.stderr.isatty()
    with (
        warnings.catch_warnings(),
        progress_bar(unit="episode", disable=no_terminal) as bar,
    ):
        # The advice to convert old files, which is what is being done.
        warnings.simplefilter("ignore", DeprecationWarning)
        trajectories = importers.stream_trajectories(
            arguments.source,
            kind,
            split=arguments.split,
            mask=arguments.mask,
            final_obs=arguments.final_obs,
            allow_pickle=arguments.allow_pickle,
        )
        if arguments.drop_infos:
            trajectories = (dataclasses.replace(t, infos=None) for t in trajectories)
        # Streamed: a data set may be larger than the memory.
        counted = tally.over(trajectories, bar)
        if arguments.to == "hf":
            serialize.save(arguments.dest, counted)
            location = pathlib.Path(arguments.dest)
        else:
            # Minari takes all episodes at once.
            location = importers.export_minari(list(counted), arguments.dest)
    _report(kind, arguments.to, location, tally)


def _report(kind: str, to: str, location: pathlib.Path, tally: _Tally) -> None:
    assert tally.layout is not None, "saving refuses to write no episodes"
    print(
        f"{kind} -> {to}: {tally.n_episodes:,} episodes, {tally.n_steps:,} steps "
        f"written to {location}"
    )
    for name, (dtype, shape) in tally.layout.spaces.items():
        print(f"  {name}: {dtype}{list(shape)} a step")
    print(f"  rewards: {'yes' if tally.layout.has_rewards else 'no'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imitation convert",
        description="Converts demonstrations to a data set that serialize.load reads.",
        epilog=(
            "Old .pkl and .npz files of releases before 1.0 are pickles: reading one "
            "can run any code that its maker put into it. Give --allow-pickle only "
            "for files that you trust."
        ),
    )
    parser.add_argument(
        "source", help="a file, a directory, or the id of a local Minari data set"
    )
    parser.add_argument("dest", help="the directory to write, or the new Minari id")
    parser.add_argument(
        "--from",
        dest="from_",
        metavar="KIND",
        choices=importers.FORMATS,
        help=f"what SOURCE is, if not recognized: {', '.join(importers.FORMATS)}",
    )
    parser.add_argument(
        "--to", choices=("hf", "minari"), default="hf", help="the format to write"
    )
    parser.add_argument("--split", help="the split of a HuggingFace dictionary")
    parser.add_argument("--mask", help="the filter of a robomimic file")
    parser.add_argument(
        "--final-obs",
        choices=("error", "repeat", "drop"),
        default="error",
        help=(
            "where the observation after the last action is missing: stop, repeat the "
            "last one, or drop the last action"
        ),
    )
    parser.add_argument(
        "--drop-infos", action="store_true", help="leave out the info dictionaries"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the data set at DEST"
    )
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="read old pickled files, which can run code (see below)",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
