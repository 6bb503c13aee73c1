"""Every snippet of the documentation and the README runs.

The ``python`` blocks of a page run top to bottom in one namespace, in an empty directory.
Each command of a ``bash`` block that is ours is parsed, settings included, without being
run. A block is left out only by a first line ``# not run: <reason>``, which readers see.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "_build" not in path.parts and "api" not in path.parts
    ),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"# not run: \S+")


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """Yields (line number, source) of the blocks in a language that are to run."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match[1] == language and not NOT_RUN.match(match[2]):
            yield text.count("\n", 0, match.start(2)) + 1, match[2]


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(blocks(page, language))]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.filterwarnings("ignore:.*is not wrapped with a ``Monitor``:UserWarning")
@pytest.mark.parametrize("page", pages_with("python"), ids=page_id)
def test_python_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__snippet__"}
    for line, source in blocks(page, "python"):
        # Blank lines in front, so that a traceback shows the line of the page.
        code = compile("\n" * (line - 1) + source, str(page), "exec")
        exec(code, namespace)


def commands(source: str) -> Iterator[list[str]]:
    """Yields the commands of a block that are ours, as argument lists."""
    for line in source.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["imitation"] or words[:2] == ["python", "-m"]:
            yield words


COMMANDS = [
    pytest.param(words, id=f"{page_id(page)}: {shlex.join(words)}")
    for page in pages_with("bash")
    for _, source in blocks(page, "bash")
    for words in commands(source)
]
