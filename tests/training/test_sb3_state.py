import copy
from typing import Any

import gymnasium as gym
import pytest
import torch as th
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from imitation.errors import ArtifactError
from imitation.training.rl import RLTrainer


@pytest.fixture(scope="module")
def trainer() -> RLTrainer:
    venv = DummyVecEnv([lambda: gym.make("Pendulum-v1")] * 2)
    small: dict[str, Any] = {"learning_starts": 4, "buffer_size": 40, "seed": 0}
    kwargs = {"net_arch": [4]}
    algo = SAC("MlpPolicy", VecNormalize(venv), policy_kwargs=kwargs, **small)
    trainer = RLTrainer(algo)
    trainer.train(12)
    return trainer


def no_entropy_weight(state: Any) -> None:
    state["variables"].clear()


def other_environments(state: Any) -> None:
    state["replay"]["rewards"] = state["replay"]["rewards"][:, :1]


def lost_steps(state: Any) -> None:
    state["replay"]["pos"] += 1


def beyond_the_buffer(state: Any) -> None:
    state["replay"]["pos"] = 1000


def full_with_few_steps(state: Any) -> None:
    state["replay"]["full"] = True


def other_statistics(state: Any) -> None:
    state["normalization"][1]["mean"] = state["normalization"][1]["mean"][:1]


def other_moments(state: Any) -> None:
    moments = state["parameters"]["actor.optimizer"]["state"][0]
    moments["exp_avg"] = th.zeros(1)


@pytest.mark.parametrize(
    "damage",
    [
        no_entropy_weight,
        other_environments,
        lost_steps,
        beyond_the_buffer,
        full_with_few_steps,
        other_statistics,
        other_moments,
    ],
)
def test_a_state_that_does_not_fit_is_refused(trainer: RLTrainer, damage: Any) -> None:
    state = copy.deepcopy(trainer.state_dict())
    before = copy.deepcopy(trainer.algorithm.get_parameters())
    damage(state["algorithm"])
    with pytest.raises(ArtifactError, match="the state does not fit"):
        trainer.load_state_dict(state)
    after = trainer.algorithm.get_parameters()
    assert th.equal(
        before["policy"]["actor.mu.weight"], after["policy"]["actor.mu.weight"]
    )
    trainer.load_state_dict(trainer.state_dict())
