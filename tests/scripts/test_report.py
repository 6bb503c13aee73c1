"""``imitation report``."""

import pathlib
from typing import Any

import pytest

from imitation.scripts import console
from imitation.testing.html_checks import check_page


def test_a_report_of_a_run(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "bc with seals_cartpole environment.fast demonstrations.fast fast "
        "policy_evaluation.fast expert.policy_type=bundled seed=0 logging.log_dir=run"
    )
    assert console.run([*words.split(), "logging.log_format_strs=['csv']"]) == 0
    capsys.readouterr()
    assert console.run(["report", "run"]) == 0
    path = workdir / "run" / "report.html"
    assert capsys.readouterr().out == f"Report: {path}\n"
    text = path.read_text(encoding="utf-8")
    check_page(text)
    assert "Completed. Mean return: imit_stats" in text
    assert console.run(["report", "run", "--out", "other.html"]) == 0
    assert (workdir / "other.html").read_text(encoding="utf-8") == text


def test_runs_of_gail_need_no_format_to_be_reported_on(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "gail with seals_cartpole environment.fast demonstrations.fast fast "
        "policy_evaluation.fast expert.policy_type=bundled eval_interval=1 "
        "rl.batch_size=1024 total_timesteps=2048 rl.rl_kwargs.n_epochs=1 "
        "n_eval_episodes=1 logging.log_format_strs=[]"
    )
    for seed in (0, 1):
        own = [f"seed={seed}", f"logging.log_dir=run{seed}"]
        assert console.run([*words.split(), *own]) == 0
    assert console.run(["report", "run0"]) == 0
    text = (workdir / "run0" / "report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "Completed. The policy&#x27;s true return is" in text
    for title in (
        *("True return", "Accuracy of the discriminator", "Entropy of its decisions"),
        "Loss",
    ):
        assert f"<strong>{title}</strong>" in text
    assert "<code>checkpoints/best</code>" in text
    assert "evaluation goes from" in text
    assert console.run(["report", "run0", "run1", "--out", "both.html"]) == 0
    text = (workdir / "both.html").read_text(encoding="utf-8")
    check_page(text)
    assert "2 runs of gail on seals/CartPole-v0" in text
    assert "<strong>mean/disc/disc_acc</strong>" in text
    assert capsys.readouterr().err.count("imitation:") == 0


def test_a_report_replaces_nothing_but_a_page(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = workdir / "settings.json"
    settings.write_text("precious")
    assert console.run(["report", ".", "--out", "settings.json"]) == 2
    assert (
        "--out settings.json exists and is not an HTML file" in capsys.readouterr().err
    )
    assert settings.read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: RUN_DIR; imitation report --help"),
        (["missing"], "missing is not a run directory: it has no settings.json"),
        (["."], ". is not a run directory: it has no settings.json"),
        ([".", "--out", "."], "--out . must be a file, it is a directory"),
        ([".", "--ot", "x"], "unrecognized arguments: --ot x; imitation report --help"),
        (["a", "b"], "a report of several runs needs --out FILE"),
        (["a", "b", "--out", "c"], "a is not a run directory: it has no settings"),
    ],
)
def test_malformed_arguments(
    workdir: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[Any] | list[str],
    message: str,
) -> None:
    assert console.run(["report", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"imitation: {message}")
    assert printed.err.count("\n") == 1
    assert list(workdir.iterdir()) == []
