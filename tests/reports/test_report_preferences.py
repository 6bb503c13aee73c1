"""Reports of preference comparisons, from runs whose contents are known."""

import html
import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.preference_comparisons import AgentTrainer
from imitation.algorithms.preference_comparisons.held_out import (
    HeldOutPlayer,
    load_held_out,
)
from imitation.envs.episode_seeds import EpisodeSeedWrapper
from imitation.reports import run_page, runs
from imitation.reports.preferences import fragments as films
from imitation.reports.preferences.fragments import RankedFragment
from imitation.rewards.reward_nets import BasicRewardNet, RewardEnsemble
from imitation.rewards.serialize import save_reward_net
from imitation.testing.html_checks import check_page
from imitation.util import logger as imit_logger

STEPS = 12
RESULT = {
    "reward_loss": 0.3,
    "reward_accuracy": 0.8,
    "imit_stats": {
        **{"n_traj": 50, "return_mean": 3.0, "return_std": 1.0},
        **{"monitor_return_mean": -450.0, "monitor_return_std": 20.0},
    },
}
SETTINGS: Any = {
    "environment": {"gym_id": "Pendulum-v1", "max_episode_steps": STEPS},
    "fragment_length": 5,
    "gatherer_cls": "imitation.algorithms.preference_comparisons:SyntheticGatherer",
    "gatherer_kwargs": {"temperature": 0.5},
    "initial_comparison_frac": 0.2,
    "num_iterations": 3,
    "preference_model_kwargs": {},
    "query_schedule": "constant",
    "rl": {"rl_cls": "stable_baselines3:PPO"},
    "total_comparisons": 50,
    "total_timesteps": 400,
    "trajectory_path": None,
}


def make_env() -> gym.Env:
    return gym.make("Pendulum-v1", max_episode_steps=STEPS)


def write_log(directory: Path) -> None:
    logger = imit_logger.configure(directory, ["json"])
    for number in range(4):
        with logger.accumulate_means("agent"):
            logger.record("time/total_timesteps", 100 * number + 50)
            logger.record("train/loss", 1 / (1 + number))
            if number:
                logger.record("rollout/ep_rew_mean", -1000.0 + number)
                logger.record("rollout/ep_rew_wrapped_mean", 1.0 * number)
            logger.dump(number)
        logger.record("reward/final/train/accuracy", 0.5 + 0.1 * number)
        logger.record("reward/final/train/loss", 0.7 - 0.1 * number)
        logger.record("reward/final/train/gt_reward_loss", 0.1)
        logger.dump(number)
    logger.close()


def make_net(n_members: int = 1) -> Any:
    env = make_env()
    nets = [
        BasicRewardNet(env.observation_space, env.action_space)
        for _ in range(n_members)
    ]
    if n_members == 1:
        return nets[0]
    return RewardEnsemble(env.observation_space, env.action_space, nets)


def play(directory: Path, n_rounds: int = 4) -> None:
    venv = DummyVecEnv([lambda: EpisodeSeedWrapper(make_env())] * 2)
    agent = PPO("MlpPolicy", venv, n_steps=4, batch_size=4, seed=0)
    trainer = AgentTrainer(agent, make_net(), venv, np.random.default_rng(0))
    player = HeldOutPlayer(trainer, venv, directory, n_rounds, 2 * n_rounds)
    for number in range(n_rounds):
        player(number)


def make_run(
    directory: Path, *, settings: Any = SETTINGS, result: Any = RESULT, net: None = None
) -> Path:
    directory.mkdir()
    stored = {"command": "train_preference_comparisons", "settings": settings}
    stored["script"] = "train_preference_comparisons"
    (directory / "settings.json").write_text(json.dumps(stored))
    write_log(directory / "log")
    for name in ("0002", "final"):
        path = directory / "checkpoints" / name
        path.mkdir(parents=True)
        save_reward_net(net or make_net(), path / "reward_net.pt")
    play(directory / "held_out")
    status = "RUNNING" if result is None else "COMPLETED"
    (directory / "sacred").mkdir()
    (directory / "sacred" / "run.json").write_text(
        json.dumps({"status": status, "result": result})
    )
    return directory


def figures(page: str) -> dict[str, str]:
    """The alternative text of each plot by the title of its figure."""
    parts = re.findall(r"<figure><figcaption><strong>.*?</figure>", page, re.DOTALL)
    found = {}
    for part in parts:
        title = re.search("<strong>([^<]+)</strong>", part)
        label = re.search(r'aria-label="([^"]*)"', part)
        assert title is not None
        found[html.unescape(title[1])] = html.unescape(label[1]) if label else ""
    return found


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", net=make_net(3))


@pytest.fixture(scope="module")
def page(run_dir: Path) -> str:
    return run_page.build(runs.read_run(run_dir)).to_html()


def test_everything_is_on_the_page(page: str) -> None:
    check_page(page)
    shown = figures(page)
    assert "training episodes goes from −999 to −997" in shown["True return"]
    assert "held-out episodes goes from" in shown["True return"]
    assert "final reward goes from" in shown["Learned return"]
    assert "trained on goes from 0.5 to 0.8" in shown["Accuracy of the reward"]
    assert "true reward goes from 0.1 to 0.1" in shown["Loss"]
    assert "comparisons goes from 10 to 50" in shown["Comparisons"]
    assert "mean/agent/train/loss" in shown
    assert "pairs" in shown["Calibration"]
    assert "of 8 episodes. Correlation" in shown["Learned and true return"]
    shares = shown["Disagreement of the ensemble"]
    assert all(f"{name} 0." in shares for name in ("least", "medium", "most"))
    assert not any(title.startswith(("reward/", "mean/reward")) for title in shown)


