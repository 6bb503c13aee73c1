"""The console command: the table of commands, lazy imports, exit statuses."""

import importlib
import inspect
import pathlib
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from imitation import __version__
from imitation.scripts import console, registry


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_table_lists_every_command_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[Any] | list[str]
) -> None:
    assert console.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, entry in console.COMMANDS.items():
        assert any(name in line.split() and entry.summary in line for line in lines)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.run(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("name", console.COMMANDS)
def test_every_entry_names_something_that_exists(name: Any) -> None:
    command = console.COMMANDS[name]
    if command.experiment is None:
        assert callable(command.load_main())
        return
    script = command.load_experiment().script
    assert command.module.endswith(f".{script.name}")
    assert command.settings_cls is script.settings_cls
    assert (command.subcommand or next(iter(script.commands))) in script.commands


def test_every_entry_point_follows_from_the_registry() -> None:
    path = pathlib.Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == registry.entry_points()
    for target in project["scripts"].values():
        module, _, attribute = target.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))


def test_every_script_of_sacred_is_registered() -> None:
    folder = pathlib.Path(inspect.getfile(console)).parent
    defining = {p.stem for p in folder.glob("*.py") if "_ex = Sacred" in p.read_text()}
    assert defining == set(registry.experiments())
    assert set(registry.experiments(repeatable=True)) < defining


def test_the_table_needs_nothing_heavy() -> None:
    code = (
        "import sys; from imitation.scripts import console; console.run([]); "
        "heavy = {'torch', 'numpy', 'sacred', 'gymnasium'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_print_config_shows_the_settings_of_the_named_command(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run(["dagger", "print_config", "with", "pendulum"]) == 0
    out = capsys.readouterr().out
    assert "n_epochs = 4" in out and "output/dagger/Pendulum-v1" in out
    assert list(workdir.iterdir()) == []


def test_with_may_be_left_out_before_settings(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run(["bc", "print_config", "seed=77"]) == 0
    assert "seed = 77" in capsys.readouterr().out


def test_main_exits_with_the_status() -> None:
    with pytest.raises(SystemExit) as stop:
        console.main(["nonsense"])
    assert stop.value.code == 2


def test_ctrl_c_in_a_command_is_status_130(
    workdir: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imitation.scripts.train_imitation.make_bc", interrupted)
    line = (
        "bc with cartpole environment.fast demonstrations.fast "
        "expert.policy_type=random logging.log_format_strs=[]"
    )
    assert console.run(line.split()) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "imitation: interrupted"
