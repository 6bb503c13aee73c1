"""Converts old-style pickle or npz trajectories to new-style HuggingFace data sets.

``python -m imitation.scripts.convert_trajs A.pkl B.npz`` writes each file's
trajectories to the directory beside it that has its name without the extension ("A.pkl"
-> "A/", "A.npz" -> "A/", "A.foo" -> "A/"). The files stay.

The old formats are pickles: **reading one can run any code that its maker put into
it.** Calling this command is the permission to do so; give it only files you trust.
``imitation convert`` knows more formats and asks first.
"""

import argparse
import os
import pathlib
import sys
import warnings

from imitation.data import serialize
from imitation.data.types import AnyPath
from imitation.errors import DataError
from imitation.scripts import command_line


def update_traj_file_in_place(path_str: AnyPath, /) -> pathlib.Path:
    """Converts pickle or npz file to the new HuggingFace format.

    Args:
        path_str: path to a pickle or npz file of a sequence of ``Trajectory`` or
            ``TrajectoryWithRew``. It is unpickled, which **can run any code that its
            maker put into it**. A directory of an older data set works, too.

    Returns:
        The path to the converted trajectory data set.

    Raises:
        DataError: the name has no extension to drop, there is something else where the
            data set belongs, or an info is not JSON.
        ArtifactError: the file is missing, damaged or holds something else.
    """
    path = pathlib.Path(os.fsdecode(path_str))
    converted = path.with_suffix("")
    if converted == path:
        raise DataError(
            f"{path} has no extension to drop; rename it, such as to {path}.pkl"
        )
    with warnings.catch_warnings():
        # The advice to convert the file, which is what is being done.
        warnings.simplefilter("ignore", DeprecationWarning)
        trajectories = serialize.load(path, allow_pickle=True)
    serialize.save(converted, trajectories)
    return converted


def main() -> None:
    """Converts the files named on the command line and exits."""
    parser = argparse.ArgumentParser(
        prog="python -m imitation.scripts.convert_trajs",
        description="Converts old .pkl and .npz trajectories to data sets beside them.",
        epilog=(
            "The files are unpickled, which can run any code that their makers put "
            "into them: give only files that you trust."
        ),
    )
    parser.add_argument("paths", nargs="+", metavar="PATH")
    paths = parser.parse_args().paths

    def work() -> None:
        for path in paths:
            print(f"{path} -> {update_traj_file_in_place(path)}")

    status = command_line.guarded(work)
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
