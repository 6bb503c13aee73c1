"""Rows for the demo's runner; a module of its own, which processes can import."""

import dataclasses
import os
import pathlib
import sys
import time


@dataclasses.dataclass(frozen=True)
class Toy:
    """A row that ends as its name says."""

    root: pathlib.Path
    name: str
    seconds: float = 0.0

    @property
    def directory(self) -> pathlib.Path:
        return self.root / self.name

    def finished(self) -> bool:
        return (self.directory / "result").exists()

    def run(self) -> None:
        threads = os.environ.get("OMP_NUM_THREADS")
        sys.stdout.write(f"{self.name} at {threads} threads\n")
        sys.stderr.write("a warning\n")
        if self.name.startswith("raises"):
            raise ValueError("two\nlines")
        if self.name.startswith("dies"):
            os._exit(7)
        if self.name.startswith("hangs"):
            (self.directory / "pid").write_text(str(os.getpid()))
            time.sleep(600)
        (self.directory / "result").write_text(str(os.getpid()))
