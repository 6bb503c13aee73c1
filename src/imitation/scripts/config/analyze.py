"""Settings of `imitation.scripts.analyze`."""

import dataclasses
from typing import Self

from imitation.scripts.command import CommandSettings
from imitation.scripts.settings import require

__all__ = ["AnalyzeSettings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalyzeSettings(CommandSettings):
    """Settings of analyze."""

    source_dir_str: str = "output/sacred/train_adversarial"
    """Folders of Sacred runs, joined by `split_str`."""

    split_str: str = ","
    """What stands between the folders in `source_dir_str`."""

    source_dirs: tuple[str, ...] | None = None
    """Folders of Sacred runs; None takes those of `source_dir_str`."""

    skip_failed_runs: bool = True
    """Leave out runs that failed or were interrupted."""

    run_name: str | None = None
    """Take only runs of this name, such as the run_name of a study."""

    env_name: str | None = None
    """Take only runs in this environment."""

    csv_output_path: str | None = None
    """Write the table as CSV to this file."""

    tex_output_path: str | None = None
    """Write the table as LaTeX (booktabs) to this file."""

    print_table: bool = True
    """Print the table."""

    table_verbosity: int = 1
    """How many columns the table has: 0 (fewest) to 3 (all there is)."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        super().__post_init__()
        level = self.table_verbosity
        require(level in range(4), "table_verbosity", "0, 1, 2 or 3", level)
        require(self.split_str != "", "split_str", "a string that is not empty", "")

    def resolved(self, command: str) -> Self:
        """Fills in the folders and the run directory."""
        dirs = self.source_dirs
        if dirs is None:
            parts = self.source_dir_str.split(self.split_str)
            dirs = tuple(part.strip() for part in parts if part.strip())
        return dataclasses.replace(
            super().resolved(command),
            source_dirs=dirs,
            logging=self.logging.resolved(command, self.env_name or "all"),
        )

    def check(self, command: str) -> None:
        """Looks at the folders."""
        from imitation.reports.benchmarks.collect import run_directories

        self.logging.check(replaces="analyze")
        assert self.source_dirs is not None, "resolved settings name folders"
        for directory in self.source_dirs:
            run_directories(directory)
