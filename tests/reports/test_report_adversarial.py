"""Reports of GAIL and AIRL, from logs whose contents are known."""

import html
import json
import math
import pathlib
import re
import shutil
from typing import Any

import pytest

from imitation.errors import ConfigError
from imitation.reports import adversarial as history
from imitation.reports import compare_page, run_page, runs
from imitation.testing.html_checks import check_page
from imitation.util import logger as imit_logger

ROUND = 100
"""Environment steps of a round."""

RESULT = {
    "imit_stats": {
        **{"n_traj": 50, "return_mean": 7.0, "return_std": 1.0},
        **{"monitor_return_mean": 450.0, "monitor_return_std": 20.0},
    },
    "expert_stats": {
        **{"n_traj": 50, "return_mean": 500.0, "return_std": 0.0},
        **{"monitor_return_mean": 500.0, "monitor_return_std": 0.0},
    },
}


def write_log(
    directory: Any,
    rounds: Any,
    formats: Any = ("json",),
    accuracy: float = 0.8,
    entropy: float = 0.5,
) -> None:
    """What a trainer logs: an evaluation every other round, no episode in the first."""
    logger = imit_logger.configure(directory, list(formats))
    for round_num in rounds:
        with logger.accumulate_means("gen"):
            logger.record("time/total_timesteps", ROUND * round_num)
            logger.record("train/loss", 1 / round_num)
            if round_num > 1:
                logger.record("rollout/ep_rew_mean", 10.0 * round_num)
                logger.record("rollout/ep_rew_wrapped_mean", -1.0 * round_num)
            logger.dump(round_num)
        with logger.accumulate_means("disc"):
            for name in ("disc_acc", "disc_acc_expert", "disc_acc_gen"):
                logger.record(name, accuracy)
            logger.record("disc_entropy", entropy)
            logger.record("disc_loss", 1 / round_num)
            logger.record("disc_proportion_expert_pred", 0.5)
        if round_num % 2 == 0:
            mean = 100.0 * round_num if round_num != 6 else 50.0
            logger.record("eval/return_mean", mean)
            logger.record("eval/return_std", 5.0)
            logger.record("eval/timesteps", ROUND * round_num)
        logger.dump(round_num)
    logger.close()