def test_what_is_said_is_what_was_measured(page: str) -> None:
    text = html.unescape(re.sub("<[^>]+>", " ", page))
    assert "The policy's true return is −450. Its reward prefers the better" in text
    assert "500 random pairs of fragments of 5 steps, from 8 episodes" in text
    assert "after rounds 1 to 4" in text
    assert re.search(r"held-out pairs that have different true returns\.", text)
    assert "which fragment has the higher true return" in text
    assert "preferences as noisy as those it learned from" in text


def test_fragments_are_shown_in_motion(page: str) -> None:
    captions = re.findall(r"<figcaption>(learned [^<]+)</figcaption>", page)
    learned = [float(c.split()[1].strip(",").replace("−", "-")) for c in captions]
    assert learned[:3] == sorted(learned[:3], reverse=True)
    assert learned[3:] == sorted(learned[3:])
    assert max(learned[3:]) <= min(learned[:3])
    assert page.count('class="moving"') == page.count('class="still"') == 6


def test_checkpoints_can_be_used(run_dir: Path, page: str) -> None:
    text = html.unescape(page)
    final = run_dir / "checkpoints" / "final"
    words = "environment.gym_id=Pendulum-v1 environment.max_episode_steps=12"
    assert f"imitation eval_policy with {words} expert.policy_type=ppo" in text
    assert f"expert.loader_kwargs.path={final / 'policy'}" in text
    assert f"imitation train_rl with {words} reward_type=RewardNet_unnorm" in text
    assert f"reward_path={final / 'reward_net.pt'}" in text
    assert "checkpoints/0002" in text


def test_an_interrupted_run_is_judged_by_its_last_checkpoint(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "run", result=None)
    (directory / "checkpoints" / "final").rename(tmp_path / "lost")
    page = run_page.build(runs.read_run(directory)).to_html()
    check_page(page)
    assert "Its last training episodes returned −997." in page
    assert "checkpoints/0002/reward_net.pt" in page
    assert "Calibration" in figures(page)
    assert "Disagreement of the ensemble" not in figures(page)


def test_people_are_told_that_true_returns_judge(tmp_path: Path) -> None:
    human = SETTINGS["gatherer_cls"].replace("Synthetic", "Human")
    settings = {**SETTINGS, "gatherer_cls": human, "gatherer_kwargs": {"fps": 3}}
    page = run_page.build(
        runs.read_run(make_run(tmp_path / "run", settings=settings))
    ).to_html()
    check_page(page)
    assert "was preferred by its true return, against" in page
    assert "as noisy as" not in page


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("checkpoints", "No reward has been saved yet."),
        ("held_out", "There are no held-out episodes to judge the reward by"),
        ("held_out/0002/state.json", "The reward cannot be judged"),
        ("checkpoints/final/reward_net.pt/net.safetensors", "cannot be judged"),
    ],
)
def test_what_is_missing_or_damaged_is_said(
    tmp_path: Path, broken: str, said: str
) -> None:
    directory = make_run(tmp_path / "run")
    (directory / broken).rename(tmp_path / "gone")
    page = run_page.build(runs.read_run(directory)).to_html()
    check_page(page)
    assert said in page
    assert "Calibration" not in figures(page)
    assert "Accuracy of the reward" in figures(page)


def test_a_run_without_settings_or_logs(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "run", settings={}, result=None)
    (directory / "log" / "progress.json").write_text("")
    page = run_page.build(runs.read_run(directory)).to_html()
    check_page(page)
    assert "Nothing was logged." in page
    assert "The reward cannot be judged" in page


def test_an_episode_is_played_again_only_if_it_is_the_same(tmp_path: Path) -> None:
    play(tmp_path, n_rounds=1)
    episodes = load_held_out(tmp_path)
    episode, seed = episodes.trajectories[0], int(episodes.seeds[0])
    venv = DummyVecEnv([lambda: gym.make("Pendulum-v1", render_mode="rgb_array")])
    frames = films.replay(venv, episode, seed, 3, 7)
    assert frames is not None
    assert frames.shape == (4, 500, 500, 3)
    assert (frames[0] != frames[3]).any()
    assert films.replay(venv, episode, seed + 1, 3, 7) is None


def test_what_cannot_be_played_again_is_drawn(tmp_path: Path) -> None:
    play(tmp_path, n_rounds=1)
    episodes = load_held_out(tmp_path)
    shown = [RankedFragment(0, 0, 5, 1.0, 1.0), RankedFragment(1, 2, 7, 1.0, 1.0)]
    drawn = films.film_fragments(episodes, shown, {"gym_id": "Unknown-v7"})
    again = films.film_fragments(
        episodes, shown, {"gym_id": "Pendulum-v1", "max_episode_steps": STEPS}
    )
    assert [film.width for film in drawn] == [film.width for film in again] == [280] * 2
    assert drawn[0].height < again[0].height == 280
