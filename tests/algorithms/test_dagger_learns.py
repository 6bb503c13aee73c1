"""DAgger learns, and the programs of the documentation run."""

import pathlib
import tempfile
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy

from imitation.algorithms import bc, dagger
from imitation.algorithms.dagger import SimpleDAggerTrainer
from imitation.policies import experts
from imitation.policies.serialize import load_policy
from imitation.testing import reward_improvement
from imitation.util import logger as imit_logger
from imitation.util.util import make_vec_env


def train(tmp_path: pathlib.Path, seed: Any, *, total_timesteps: int = 2_000) -> Any:
    rng = np.random.default_rng(seed)
    venv = make_vec_env("seals/CartPole-v0", rng=rng, n_envs=1)
    trainer = SimpleDAggerTrainer(
        venv=venv,
        scratch_dir=tmp_path / "scratch",
        expert_policy=experts.load_expert("seals/CartPole-v0", venv),
        rng=rng,
        beta_schedule=dagger.ExponentialBetaSchedule(0.5),
        bc_trainer=bc.BC(
            observation_space=venv.observation_space,
            action_space=venv.action_space,
            rng=rng,
            optimizer_kwargs={"lr": 3e-3},
            device="cpu",
            custom_logger=imit_logger.configure(tmp_path / "log", ["csv"]),
        ),
    )
    before = returns(trainer.policy, seed)
    trainer.train(
        total_timesteps,
        rollout_round_min_episodes=1,
        bc_train_kwargs={"log_rollouts_n_episodes": 0},
        progress_bar=False,
    )
    return before, returns(trainer.policy, seed)


def returns(policy: Any, seed: Any) -> Any:
    venv = make_vec_env("seals/CartPole-v0", rng=np.random.default_rng(seed), n_envs=8)
    episodes, _ = evaluate_policy(policy, venv, 8, return_episode_rewards=True)
    return episodes


def test_learns_cartpole(tmp_path: pathlib.Path) -> None:
    before, after = train(tmp_path, seed=0)
    assert reward_improvement.is_significant_reward_improvement(before, after, 0.001)
    assert np.mean(after) > 480


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_two_thousand_steps_solve_cartpole(tmp_path: pathlib.Path, seed: Any) -> None:
    _, after = train(tmp_path, seed)
    assert after == [500.0] * 8


@pytest.mark.parametrize(
    ("env_name", "n_envs", "total_timesteps"),
    [("seals/CartPole-v0", 1, 2_000), ("seals-CartPole-v0", 8, 4_000)],
    ids=["tutorial", "algorithm page"],
)
def test_documented_program_runs(
    env_name: str, n_envs: int, total_timesteps: int, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    env = make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=n_envs)
    expert = load_policy(
        "ppo-huggingface",
        organization="HumanCompatibleAI",
        env_name=env_name,
        venv=env,
    )
    bc_trainer = bc.BC(
        observation_space=env.observation_space,
        action_space=env.action_space,
        rng=rng,
    )
    with tempfile.TemporaryDirectory(prefix="dagger_example_") as tmpdir:
        dagger_trainer = SimpleDAggerTrainer(
            venv=env,
            scratch_dir=tmpdir,
            expert_policy=expert,
            bc_trainer=bc_trainer,
            rng=rng,
        )
        dagger_trainer.train(total_timesteps)
    reward: Any
    reward, _ = evaluate_policy(dagger_trainer.policy, env, 8)
    assert reward > 250
    output = capfd.readouterr().out
    for key in (
        "mean_episode_reward",
        "total_timesteps",
        "round_num",
        "round_episode_count",
        "round_timestep_count",
        "return_mean",
    ):
        assert key in output
