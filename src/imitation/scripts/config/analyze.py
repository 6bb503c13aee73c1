"""Settings of `imitation.scripts.analyze`."""

import dataclasses
from typing import Self

from typing_extensions import override

from imitation.scripts.command import CommandSettings
from imitation.scripts.settings import require, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalyzeSettings(CommandSettings):
    """Settings of analyze."""

    replaces_runs = True

    source_dir_str: str = setting("output/sacred/train_adversarial")
    """Folders of Sacred runs, joined by `split_str`."""

    split_str: str = setting(",")
    """What stands between the folders in `source_dir_str`."""

    source_dirs: tuple[str, ...] | None = setting(None)
    """Folders of Sacred runs; None takes those of `source_dir_str`."""

    skip_failed_runs: bool = setting(True)
    """Leave out runs that failed or were interrupted."""

    run_name: str | None = setting(None)
    """Take only runs of this name, such as the run_name of a study."""

    env_name: str | None = setting(None)
    """Take only runs in this environment."""

    csv_output_path: str | None = setting(None)
    """Write the table as CSV to this file."""

    tex_output_path: str | None = setting(None)
    """Write the table as LaTeX (booktabs) to this file."""

    print_table: bool = setting(True)
    """Print the table."""

    table_verbosity: int = setting(1, at_least=0, at_most=3)
    """How many columns the table has: 0 (fewest) to 3 (all there is)."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.split_str != "", "split_str", "a string that is not empty", "")

    @property
    @override
    def place(self) -> str:
        return self.env_name or "all"

    @override
    def resolved(self, command: str) -> Self:
        dirs = self.source_dirs
        if dirs is None:
            parts = self.source_dir_str.split(self.split_str)
            dirs = tuple(part.strip() for part in parts if part.strip())
        return dataclasses.replace(super().resolved(command), source_dirs=dirs)

    @override
    def check(self, command: str) -> None:
        from imitation.reports.benchmarks.collect import run_directories

        super().check(command)
        assert self.source_dirs is not None, "resolved settings name folders"
        # Raises an error about folders that are missing.
        for directory in self.source_dirs:
            run_directories(directory)
