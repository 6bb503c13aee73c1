"""``imitation demo``."""

import contextlib
import dataclasses
import html
import io
import json
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from imitation.scripts import console
from imitation.scripts.demo import command, page, rows, runner, study
from imitation.scripts.train_adversarial import train_adversarial_ex
from imitation.scripts.train_density import train_density_ex
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_mce_irl import train_mce_irl_ex
from imitation.scripts.train_preference_comparisons import (
    train_preference_comparisons_ex,
)
from imitation.testing.html_checks import check_page

POLICIES = {
    "seals/CartPole-v0": [
        *("Expert", "BC", "DAgger", "GAIL", "AIRL", "Preferences", "SQIL"),
        *("IQ-Learn", "Random"),
    ],
    "Pendulum-v1": [
        *("Expert", "BC", "DAgger", "Density", "SQIL", "IQ-Learn", "Random")
    ],
    "seals/CliffWorld7x4XY-v0": ["Expert", "MCE IRL", "Random"],
}
SCRIPTS: Any = {
    "bc": train_imitation_ex,
    "dagger": train_imitation_ex,
    "sqil": train_imitation_ex,
    "iq_learn": train_imitation_ex,
    "gail": train_adversarial_ex,
    "airl": train_adversarial_ex,
    "train_preference_comparisons": train_preference_comparisons_ex,
    "train_density": train_density_ex,
    "train_mce_irl": train_mce_irl_ex,
}


