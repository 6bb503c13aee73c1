"""``imitation demo``."""

import contextlib
import dataclasses
import html
import io
import json
import math
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest

from imitation.policies import base
from imitation.scripts import console
from imitation.scripts.demo import command, rows, study
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
SCRIPTS = {
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
def demo(tmp_path_factory):
    """A fast demo, what it printed and where it wrote."""
    out = tmp_path_factory.mktemp("demo") / "out"
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        words = ["demo", "--fast", "--seed", "3", "--out", str(out)]
        assert console.run(words) == 0, stderr.getvalue()
    return Demo(out, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def written(demo):
    return json.loads((demo.out / "results.json").read_text())


def test_the_report_is_one_page(demo, written):
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


def test_it_shows_progress_and_ends_with_a_table_and_the_path(demo):
    for word in ("Pendulum-v1: DAgger", "evaluation", "drawing"):
        assert word in demo.stderr
    for word in {*POLICIES, *POLICIES["seals/CartPole-v0"]}:
        assert word in demo.stdout
    last = demo.stdout.splitlines()[-1]
    assert last == f"Report: {demo.out / 'report.html'}"


def test_everything_is_measured_in_all_environments(written):
    assert list(written["environments"]) == list(POLICIES)
    for environment, policies in written["environments"].items():
        assert [policy["policy"] for policy in policies] == POLICIES[environment]
        for policy in policies:
            # As many as end together, where that is no divisor of 5.
            assert 5 <= len(policy["returns"]) < 10
            assert policy["return_mean"] == pytest.approx(np.mean(policy["returns"]))
            low, high = policy["return_ci95"]
            assert low <= policy["return_mean"] <= high


def test_scores_are_normalised_by_the_references(written):
    policies = {p["policy"]: p for p in written["environments"]["Pendulum-v1"]}
    low, high = (policies[name]["return_mean"] for name in ("Random", "Expert"))
    for name in ("BC", "DAgger"):
        expected = (policies[name]["return_mean"] - low) / (high - low)
        assert policies[name]["normalised"] == pytest.approx(expected)
    assert "normalised" not in policies["Expert"]


@pytest.mark.parametrize(
    ("environment", "policy"),
    [(name, policy) for name, policies in POLICIES.items() for policy in policies],
)
def test_each_command_gives_the_number_of_its_row(
    written, workdir, environment, policy
):
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


def test_the_same_seed_gives_the_same_numbers(written, tmp_path):
    environments = [study.ENVIRONMENTS[1]]
    np.random.seed(17)  # global randomness makes no difference and is left alone
    before = np.random.get_state()[1].copy()
    (again,) = command.make_report(
        study.Options(3, tmp_path / "a", fast=True), environments
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    policies = written["environments"]["Pendulum-v1"]
    for policy, first in zip(again.everyone, policies, strict=True):
        assert policy.returns.tolist() == first["returns"]
    other = study.Options(4, tmp_path / "b", fast=True)
    (result,) = study.run(other, environments, [], print)
    assert result.expert.returns.tolist() != policies[0]["returns"]


FAKE = """
from imitation.policies.base import ZeroPolicy
from imitation.scripts.demo.rows import DemoRow, Task, Trained, resolve
import gymnasium as gym

def train(task: Task) -> Trained:
    space = gym.make("Pendulum-v1")
    return Trained(
        policy=ZeroPolicy(space.observation_space, space.action_space),
        learnt_from="nothing",
    )

ROW = DemoRow(
    label="Zero",
    summary="Does <nothing>.",
    command="bc",
    settings={"Pendulum-v1": ("bc.train_kwargs.n_epochs=1",)},
    fast=(),
    train=train,
)
"""


def test_a_row_is_one_file(tmp_path, monkeypatch):
    package = tmp_path / "more_rows"
    package.mkdir()
    (package / "zero.py").write_text(FAKE)
    monkeypatch.setattr(rows, "__path__", [*rows.__path__, str(package)])
    name = "imitation.scripts.demo.rows.zero"
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert [row.label for row in rows.all_rows()] == [
        *("BC", "DAgger", "GAIL", "AIRL", "Preferences", "Density"),
        *("SQIL", "IQ-Learn", "MCE IRL", "Zero"),
    ]
    monkeypatch.setattr(rows, "all_rows", lambda: [sys.modules[name].ROW])
    results = command.make_report(study.Options(0, tmp_path / "out", True))
    assert [[p.label for p in r.learners] for r in results] == [[], ["Zero"], []]
    (learner,) = results[1].learners
    assert isinstance(learner.policy, base.ZeroPolicy)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "Does &lt;nothing&gt;." in text
    assert "learnt from nothing" in text
    assert learner.command in text


def test_the_settings_of_the_rows_exist():
    environments = {e.name: e for e in study.ENVIRONMENTS}
    for row in rows.all_rows():
        for name, own in row.settings.items():
            options = study.Options(0, None, fast=False)
            words = (*options.shared_words(environments[name]), *own)
            script, command_name, settings = rows.resolve(row.command, words)
            assert script is SCRIPTS[row.command].script
            assert command_name == row.command
            assert settings.policy_evaluation.n_episodes_eval == options.n_episodes
            assert settings.environment.env_name == name


def test_adversarial_rows_show_how_they_learnt(demo):
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    for label in ("GAIL", "AIRL"):
        for chart in ("return while it learns", "accuracy of the discriminator"):
            assert f"<strong>{label}: {chart}</strong>" in text
    assert "Nothing was logged" not in text
    assert "50 demonstrations and 640 steps of its own" in text


@pytest.mark.parametrize("command_name", SCRIPTS)
def test_the_runs_of_the_rows_can_be_reported_on(demo, tmp_path, command_name):
    directory = sorted((demo.out / "runs").glob(f"*/{command_name}"))[-1]
    page = tmp_path / "page.html"
    assert console.run(["report", str(directory), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    check_page(text)
    assert "Completed. " in text


def test_it_shows_what_offline_training_and_planning_have_to_show(demo):
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    assert "<strong>SQIL: return while it learns</strong>" in text
    assert "<strong>IQ-Learn: " not in text
    assert "learnt from 5 demonstrations and no steps of its own" in text
    for shown in ("difference to the demonstrations", "Learned reward", "Visits"):
        assert shown in text
    assert "planned from the true reward" in text


def test_rows_of_an_environment_have_colours_of_their_own(demo):
    learners = rows.all_rows()
    for environment in study.ENVIRONMENTS:
        numbers = [i for i, r in enumerate(learners) if environment.name in r.settings]
        assert len({i % study.N_COLOURS for i in numbers}) == len(numbers)
    text = (demo.out / "report.html").read_text(encoding="utf-8")
    for number in range(study.N_COLOURS):
        assert f".c{number} {{ color:" in text


def test_curves_leave_out_rows_without_the_metric():
    logged = [{"t": 1.0, "y": 2.0, "l": 1.0}, {"t": 2.0}, {"y": 3.0, "l": 2.0}]
    logged.append({"t": 4.0, "y": math.nan, "l": 0.0})
    curve = rows.series(logged, "y", lambda row: row.get("t"), ("y", "l"), "c0")
    assert (list(curve.x), list(curve.y), list(curve.low)) == ([1.0], [2.0], [1.0])


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
def test_malformed_arguments(workdir, capsys, arguments, message):
    (workdir / "full").mkdir()
    (workdir / "full" / "file").touch()
    assert console.run(["demo", "--fast", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"imitation: {message}")
    assert printed.err.count("\n") == 1
    assert [path.name for path in workdir.rglob("*")] == ["full", "file"]


def test_help_is_there_before_torch_is_loaded():
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
def test_settings_of_the_full_demo_fit_its_environments(environment, tmp_path):
    options = study.Options(0, tmp_path, fast=False)
    own = [row for row in rows.all_rows() if environment.name in row.settings]
    assert own
    for row in own:
        words = (*options.shared_words(environment), *row.settings[environment.name])
        expert = (
            (f"expert.policy_type={environment.expert}",) if row.asks_expert else ()
        )
        _, name, settings = rows.resolve(row.command, (*words, *expert))
        settings.check(name)
