"""Tests of ending with the best agent of all rounds."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms import preference_comparisons as pc
from imitation.algorithms.preference_comparisons import held_out
from imitation.algorithms.preference_comparisons.held_out import load_held_out
from imitation.errors import ArtifactError
from imitation.rewards.reward_nets import BasicRewardNet, NormalizedRewardNet
from imitation.util import logger as imit_logger
from imitation.util.networks import RunningNorm
from reference import tiny_envs
from reference.adversarial_trainers import make_generator


def make_venv() -> DummyVecEnv:
    return DummyVecEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=5)])


def make_agent(algorithm: type[BaseAlgorithm]) -> Any:
    kwargs: dict[str, Any] = {"n_steps": 10, "batch_size": 10}
    if algorithm is SAC:
        kwargs = {"learning_starts": 5, "buffer_size": 50}
    return algorithm("MlpPolicy", make_venv(), seed=0, **kwargs)


class ByTorque:
    """A reward function that rates torque, once negatively and once positively."""

    sign = 1.0

    def __call__(self, obs: Any, acts: Any, next_obs: Any, dones: Any) -> Any:
        return self.sign * np.asarray(acts)[:, 0]


def make_best(
    tmp_path: Path, agent: BaseAlgorithm, reward: Any, **kwargs: Any
) -> tuple[pc.BestAgent, pc.AgentTrainer]:
    log = imit_logger.configure(tmp_path / "log", [])
    trainer = pc.AgentTrainer(agent, reward, make_venv(), custom_logger=log)
    kwargs = {"n_episodes": 10} | kwargs
    return pc.BestAgent(trainer, make_venv(), tmp_path / "kept", **kwargs), trainer


def set_torque(agent: Any, torque: Any) -> None:
    """Makes the policy push with a torque of about this everywhere."""
    with th.no_grad():
        agent.policy.action_net.weight.zero_()
        agent.policy.action_net.bias.fill_(torque)
        agent.policy.log_std.fill_(-3.0)


@pytest.mark.parametrize(("sign", "best"), [(1.0, 1.5), (-1.0, -1.0)])
def test_puts_back_the_agent_that_the_final_reward_rates_best(
    tmp_path: Path, sign: float, best: float
) -> None:
    agent = make_agent(PPO)
    reward = ByTorque()
    keep, _ = make_best(tmp_path, agent, reward, n_rounds=4)
    for number, torque in enumerate([-1.0, 0.5, 1.5, 1.0]):
        set_torque(agent, torque)
        reward.sign = -sign if number < 3 else sign  # the last one alone counts
        keep(number)
    assert agent.policy.action_net.bias.item() == best
    assert len(list((tmp_path / "kept" / "agents").iterdir())) == 4
    keep.forget()
    assert not (tmp_path / "kept" / "agents").exists()
    assert len(list((tmp_path / "kept").iterdir())) == 4  # the episodes stay


def test_all_rounds_begin_in_the_same_states(tmp_path: Path) -> None:
    keep, _ = make_best(tmp_path, make_agent(PPO), ByTorque(), n_rounds=3)
    for number in range(3):
        keep(number)
    kept: Any = load_held_out(tmp_path / "kept")
    starts = np.stack([t.obs[0] for t in kept.trajectories])
    first, second, third = (starts[kept.rounds == n] for n in (1, 2, 3))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert len(np.unique(first, axis=0)) == 4


def test_of_equals_the_latest_is_kept(tmp_path: Path) -> None:
    agent = make_agent(PPO)
    reward = ByTorque()
    reward.sign = 0.0
    keep, _ = make_best(tmp_path, agent, reward, n_rounds=3)
    for number, torque in enumerate([1.0, 0.5, 0.25]):
        set_torque(agent, torque)
        keep(number)
    assert agent.policy.action_net.bias.item() == 0.25


def test_a_resumed_training_chooses_from_all_rounds(tmp_path: Path) -> None:
    first, second = make_agent(PPO), make_agent(PPO)
    set_torque(first, 1.0)
    make_best(tmp_path, first, ByTorque(), n_rounds=2)[0](0)
    set_torque(second, -1.0)
    make_best(tmp_path, second, ByTorque(), n_rounds=2)[0](1)
    assert second.policy.action_net.bias.item() == 1.0


def test_an_off_policy_agent_goes_back_with_its_temperature(tmp_path: Path) -> None:
    agent = make_agent(SAC)
    keep, _ = make_best(tmp_path, agent, lambda o, a, n, d: a[:, 0] * 0, n_rounds=1)
    before = {k: v.clone() for k, v in agent.policy.state_dict().items()}
    entropy = agent.log_ent_coef.item()

    def disturb(directory: Path) -> held_out.HeldOutEpisodes:
        with th.no_grad():
            for parameter in agent.policy.parameters():
                parameter.add_(1.0)
            agent.log_ent_coef.add_(1.0)
        return load_held_out(directory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_out, "load_held_out", disturb)  # before it is restored
        keep(0)
    assert agent.log_ent_coef.item() == entropy
    for name, value in agent.policy.state_dict().items():
        assert th.equal(value, before[name]), name


@pytest.mark.parametrize("as_function", [False, True])
def test_rating_leaves_the_statistics_of_the_reward(
    tmp_path: Path, as_function: bool
) -> None:
    venv = make_venv()
    net = BasicRewardNet(venv.observation_space, venv.action_space)
    reward: Any = NormalizedRewardNet(net, RunningNorm)
    given = reward.predict_processed if as_function else reward
    keep, _ = make_best(tmp_path, make_agent(PPO), given, n_rounds=1)
    count = reward.normalize_output_layer.count.item()
    keep(0)
    assert reward.normalize_output_layer.count.item() == count


def test_a_lost_agent_is_one_clear_error(tmp_path: Path) -> None:
    agent = make_agent(PPO)
    set_torque(agent, 1.0)
    keep, _ = make_best(tmp_path, agent, ByTorque(), n_rounds=2)
    keep(0)
    keep.forget()
    set_torque(agent, -1.0)
    with pytest.raises(ArtifactError, match=r"0001"):
        keep(1)


def test_functions_rate_dictionaries_as_in_training(tmp_path: Path) -> None:
    venv, seen = tiny_envs.make_venv("dict"), set()

    def reward(state: Any, action: Any, next_state: Any, done: Any) -> Any:
        seen.add((type(state), type(next_state)))
        return np.zeros(len(action))

    agent = make_generator("PPO", venv, "dict")
    log = imit_logger.configure(tmp_path / "log", [])
    trainer = pc.AgentTrainer(agent, reward, venv, custom_logger=log)
    pc.BestAgent(trainer, tiny_envs.make_venv("dict"), tmp_path, n_rounds=1)(0)
    assert seen == {(dict, dict)}


def test_played_once_the_last_agent_stays(tmp_path: Path) -> None:
    agent = make_agent(PPO)
    keep, _ = make_best(tmp_path, agent, ByTorque(), n_rounds=3, n_times=1)
    for number, torque in enumerate([1.5, 1.0, 0.5]):
        set_torque(agent, torque)
        keep(number)
    assert agent.policy.action_net.bias.item() == 0.5
    assert load_held_out(tmp_path / "kept").rounds.tolist() == [3] * 10


def test_rounds_of_an_earlier_training_are_not_chosen(tmp_path: Path) -> None:
    agent = make_agent(PPO)
    for n_rounds, first in [(3, 1.5), (2, 1.0)]:
        keep, _ = make_best(tmp_path, agent, ByTorque(), n_rounds=n_rounds)
        for number in range(n_rounds):
            set_torque(agent, first - 0.1 * (n_rounds - number))
            keep(number)
        keep.forget()
    assert agent.policy.action_net.bias.item() == pytest.approx(0.9)


def test_training_ends_with_the_chosen_agent(tmp_path: Path) -> None:
    """As a callback of `train`, with the checkpoint that follows."""
    agent = make_agent(PPO)
    venv = make_venv()
    net = BasicRewardNet(venv.observation_space, venv.action_space)
    keep, trainer = make_best(tmp_path, agent, net, n_rounds=3, n_episodes=6)
    comparisons = pc.PreferenceComparisons(
        trainer,
        net,
        num_iterations=2,
        fragment_length=2,
        initial_epoch_multiplier=1,
        rng=np.random.default_rng(0),
        custom_logger=imit_logger.configure(tmp_path / "log", []),
    )
    comparisons.train(30, 6, keep, checkpoint_dir=tmp_path / "checkpoints")
    path = tmp_path / "checkpoints" / "final" / "policy" / "model.zip"
    saved = PPO.load(path).policy.state_dict()
    for name, value in agent.policy.state_dict().items():
        assert th.equal(value, saved[name]), name
