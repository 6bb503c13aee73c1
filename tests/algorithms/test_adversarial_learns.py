"""GAIL and AIRL learn: a seconds-long run on a tiny environment, judged by returns."""

import pathlib
from typing import Any

import pytest
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common import evaluation

from imitation.rewards import reward_nets
from imitation.testing.reward_improvement import is_significant_reward_improvement
from imitation.training.learned_rewards import retrain_policy
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import make_trainer

GAMMA = 0.5
"""What to do depends on the present state alone."""


def returns(policy: Any) -> Any:
    venv = tiny_envs.make_venv(seed=99)
    values, _ = evaluation.evaluate_policy(
        policy, venv, 20, deterministic=True, return_episode_rewards=True, warn=False
    )
    return values


def ppo(venv: Any, seed: int = 0) -> Any:
    return sb3.PPO(
        "MlpPolicy", venv, n_steps=64, batch_size=128, n_epochs=5, gamma=GAMMA,
        learning_rate=3e-3, seed=seed, device="cpu",
        policy_kwargs={"net_arch": [16]},
    )  # fmt: skip


def trainer_for(
    tmp_path: pathlib.Path, algorithm: Any, seed: int = 0, **settings: Any
) -> Any:
    th.manual_seed(seed)
    venv = tiny_envs.make_venv(n_envs=8, seed=seed)
    spaces = venv.observation_space, venv.action_space
    norm = networks.RunningNorm
    if algorithm == "AIRL":
        net: Any = reward_nets.BasicShapedRewardNet(
            *spaces, normalize_input_layer=norm, discount_factor=GAMMA
        )
    else:
        net = reward_nets.BasicRewardNet(*spaces, normalize_input_layer=norm)
    return make_trainer(
        tmp_path, algorithm, venv=venv, gen_algo=ppo(venv, seed), reward_net=net,
        demonstrations=tiny_envs.expert_trajectories(30), demo_batch_size=128,
        n_disc_updates_per_round=8, disc_opt_kwargs={"lr": 1e-2}, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL", "LeastSquaresGAIL"])
def test_learns(tmp_path: pathlib.Path, algorithm: str) -> None:
    trainer = trainer_for(tmp_path, algorithm)
    before = returns(trainer.policy)
    trainer.train(12 * 512)
    after = returns(trainer.policy)
    assert is_significant_reward_improvement(before, after, p_value=0.001)
    assert sum(after) / len(after) >= 0.9 * tiny_envs.HORIZON


def test_a_fresh_policy_learns_from_the_unshaped_reward_of_airl(
    tmp_path: pathlib.Path,
) -> None:
    trainer = trainer_for(tmp_path, "AIRL")
    trainer.train(12 * 512)
    venv = tiny_envs.make_venv(n_envs=8, seed=5)
    fresh = ppo(venv, seed=7)
    before = returns(fresh.policy)
    policy = retrain_policy(trainer.reward_test, fresh, 12 * 512)
    after = returns(policy)
    assert is_significant_reward_improvement(before, after, p_value=0.001)
    assert sum(after) / len(after) >= 0.9 * tiny_envs.HORIZON


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_learns_whatever_the_seed(
    tmp_path: pathlib.Path, algorithm: str, seed: Any
) -> None:
    trainer = trainer_for(tmp_path, algorithm, seed)
    trainer.train(12 * 512)
    after = returns(trainer.policy)
    assert sum(after) / len(after) >= 0.9 * tiny_envs.HORIZON
