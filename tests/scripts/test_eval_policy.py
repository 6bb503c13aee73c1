"""The command eval_policy: statistics, rollouts, exploration, videos and windows."""

import pathlib
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import serialize
from imitation.scripts.eval_policy import InteractiveRender, eval_policy_ex
from imitation.scripts.train_imitation import train_imitation_ex

QUIET = {"expert.policy_type": "zero", "seed": 0, "logging.log_dir": "run"}


class Painted(gym.Env):
    """Draws its keyword argument, and counts how often a window was drawn."""

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}  # noqa: RUF012  # Gymnasium's own convention
    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)
    drawn = 0

    def __init__(self, color: Any, render_mode: str | None = None) -> None:
        self.color, self.render_mode = color, render_mode

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        self.draw()
        return np.zeros(1, np.float32), {"color": self.color}

    def step(self, action: Any) -> Any:
        self.steps += 1
        self.draw()
        obs = np.zeros(1, np.float32)
        return obs, 1.0, False, self.steps == 3, {"color": self.color}

    def draw(self) -> None:
        type(self).drawn += self.render_mode == "human"

    def render(self) -> Any:
        return np.full((16, 16, 3), self.color, np.uint8)


gym.register("tests/Painted-v0", cast("Any", Painted))
PAINTED = {
    "environment.gym_id": "tests/Painted-v0",
    "environment.env_make_kwargs.color": 7,
    "environment.num_vec": 1,
}


def run(named: Any = ("cartpole", "environment.fast", "fast"), **updates: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return eval_policy_ex.run(named_configs=named, config_updates={**QUIET, **dotted})


def test_statistics(workdir: pathlib.Path) -> None:
    done = run(eval_n_timesteps=40)
    assert done.result["n_traj"] == 8
    assert done.result["return_mean"] == done.result["monitor_return_mean"] == 5.0
    monitors = sorted(path.name for path in pathlib.Path("run/monitor").iterdir())
    assert monitors == ["mon000.monitor.csv", "mon001.monitor.csv"]


def test_episodes_decide_if_they_are_given(workdir: pathlib.Path) -> None:
    done = run(("cartpole", "environment.fast"), eval_n_episodes=3)
    assert done.config["eval_n_timesteps"] is None
    assert 3 <= done.result["n_traj"] <= 4


def test_rollouts_are_saved_relative_to_the_run_directory(
    workdir: pathlib.Path,
) -> None:
    run(rollout_save_path="rollouts/test")
    episodes = serialize.load_with_rewards(workdir / "run" / "rollouts" / "test")
    assert all(len(episode) == 5 for episode in episodes)


def test_exploration(workdir: pathlib.Path) -> None:
    run(rollout_save_path="plain", eval_n_timesteps=60)
    run(
        ("cartpole", "environment.fast", "fast", "explore_eps_greedy"),
        rollout_save_path="explored",
        eval_n_timesteps=60,
        explore_kwargs__random_prob=0.5,
    )
    plain, explored = (
        np.concatenate([t.acts for t in serialize.load(f"run/{name}")])
        for name in ("plain", "explored")
    )
    assert not plain.any()
    assert 0 < explored.mean() < 0.6


def test_videos_keep_the_arguments_of_the_environment(
    workdir: pathlib.Path,
) -> None:  # S30
    pytest.importorskip("av")
    done = run(("fast",), videos=True, video_kwargs={"single_video": False}, **PAINTED)
    expected = {"color": 7, "render_mode": "rgb_array"}
    assert done.config["environment"]["env_make_kwargs"] == expected
    videos = list(pathlib.Path("run/videos").glob("0/*.mp4"))
    assert videos and all(video.stat().st_size > 0 for video in videos)


def test_render_draws_in_a_window_and_keeps_the_arguments(
    workdir: pathlib.Path,
) -> None:  # S30
    Painted.drawn = 0
    done = run(("fast", "render"), render_fps=10_000, **PAINTED)
    expected = {"color": 7, "render_mode": "human"}
    assert done.config["environment"]["env_make_kwargs"] == expected
    assert Painted.drawn >= 4


def test_interactive_render_holds_the_frame_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = [100.0], []

    def sleep(seconds: Any) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", sleep)
    venv = InteractiveRender(DummyVecEnv([lambda: Painted(1, "human")]), fps=4)
    venv.reset()
    venv.step(np.array([0]))
    now[0] += 0.15  # the policy thinks
    venv.step(np.array([0]))
    assert slept == pytest.approx([0.0, 0.25, 0.10])


def test_a_trained_policy_of_the_other_commands_can_be_evaluated(
    workdir: pathlib.Path,
) -> None:
    named = ["cartpole", "environment.fast", "policy_evaluation.fast", "fast"]
    quiet = {"logging.log_format_strs": [], "bc.batch_size": 4}
    train_imitation_ex.run(
        "bc",
        named_configs=[*named, "demonstrations.fast"],
        config_updates={**QUIET, **quiet, "logging.log_dir": "clone"},
    )
    done = run(
        expert__policy_type="ppo", expert__loader_kwargs={"path": "clone/final.th"}
    )
    assert done.result["return_mean"] == 5.0


def test_evaluating_again_into_the_same_directory_keeps_the_earlier_monitors(
    workdir: pathlib.Path,
) -> None:
    run()
    run()
    assert (workdir / "run" / "earlier" / "000" / "monitor").is_dir()
    assert (workdir / "run" / "monitor").is_dir()
