"""Every snippet of the documentation and the README runs.

The ``python`` blocks of a page run top to bottom in one namespace, in an empty
directory. Each command of a ``bash`` block that is ours has its settings resolved
without being run. A block is left out only by a first line ``# not run: <reason>``,
which readers see; blocks after a comment ``<!-- slow -->`` are run with ``--runslow``.
"""

import importlib
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imitation.scripts import console

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "_build" not in path.parts and "api" not in path.parts
    ),
]
FENCE = re.compile(
    r"^(<!-- slow -->\n)?( *)```(\w+)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = re.compile(r"# not run: \S+")


def blocks(
    page: Path, language: str, *, slow: bool = True
) -> Iterator[tuple[int, str]]:
    """Yields (line number, source) of the blocks in a language that are to run."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        source = textwrap.dedent(match[4])
        if match[1] and not slow:
            continue
        if match[3] == language and not NOT_RUN.match(source):
            yield text.count("\n", 0, match.start(4)) + 1, source


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(blocks(page, language))]


SLOW_PAGES = [
    page
    for page in pages_with("python")
    if len([*blocks(page, "python")]) > len([*blocks(page, "python", slow=False)])
]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_python_blocks(page: Path, *, slow: bool) -> int:
    """Runs the blocks of a page in one namespace; returns how many there are."""
    n_run = 0
    namespace = {"__name__": "__snippet__"}
    for line, source in blocks(page, "python", slow=slow):
        # Blank lines in front, so that a traceback shows the line of the page.
        code = compile("\n" * (line - 1) + source, str(page), "exec")
        exec(code, namespace)
        n_run += 1
    return n_run


@pytest.mark.filterwarnings("ignore:.*is not wrapped with a ``Monitor``:UserWarning")
@pytest.mark.parametrize("page", pages_with("python"), ids=page_id)
def test_python_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    n_run = run_python_blocks(page, slow=False)
    assert n_run == len([*blocks(page, "python", slow=False)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is not wrapped with a ``Monitor``:UserWarning")
@pytest.mark.parametrize("page", SLOW_PAGES, ids=page_id)
def test_all_python_blocks_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    n_run = run_python_blocks(page, slow=True)
    assert n_run == len([*blocks(page, "python", slow=True)])


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


def find_command(words: list[str]) -> tuple[Any, list[str], str | None]:
    """Finds what a command runs.

    Returns:
        The experiment or function, its arguments, and the command of the experiment
        that the words name.
    """
    if words[0] == "imitation":
        assert words[1] in console.COMMANDS, f"imitation has no command {words[1]}"
        entry = console.COMMANDS[words[1]]
        if entry.experiment is None:
            return entry.load_main(), words[2:], None
        return entry.load_experiment(), words[2:], entry.subcommand
    assert words[2].startswith("imitation.scripts.")
    script = importlib.import_module(words[2])
    experiment = getattr(script, f"{words[2].split('.')[-1]}_ex", script)
    return experiment, words[3:], None


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_are_right(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Resolves all settings of a Sacred command; finds all options of the others."""
    monkeypatch.chdir(tmp_path)
    if words[1:] in (["--help"], ["--version"]):
        assert console.run(words[1:]) == 0
        return
    target, arguments, command = find_command(words)
    if hasattr(target, "script"):
        shows = "".join(arguments[:1]).startswith(("print_", "-"))
        if command is not None and not shows:
            arguments = [command, *arguments]
        target.parse(arguments, "test")  # the command itself exists
        settings = arguments[arguments.index("with") :] if "with" in arguments else []
        status = target.run_line(["print_config", *settings], "test", command)
        assert status == 0, capsys.readouterr().err
    else:
        with pytest.raises(SystemExit) as stop:
            target(["--help"])
        assert stop.value.code == 0
        options = {word.split("=")[0] for word in arguments if word.startswith("-")}
        assert options <= set(re.findall(r"--?[\w-]+", capsys.readouterr().out))


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 5
