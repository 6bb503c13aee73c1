"""The console command: the table of commands, lazy imports, exit statuses."""

import importlib
import importlib.util
import subprocess
import sys

import pytest

from imitation import __version__
from imitation.scripts import console


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_table_lists_every_command_in_a_line(capsys, arguments):
    assert console.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, entry in console.COMMANDS.items():
        assert any(name in line.split() and entry.summary in line for line in lines)


def test_version(capsys):
    assert console.run(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("name", console.COMMANDS)
def test_every_entry_names_something_that_exists(name):
    module, _, attribute = console.COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    command = console.COMMANDS[name].command
    assert callable(target) or command is None or command in target.script.commands


def test_the_table_needs_nothing_heavy():
    code = (
        "import sys; from imitation.scripts import console; console.run([]); "
        "heavy = {'torch', 'numpy', 'sacred', 'gymnasium'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_print_config_shows_the_settings_of_the_named_command(workdir, capsys):
    assert console.run(["dagger", "print_config", "with", "pendulum"]) == 0
    out = capsys.readouterr().out
    assert "n_epochs = 4" in out and "output/dagger/Pendulum-v1" in out
    assert list(workdir.iterdir()) == []


def test_with_may_be_left_out_before_settings(workdir, capsys):
    assert console.run(["bc", "print_config", "seed=77"]) == 0
    assert "seed = 77" in capsys.readouterr().out


def test_main_exits_with_the_status():
    with pytest.raises(SystemExit) as stop:
        console.main(["nonsense"])
    assert stop.value.code == 2


def test_ctrl_c_in_a_command_is_status_130(workdir, capsys, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("imitation.scripts.train_imitation.make_bc", interrupted)
    line = (
        "bc with cartpole environment.fast demonstrations.fast "
        "expert.policy_type=random logging.log_format_strs=[]"
    )
    assert console.run(line.split()) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "imitation: interrupted"
