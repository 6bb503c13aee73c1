"""Agents of preference comparisons: what they train on, sample and count."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import VecTransposeImage

from imitation.algorithms import preference_comparisons as prefs
from imitation.data import rollout, types
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.testing.reward_nets import MockRewardNet
from imitation.training import sb3_state
from imitation.util import logger as imit_logger
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import make_generator, make_reward_net


def make_agent(
    directory: pathlib.Path,
    name: str = "PPO",
    obs_kind: str = "box",
    act_kind: str = "discrete",
    reward: Any = None,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    np.random.seed(seed)
    settings = kwargs.pop("settings", {})
    venv = tiny_envs.make_venv(obs_kind, act_kind, seed=seed)
    algorithm = make_generator(name, venv, obs_kind, seed, **settings)
    return prefs.AgentTrainer(
        algorithm,
        make_reward_net(venv, obs_kind) if reward is None else reward(venv),
        venv,
        np.random.default_rng(seed),
        custom_logger=imit_logger.configure(directory, ["log"]),
        **kwargs,
    )


def reward_of(where: Any, actions: Any) -> Any:
    return ((actions > 0.5) == (where > 0)).astype(float)


def assert_true_episodes(trajectories: Any, obs_kind: str = "box") -> None:
    for trajectory in trajectories:
        assert trajectory.terminal and len(trajectory) == tiny_envs.HORIZON
        if obs_kind == "box":
            expected = reward_of(trajectory.obs[:-1, 0], trajectory.acts)
            np.testing.assert_array_equal(trajectory.rews, expected)


@pytest.mark.parametrize(
    ("name", "obs_kind", "act_kind"),
    [
        ("PPO", "box", "discrete"),
        ("PPO", "image", "discrete"),
        ("PPO", "dict", "box"),
        ("A2C", "box", "box"),
        ("TRPO", "box", "discrete"),
        ("RecurrentPPO", "box", "discrete"),
        ("SAC", "dict", "box"),
        ("TD3", "box", "box"),
        ("DQN", "image", "discrete"),
    ],
)
def test_trains_and_samples(
    tmp_path: pathlib.Path, name: str, obs_kind: str, act_kind: str
) -> None:
    agent = make_agent(tmp_path, name, obs_kind, act_kind)
    agent.train(48)
    assert agent.algorithm.num_timesteps == 48
    trajectories = agent.sample(60)
    assert sum(map(len, trajectories)) >= 60
    first = trajectories[0].obs[0]
    space = agent.venv.observation_space
    plain = first.unwrap() if isinstance(first, types.DictObs) else first
    assert space.contains(plain), "the environment's layout"
    assert agent.venv.action_space.contains(trajectories[0].acts[0])
    if act_kind == "discrete":
        assert_true_episodes(trajectories, obs_kind)
    agent.train(48)
    assert agent.algorithm.num_timesteps == 96


@pytest.mark.parametrize("name", ["PPO", "A2C", "RecurrentPPO", "TRPO"])
def test_on_policy_steps_are_exact(tmp_path: pathlib.Path, name: str) -> None:
    """A full rollout of two environments takes 32 steps."""
    agent = make_agent(tmp_path, name)
    for steps in (10, 32, 64, 70, 33, 100):
        before = agent.algorithm.num_timesteps
        buffer, n_steps = agent.algorithm.rollout_buffer, agent.algorithm.n_steps
        agent.train(steps)
        agent.sample(1)
        assert abs(agent.algorithm.num_timesteps - before - steps) <= 1
        assert agent.algorithm.rollout_buffer is buffer
        assert agent.algorithm.n_steps == n_steps
    assert abs(agent.algorithm.num_timesteps - 309) <= 1


def test_shorter_rollouts_are_no_shorter_than_needed(tmp_path: pathlib.Path) -> None:
    agent = make_agent(tmp_path)
    sizes = []
    train = agent.algorithm.train

    def noting() -> None:
        sizes.append(agent.algorithm.rollout_buffer.rewards.size)
        train()

    agent.algorithm.train = noting
    agent.train(2 * 32 + 6)
    assert sizes == [32, 20, 18]


def test_what_is_too_much_counts_for_the_next_call(tmp_path: pathlib.Path) -> None:
    """Whole episodes of eight steps in one environment at a time."""
    settings: dict[str, Any] = {"train_freq": (1, "episode")}
    venv = tiny_envs.make_venv(n_envs=1)
    algorithm = make_generator("DQN", venv, **settings)
    logger = imit_logger.configure(tmp_path, [])
    agent = prefs.AgentTrainer(
        algorithm, make_reward_net(venv), venv, custom_logger=logger
    )
    taken = []
    for _ in range(6):
        agent.train(5)
        agent.sample(1)
        taken.append(algorithm.num_timesteps)
    assert taken == [8, 16, 16, 24, 32, 32]


def constant(venv: Any) -> Any:
    return MockRewardNet(venv.observation_space, venv.action_space, 7.0)


def test_trains_on_the_learned_reward_only(tmp_path: pathlib.Path) -> None:
    agent = make_agent(tmp_path, reward=constant)
    agent.train(32)
    np.testing.assert_array_equal(agent.algorithm.rollout_buffer.rewards[:7], 7.0)
    assert_true_episodes(agent.sample(8))
    env = agent.algorithm.get_env()
    assert env.episode_rewards[-1] == 7.0 * tiny_envs.HORIZON


def test_any_function_may_be_the_reward(tmp_path: pathlib.Path) -> None:
    def make(venv: Any) -> Any:
        return lambda state, action, next_state, done: state[:, 0].astype(np.float64)

    for name in ("PPO", "DQN"):
        agent = make_agent(tmp_path / name, name, reward=make)
        agent.train(32)
        if name == "DQN":
            batch = agent.algorithm.replay_buffer.sample(5)
            np.testing.assert_allclose(batch.rewards[:, 0], batch.observations[:, 0])


def test_replayed_rewards_are_current_and_leave_statistics_alone(
    tmp_path: pathlib.Path,
) -> None:
    def make(venv: Any) -> Any:
        net = reward_nets.NormalizedRewardNet(constant(venv), networks.RunningNorm)
        return net.predict_processed  # its own method counts as the network

    agent = make_agent(tmp_path, "DQN", reward=make)
    agent.train(32)
    net = agent.reward_fn.__self__
    count = net.normalize_output_layer.count.item()
    assert count == 32, "one look at each step"
    net.base.value = 3.0
    agent.algorithm.replay_buffer.sample(5)
    assert net.normalize_output_layer.count.item() == count


def test_finished_episodes_come_first_and_the_newest_of_them(
    tmp_path: pathlib.Path,
) -> None:
    agent = make_agent(tmp_path)
    agent.train(32)
    buffered = [t.obs for t in agent.buffering_wrapper.finished_trajectories]
    assert len(buffered) == 4
    trajectories = agent.sample(20)
    assert [t.obs.tolist() for t in trajectories] == [
        obs.tolist() for obs in buffered[:0:-1]
    ]
    fresh = agent.sample(8)
    assert fresh[0].obs.tolist() != buffered[0].tolist(), "each is sampled once"


def test_unfinished_episodes_are_never_sampled(tmp_path: pathlib.Path) -> None:
    agent = make_agent(tmp_path)
    agent.train(10)
    assert_true_episodes(agent.sample(20))
    assert not agent.buffering_wrapper.n_transitions


def test_exploration(tmp_path: pathlib.Path) -> None:
    options: Any = {"exploration_frac": 0.5, "random_prob": 1.0, "switch_prob": 1.0}
    agent = make_agent(tmp_path, **options)
    trajectories = agent.sample(3200)
    assert_true_episodes(trajectories)
    assert 3200 <= sum(map(len, trajectories)) < 3200 + 2 * tiny_envs.HORIZON
    text = (tmp_path / "log.txt").read_text()
    assert "Requested 1600 transitions but only 0 in buffer. Sampling 1600" in text
    assert "Sampling 1600 exploratory transitions." in text
    # A policy that always takes one action shows which steps were random.
    agent.algorithm.policy.action_net.bias.data[:] = th.tensor([100.0, -100.0])
    share = np.mean([t.acts.mean() for t in agent.sample(3200)])
    assert 0.2 < share < 0.3


def test_too_few_steps_to_explore(tmp_path: pathlib.Path) -> None:
    make_agent(tmp_path, exploration_frac=0.1).sample(8)
    assert "No exploration steps included" in (tmp_path / "log.txt").read_text()


def test_equal_seeds_sample_alike(tmp_path: pathlib.Path) -> None:
    for name, obs_kind in (("PPO", "box"), ("DQN", "image")):
        one, other = (
            make_agent(tmp_path / name / str(i), name, obs_kind, exploration_frac=0.5)
            for i in range(2)
        )
        assert one.sample(40) == other.sample(40)


def test_small_networks_train_on_one_thread(tmp_path: pathlib.Path) -> None:
    agent = make_agent(tmp_path)
    counts: set[int] = set()
    before = th.get_num_threads()
    th.set_num_threads(2)

    def note(*_: object) -> bool:
        counts.add(th.get_num_threads())
        return True

    try:
        agent.train(32, callback=note)
        assert th.get_num_threads() == 2
    finally:
        th.set_num_threads(before)
    assert counts == {1}


def test_trajectories_left_in_the_buffer(tmp_path: pathlib.Path) -> None:
    agent = make_agent(tmp_path)
    agent.train(32)
    message = r"There are 32 transitions left in the buffer\. Call AgentTrainer\.sample"
    with pytest.raises(RuntimeError, match=message):
        agent.train(32)
    agent.sample(0)
    agent.train(32)


def test_the_policy_gets_images_in_its_own_layout(tmp_path: pathlib.Path) -> None:
    """Channels first, whether the environment has them last or first."""

    def play(agent: Any) -> Any:
        agent.venv.seed(5)
        episodes = rollout.make_min_episodes(6)
        return agent.play(agent.venv, episodes, np.random.default_rng(2))

    agent = make_agent(tmp_path, obs_kind="image")
    channels_last = play(agent)
    venv = VecTransposeImage(tiny_envs.make_venv("image"))
    channels_first = play(
        prefs.AgentTrainer(
            agent.algorithm, constant(venv), venv, custom_logger=agent.logger
        )
    )
    for one, other in zip(channels_last, channels_first, strict=True):
        np.testing.assert_array_equal(one.obs.transpose(0, 3, 1, 2), other.obs)
        np.testing.assert_array_equal(one.acts, other.acts)


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_state_goes_on_alike(tmp_path: pathlib.Path, name: str) -> None:
    one = make_agent(tmp_path / "one", name, exploration_frac=0.3)
    one.train(40)
    state = one.state_dict()
    other = make_agent(tmp_path / "other", name, seed=5, exploration_frac=0.3)
    reward = one.reward_fn.state_dict()
    other.reward_fn.load_state_dict(reward)
    results = []
    other.load_state_dict(state)
    # One after the other, as both draw from global generators.
    for agent in (one, other):
        agent.restart_episodes(3)
        sb3_state.restore_random_state(agent.algorithm, state["randomness"])
        sampled = [agent.sample(40)]
        agent.train(33)
        sampled.append(agent.sample(40))
        results.append([[t.obs.tolist() for t in part] for part in sampled])
        assert agent.algorithm.num_timesteps == 73 // 2 * 2
    assert results[0] == results[1]


def other_space(venv: Any) -> Any:
    other = tiny_envs.make_venv("dict")
    return make_reward_net(other, "dict")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": other_space}, "spaces do not match"),
        ({"exploration_frac": 1.5}, "exploration_frac must lie in"),
        ({"exploration_frac": -0.5}, "exploration_frac must lie in"),
        ({"switch_prob": 2.0}, "switch_prob is a probability"),
        ({"random_prob": -1.0}, "random_prob is a probability"),
    ],
)
def test_wrong_settings(tmp_path: pathlib.Path, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_agent(tmp_path, **options)


def test_another_number_of_environments(tmp_path: pathlib.Path) -> None:
    algorithm = make_generator("PPO", tiny_envs.make_venv(n_envs=2))
    venv = tiny_envs.make_venv(n_envs=3)
    with pytest.raises(ConfigError, match="made for 2 environments, venv has 3"):
        prefs.AgentTrainer(algorithm, make_reward_net(venv), venv)


def test_another_environment(tmp_path: pathlib.Path) -> None:
    algorithm = make_generator("PPO", tiny_envs.make_venv("box"))
    venv = tiny_envs.make_venv(act_kind="box")
    with pytest.raises(ValueError, match="spaces do not match"):
        prefs.AgentTrainer(algorithm, make_reward_net(venv), venv)