def make_run(
    directory: Any,
    rounds: Any = range(1, 7),
    *,
    result: Any = RESULT,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    directory.mkdir()
    settings = {
        "seed": seed,
        "environment": {"gym_id": "<Env>-v0", "max_episode_steps": 7},
        "algorithm_kwargs": {"demo_batch_size": 8},
        "algorithm_specific": {"gail": {}},
        "rl": {"rl_cls": "stable_baselines3:PPO", "batch_size": ROUND},
    }
    stored = {"script": "train_adversarial", "command": "gail", "settings": settings}
    (directory / "settings.json").write_text(json.dumps(stored))
    write_log(directory / "log", rounds, **kwargs)
    for name in ("00002", "00003", "best", "final", "latest"):
        (directory / "checkpoints" / name).mkdir(parents=True)
    status = "RUNNING" if result is None else "COMPLETED"
    (directory / "sacred").mkdir()
    (directory / "sacred" / "run.json").write_text(
        json.dumps({"status": status, "result": result})
    )
    return directory


def figures(page: Any) -> Any:
    """The alternative text of each plot by the title of its figure."""
    found = re.findall(
        r"<figure><figcaption><strong>([^<]+)</strong>.*?</figure>", page, re.DOTALL
    )
    parts = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    labels = [re.search(r'aria-label="([^"]*)"', part) for part in parts]
    return {
        html.unescape(title): html.unescape(label.group(1)) if label else ""
        for title, label in zip(found, labels, strict=True)
    }


@pytest.mark.parametrize("formats", ["csv", "json", "tensorboard"])
def test_every_curve_is_there_in_every_format(
    tmp_path: pathlib.Path, formats: str
) -> None:
    page = run_page.build(
        runs.read_run(make_run(tmp_path / "run", formats=[formats]))
    ).to_html()
    check_page(page)
    shown = figures(page)
    assert "policy goes from 0.8 to 0.8" in shown["Accuracy of the discriminator"]
    assert "entropy goes from 0.5 to 0.5" in shown["Entropy of its decisions"]
    assert "learned return goes from −2 to −6" in shown["Learned return"]
    assert "training episodes goes from 20 to 60" in shown["True return"]
    assert "evaluation goes from 200 to 50" in shown["True return"]
    assert "Gradient penalty" not in shown
    assert "mean/gen/train/loss" in shown
    assert not any(title.startswith("mean/disc") for title in shown)
    assert "against environment steps" in shown["Loss"]
    assert "there was no warning" in page


def test_the_true_return_is_told_and_not_the_learned_one(
    tmp_path: pathlib.Path,
) -> None:
    run = runs.read_run(make_run(tmp_path / "run"))
    page = run_page.build(run).to_html()
    assert (
        "Completed. The policy&#x27;s true return is 450, the expert&#x27;s 500."
        in (page)
    )
    assert (
        "True return: imit_stats 450 (444.4 to 455.6); expert_stats 500 (500 to 500)"
        in page
    )
    assert history.true_return(run, "imit_stats") == 450


def test_returns_without_a_monitor_are_not_mistaken_for_true_ones(
    tmp_path: pathlib.Path,
) -> None:
    stats = {"n_traj": 5, "return_mean": 7.0, "return_std": 1.0}
    result = {"imit_stats": stats, "expert_stats": stats}
    run = runs.read_run(make_run(tmp_path / "run", result=result))
    assert math.isnan(history.true_return(run, "imit_stats"))
    assert history.true_return(run, "expert_stats") == 7
    page = run_page.build(run).to_html()
    check_page(page)
    assert "Its last training episodes returned 60, the expert&#x27;s 7." in page


def test_checkpoints_have_the_return_that_was_measured_there(
    tmp_path: pathlib.Path,
) -> None:
    run = runs.read_run(make_run(tmp_path / "run"))
    known = {
        c.name: (c.steps, c.true_return, c.source) for c in history.checkpoints(run)
    }
    assert known == {
        "00002": (200, 200, "measured by evaluation"),
        "00003": (300, 30, "measured by the last training episodes"),
        "best": (400, 400, "measured by evaluation"),
        "final": (600, 450, "measured when the training had ended"),
    }
    page = html.unescape(run_page.build(run).to_html())
    environment = "'environment.gym_id=<Env>-v0' environment.max_episode_steps=7"
    policy = f"{run.path}/checkpoints/best/gen_policy"
    assert (
        f"imitation eval_policy with {environment} expert.policy_type=ppo "
        f"expert.loader_kwargs.path={policy}"
    ) in page
    assert f"reward_path={run.path}/checkpoints/best/reward_test.pt" in page


def test_a_run_without_checkpoints_or_settings_of_its_rounds(
    tmp_path: pathlib.Path,
) -> None:
    directory = make_run(tmp_path / "run")
    shutil.rmtree(directory / "checkpoints")
    stored = {"script": "train_adversarial", "command": "airl", "settings": {}}
    (directory / "settings.json").write_text(json.dumps(stored))
    page = run_page.build(runs.read_run(directory)).to_html()
    check_page(page)
    assert "Checkpoints" not in page
    (directory / "checkpoints" / "00002").mkdir(parents=True)
    run = runs.read_run(directory)
    (only,) = history.checkpoints(run)
    assert math.isnan(only.steps)
    check_page(run_page.build(run).to_html())


def test_warnings_of_the_trainer_are_shown(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run", range(1, 13), accuracy=0.999, entropy=0.001)
    run = runs.read_run(directory)
    ((at, message),) = history.warnings(run)
    assert at == 10 * ROUND
    assert message.startswith("The discriminator has told expert and generator apart")
    page = run_page.build(run).to_html()
    check_page(page)
    assert "Warning after 1,000 environment steps" in page
    assert "there was no warning" not in page


def test_rounds_that_share_a_row_count_for_warnings(tmp_path: pathlib.Path) -> None:
    directory = make_run(
        tmp_path / "run", range(4, 13, 4), accuracy=0.999, entropy=0.001
    )
    ((at, _),) = history.warnings(runs.read_run(directory))
    assert at == 12 * ROUND


def test_a_killed_and_resumed_run_is_one_run(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run", range(5, 9))
    # Killed after round 6, with the state of round 4.
    write_log(directory / "earlier" / "000" / "log", range(1, 7), formats=["csv"])
    with open(directory / "earlier" / "000" / "log" / "progress.csv", "a") as file:
        file.write("0.99,1.2e")
    run = runs.read_run(directory)
    assert history.steps(run.metrics) == [ROUND * i for i in range(1, 9)]
    assert run.n_resumed == 1
    page = run_page.build(run).to_html()
    check_page(page)
    assert "Completed, resumed once." in page
    assert "evaluation goes from 200 to 800" in figures(page)["True return"]


def test_a_run_that_goes_on(tmp_path: pathlib.Path) -> None:
    run = runs.read_run(make_run(tmp_path / "run", result=None))
    page = run_page.build(run).to_html()
    check_page(page)
    assert "Still running, or killed. Its last training episodes returned 60." in page
    assert f"imitation gail with resume={run.path}" in page


def test_a_run_whose_episodes_have_not_ended(tmp_path: pathlib.Path) -> None:
    page = run_page.build(
        runs.read_run(make_run(tmp_path / "run", [1], result=None))
    ).to_html()
    check_page(page)
    assert page.count("no episode has ended") == 2


@pytest.mark.parametrize("content", ["", "\n", "mean/disc/disc_acc\n"])
def test_empty_logs_are_no_error(tmp_path: pathlib.Path, content: str) -> None:
    directory = make_run(tmp_path / "run", formats=["csv"])
    (directory / "log" / "progress.csv").write_text(content)
    run = runs.read_run(directory)
    assert run.metrics == ()
    check_page(run_page.build(run).to_html())


def test_an_empty_file_does_not_hide_another_format(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run")
    (directory / "log" / "progress.csv").touch()
    assert len(runs.read_run(directory).metrics) == 6


def test_times_are_interpolated_between_readings() -> None:
    clock = "mean/gen/time/total_timesteps"
    rows = [{}, {clock: 40.0}, {}, {"eval/timesteps": 100.0}, {}]
    assert history.steps(rows) == pytest.approx([20, 40, 70, 100, 100])
    assert history.steps([{}, {}]) == [0, 1]


def test_several_runs_are_compared(tmp_path: pathlib.Path) -> None:
    paths = [make_run(tmp_path / name, seed=i) for i, name in enumerate("abc")]
    unfinished = make_run(tmp_path / "d", seed=0, result=None)
    page = compare_page.build([runs.read_run(p) for p in [*paths, unfinished]])
    text = page.to_html()
    check_page(text)
    assert "4 runs of gail on &lt;Env&gt;-v0" in text
    assert "Mean return of 3 runs: 450" in text
    assert "1 without a result" in text
    assert "<code>seed</code>" in text
    assert "<code>rl.batch_size</code>" not in text
    ends = figures(text)["eval/return_mean"]
    assert all(f"{name} goes from 200 to 50" in ends for name in "abcd")


def test_runs_are_labeled_by_what_tells_them_apart(tmp_path: pathlib.Path) -> None:
    for parent in ("x", "y"):
        (tmp_path / parent).mkdir()
    paths = [make_run(tmp_path / parent / "run") for parent in ("x", "y")]
    text = compare_page.build([runs.read_run(path) for path in paths]).to_html()
    assert "x/run" in text
    assert str(tmp_path / "x") not in text.partition("<footer>")[0]
    with pytest.raises(ConfigError, match="the same run directory is named twice"):
        compare_page.build([runs.read_run(paths[0])] * 2)