@dataclasses.dataclass
class Demo:
    out: pathlib.Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "Demo":
    """A fast demo, what it printed and where it wrote."""
    out = tmp_path_factory.mktemp("demo") / "out"
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        words = ["demo", "--fast", "--seed", "3", "--out", str(out)]
        assert console.run(words) == 0, stderr.getvalue()
    return Demo(out, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def written(demo: Any) -> Any:
    return json.loads((demo.out / "results.json").read_text())


def test_the_report_is_one_page(demo: Any, written: Any) -> None:
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    check_page(text)
    for environment, policies in written["environments"].items():
        assert environment in text
        for policy in policies:
            assert f"<code>{html.escape(policy['command'])}</code>" in text
    n_films = sum(map(len, POLICIES.values()))
    assert text.count('<img class="moving" src="data:image/webp;base64,') == n_films
    assert text.count('<img class="still" src="data:image/webp;base64,') == n_films
    assert "95%" in text
    assert "numbers mean nothing" in text


def test_it_shows_progress_and_ends_with_a_table_and_the_path(demo: Any) -> None:
    assert "Pendulum-v1: DAgger" in demo.stderr
    first = f"First results: {demo.out / 'report.html'} (reloads itself)"
    assert demo.stdout.splitlines()[0] == first
    for word in {*POLICIES, *POLICIES["seals/CartPole-v0"]}:
        assert word in demo.stdout
    last = demo.stdout.splitlines()[-1]
    assert last == f"Report: {demo.out / 'report.html'}"


def test_everything_is_measured_in_all_environments(written: Any) -> None:
    assert list(written["environments"]) == list(POLICIES)
    for environment, policies in written["environments"].items():
        assert [policy["policy"] for policy in policies] == POLICIES[environment]
        for policy in policies:
            # As many as end together, where that is no divisor of 5.
            assert 5 <= len(policy["returns"]) < 10
            assert policy["return_mean"] == pytest.approx(np.mean(policy["returns"]))
            low, high = policy["return_ci95"]
            assert low <= policy["return_mean"] <= high


def test_scores_are_normalized_by_the_references(written: Any) -> None:
    policies = {p["policy"]: p for p in written["environments"]["Pendulum-v1"]}
    low, high = (policies[name]["return_mean"] for name in ("Random", "Expert"))
    for name in ("BC", "DAgger"):
        expected = (policies[name]["return_mean"] - low) / (high - low)
        assert policies[name]["normalized"] == pytest.approx(expected)
    assert "normalized" not in policies["Expert"]


@pytest.mark.parametrize(
    ("environment", "policy"),
    [(name, policy) for name, policies in POLICIES.items() for policy in policies],
)
def test_each_command_gives_the_number_of_its_row(
    written: Any, workdir: pathlib.Path, environment: Any, policy: Any
) -> None:
    (row,) = (
        row for row in written["environments"][environment] if row["policy"] == policy
    )
    words = shlex.split(row["command"])
    assert words[0] == "imitation"
    assert console.run([*words[1:], "logging.log_format_strs=[]"]) == 0
    (run_file,) = (workdir / "output" / "sacred").glob("*/1/run.json")
    result = json.loads(run_file.read_text())["result"]
    stats = result.get("imit_stats", result)
    assert stats[row["statistic"]] == pytest.approx(row["return_mean"], rel=1e-6)
    assert stats["n_traj"] == len(row["returns"])


def test_the_same_seed_gives_the_same_numbers(
    written: Any, tmp_path: pathlib.Path
) -> None:
    environments = [study.ENVIRONMENTS[1]]
    np.random.seed(17)  # global randomness makes no difference and is left alone
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    options = study.Options(3, tmp_path / "a", fast=True)
    (again,), _ = command.make_report(options, environments, n_workers=0)
    after = np.random.get_state(legacy=False)["state"]["key"]
    np.testing.assert_array_equal(after, before)
    policies = written["environments"]["Pendulum-v1"]
    for result, first in zip(again.results, policies, strict=True):
        assert result.returns.tolist() == first["returns"]
    other = study.Options(4, tmp_path / "b", fast=True)
    (expert, _) = study.cells(other, environments, [])
    expert.directory.mkdir(parents=True)
    expert.run()
    assert study.Result.read(expert).returns.tolist() != policies[0]["returns"]


FAKE = """
import gymnasium as gym
from imitation.policies.base import ZeroPolicy
from imitation.scripts.demo.rows import DemoRow

def load(path, settings):
    assert path.exists()
    space = gym.make("Pendulum-v1")
    return ZeroPolicy(space.observation_space, space.action_space)

ROW = DemoRow(
    label="Zero",
    summary="Does <nothing>.",
    command="bc",
    settings={"Pendulum-v1": ("bc.train_kwargs.n_epochs=1",)},
    fast=("demonstrations.n_expert_demos=5",),
    policy="final.th",
    learned_from="{s.demonstrations.n_expert_demos} < 6 demonstrations",
    load=load,
)
"""


@pytest.fixture
def zero(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A row in a file of its own, the only one that runs."""
    package = tmp_path / "more_rows"
    package.mkdir()
    (package / "zero.py").write_text(FAKE)
    monkeypatch.setattr(rows, "__path__", [*rows.__path__, str(package)])
    name = "imitation.scripts.demo.rows.zero"
    monkeypatch.delitem(sys.modules, name, raising=False)
    labels = [row.label for row in rows.all_rows()]
    monkeypatch.setattr(rows, "all_rows", lambda: [sys.modules[name].ROW])
    yield labels
    sys.modules.pop(name, None)


def test_a_row_is_one_file(zero: Any, tmp_path: pathlib.Path) -> None:
    assert zero == [
        *("BC", "DAgger", "GAIL", "AIRL", "Preferences", "Density"),
        *("SQIL", "IQ-Learn", "MCE IRL", "Zero"),
    ]
    options = study.Options(0, tmp_path / "out", fast=True)
    measured, _ = command.make_report(options, n_workers=0)
    labels = [[r.cell.label for r in one.learners] for one in measured]
    assert labels == [[], ["Zero"], []]
    (learner,) = measured[1].learners
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "Does &lt;nothing&gt;." in text
    assert "learned from 5 &lt; 6 demonstrations" in text
    assert learner.cell.command in text
    assert 'http-equiv="refresh"' not in text


def test_a_failure_is_shown_and_a_second_demo_runs_only_what_is_missing(
    zero: Any,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del zero
    (row,) = rows.all_rows()
    broken = dataclasses.replace(row, policy="missing.th")
    monkeypatch.setattr(rows, "all_rows", lambda: [broken])
    monkeypatch.setattr(runner, "MAX_WORKERS", 0)  # the row cannot be pickled
    out = tmp_path / "out"
    assert command.run(0, out, fast=True) == 1
    told = capsys.readouterr().err
    assert "imitation: Pendulum-v1: Zero: AssertionError" in told
    assert str(out / "runs" / "pendulum" / "bc" / "output.txt") in told
    text = (out / "report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "Pendulum-v1: Zero has failed" in text
    assert "Expert" in text
    kept = out / "runs" / "pendulum" / "expert" / "demo.json"
    before = kept.stat().st_mtime_ns
    monkeypatch.setattr(rows, "all_rows", lambda: [row])
    assert command.run(0, out, fast=True) == 0
    assert kept.stat().st_mtime_ns == before
    assert "has failed" not in (out / "report.html").read_text(encoding="utf-8")
    assert command.run(1, out, fast=True) == 0  # another seed: nothing is kept
    assert kept.stat().st_mtime_ns > before


def test_a_page_that_waits_for_rows_reloads_itself(tmp_path: pathlib.Path) -> None:
    options = study.Options(0, tmp_path, fast=True)
    cells = study.cells(options, study.ENVIRONMENTS[:1], rows.all_rows())
    states = [runner.State(cell) for cell in cells]
    states[0].status = "running"
    measured = [page.Measured(study.ENVIRONMENTS[0], ())]
    text = page.build(measured, states, options, 1.0).to_html()
    check_page(text)
    assert '<meta http-equiv="refresh" content="10">' in text
    assert "0 of 9 rows are done." in text
    assert "running: seals/CartPole-v0: Expert; waiting: seals/CartPole-v0: BC" in text


def test_the_settings_of_the_rows_exist() -> None:
    environments = {e.name: e for e in study.ENVIRONMENTS}
    for row in rows.all_rows():
        for name, own in row.settings.items():
            options = study.Options(0, pathlib.Path(), fast=False)
            words = (*options.shared_words(environments[name]), *own)
            script, command_name, settings = rows.resolve(row.command, words)
            assert script is SCRIPTS[row.command].script
            assert command_name == row.command
            assert settings.policy_evaluation.n_episodes_eval == options.n_episodes
            assert settings.environment.env_name == name


def test_rows_show_how_they_learned(demo: Any) -> None:
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    for label in ("GAIL", "AIRL", "Preferences"):
        assert f"<strong>{label}: true return</strong>" in text
    for label in ("GAIL", "AIRL"):
        assert f"<strong>{label}: accuracy of the discriminator</strong>" in text
    for label in ("BC", "DAgger", "SQIL", "Density"):
        assert f"<strong>{label}: return while it learns</strong>" in text
    assert "<strong>BC: loss</strong>" in text
    assert "Nothing was logged" not in text
    assert "learned from 50 demonstrations and 640 steps of its own" in text
    assert "learned from 20 comparisons and 640 steps of its own" in text
    assert "steps labeled by the expert" in text


@pytest.mark.parametrize("command_name", SCRIPTS)
def test_the_runs_of_the_rows_can_be_reported_on(
    demo: Any, tmp_path: pathlib.Path, command_name: Any
) -> None:
    directory = sorted((demo.out / "runs").glob(f"*/{command_name}"))[-1]
    page = tmp_path / "page.html"
    assert console.run(["report", str(directory), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    check_page(text)
    assert "Completed. " in text


def test_it_shows_what_offline_training_and_planning_have_to_show(demo: Any) -> None:
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    assert "<strong>IQ-Learn: " not in text
    assert "learned from 5 demonstrations and no steps of its own" in text
    for shown in ("difference to the demonstrations", "Learned reward", "Visits"):
        assert shown in text
    assert "planned from the true reward" in text


def test_rows_of_an_environment_have_colors_of_their_own(demo: Any) -> None:
    learners = rows.all_rows()
    for environment in study.ENVIRONMENTS:
        numbers = [i for i, r in enumerate(learners) if environment.name in r.settings]
        assert len({i % study.N_COLORS for i in numbers}) == len(numbers)
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    for number in range(study.N_COLORS):
        assert f".c{number} {{ color:" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "x"], "argument --seed: invalid int value: 'x'; imitation demo"),
        (["--seed", "-1"], "--seed must be in [0, 2^32), got -1"),
        (["--seed", str(2**32)], "--seed must be in [0, 2^32), got 4294967296"),
        (["--seed"], "argument --seed: expected one argument"),
        (["--sede", "1"], "unrecognized arguments: --sede 1"),
        (["with", "fast"], "unrecognized arguments: with fast"),
        (["--out", "full"], "--out full is not empty; name a new directory"),
        (["--out", "full/file"], "--out full/file must be a directory, it is a file"),
        (["--out", "full/file/x"], "--out full/file/x must be a directory"),
    ],
)
def test_malformed_arguments(
    workdir: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[Any] | list[str],
    message: str,
) -> None:
    (workdir / "full").mkdir()
    (workdir / "full" / "file").touch()
    assert console.run(["demo", "--fast", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"imitation: {message}")
    assert printed.err.count("\n") == 1
    assert [path.name for path in workdir.rglob("*")] == ["full", "file"]


def test_help_is_there_before_torch_is_loaded() -> None:
    code = (
        "import sys; from imitation.scripts import console\n"
        "try: console.run(['demo', '--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "--fast" in done.stdout


@pytest.mark.parametrize("environment", study.ENVIRONMENTS, ids=lambda e: e.preset)
def test_settings_of_the_full_demo_fit_its_environments(
    environment: Any, tmp_path: pathlib.Path
) -> None:
    options = study.Options(0, tmp_path, fast=False)
    own = [
        cell
        for cell in study.cells(options, [environment], rows.all_rows())
        if cell.row is not None
    ]
    assert own
    for cell in own:
        assert cell.row is not None
        script, name, settings = rows.resolve(cell.row.command, cell.words)
        script.check(settings, name)
