"""What a constant reward teaches: to survive, unless there are absorbing states."""

from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.adversarial.gail import GAIL
from imitation.data import rollout
from imitation.envs.absorbing import AbsorbingStateWrapper, absorb_trajectories
from imitation.policies.base import RandomPolicy
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.util import logger as imit_logger
from imitation.util.util import make_vec_env

HORIZON = 200
SEEDS = (0, 1, 2)


class ConstantLogit(RewardNet):
    """A discriminator that learns nothing."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        super().__init__(observation_space, action_space)
        self.unused = th.nn.Parameter(th.zeros(()))

    def forward(
        self, state: Any, action: th.Tensor, next_state: Any, done: th.Tensor
    ) -> th.Tensor:
        return 1 + 0 * self.unused * done


def cartpole(absorbing: bool, rng: np.random.Generator) -> VecEnv:
    return make_vec_env(
        "CartPole-v1",
        rng=rng,
        n_envs=8,
        max_episode_steps=HORIZON,
        post_wrappers=[lambda env, _: AbsorbingStateWrapper(env)] if absorbing else [],
    )


def random_demonstrations(absorbing: bool, rng: np.random.Generator) -> Any:
    """From a policy that does nothing for balance, in the plain environment."""
    venv = cartpole(False, rng)
    demonstrations = rollout.rollout(
        RandomPolicy(venv.observation_space, venv.action_space),
        venv,
        rollout.make_min_episodes(8),
        rng=rng,
        unwrap=False,
    )
    if absorbing:
        return absorb_trajectories(demonstrations, HORIZON)
    return demonstrations


def make_trainer(absorbing: bool, seed: int, **kwargs: Any) -> GAIL:
    rng = np.random.default_rng(seed)
    venv = cartpole(absorbing, rng)
    gen_algo = PPO(
        "MlpPolicy",
        venv,
        n_steps=64,
        n_epochs=6,
        learning_rate=2e-3,
        gamma=0.98,
        gae_lambda=0.9,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": [32]},
    )
    return GAIL(
        demonstrations=random_demonstrations(absorbing, rng),
        demo_batch_size=8,
        venv=venv,
        gen_algo=gen_algo,
        reward_net=ConstantLogit(venv.observation_space, venv.action_space),
        n_disc_updates_per_round=1,
        custom_logger=imit_logger.configure(None, format_strs=[]),
        **kwargs,
    )


def steps_in_balance(trainer: GAIL) -> float:
    """How long the pole stays up: CartPole's own reward of an episode."""
    trajectories = rollout.rollout(
        trainer.policy,
        trainer.venv,
        rollout.make_min_episodes(8),
        rng=np.random.default_rng(0),
        unwrap=False,
    )
    return rollout.rollout_stats(trajectories)["return_mean"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*allow_variable_horizon")
def test_a_constant_reward_balances_the_pole_only_where_episodes_end() -> None:
    ending, absorbing = [], []
    for seed in SEEDS:
        trainer = make_trainer(False, seed, allow_variable_horizon=True)
        trainer.train(8192)
        ending.append(steps_in_balance(trainer))
        trainer = make_trainer(True, seed)  # passes the check of the horizon
        trainer.train(8192)
        absorbing.append(steps_in_balance(trainer))
    # A random policy stays up for some 22 steps.
    assert min(ending) > 80, (ending, absorbing)
    assert max(absorbing) < 50, (ending, absorbing)


def test_the_trainer_refuses_it_without_absorbing_states() -> None:
    with pytest.raises(ValueError, match="Episodes of different length"):
        make_trainer(False, 0).train(1024)


@pytest.mark.parametrize("absorbing", [False, True])
def test_a_constant_reward_is_worth_the_same_to_all_policies(absorbing: bool) -> None:
    venv = RewardVecEnvWrapper(
        cartpole(absorbing, np.random.default_rng(0)), lambda *_: np.ones(8)
    )
    venv.reset()
    for _ in range(HORIZON):
        venv.step(np.zeros(8, dtype=int))  # falls at once
    returns = set(venv.episode_rewards)
    assert returns == {HORIZON} if absorbing else max(returns) < 15
