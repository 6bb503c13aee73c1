import copy
import functools
import pathlib
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.buffers import (
    DictReplayBuffer,
    NStepReplayBuffer,
    ReplayBuffer,
)
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecEnvWrapper,
    VecNormalize,
    VecTransposeImage,
)
from stable_baselines3.her import HerReplayBuffer

from imitation.errors import ConfigError, DataError
from imitation.policies.replay_buffer_wrapper import (
    ReplayBufferRewardWrapper,
    relabel,
)
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper

LOW, HIGH = np.array([-3, 0.5], np.float32), np.array([1, 2], np.float32)
BOX = gym.spaces.Box(LOW, HIGH)


class ScalarEnv(gym.Env[Any, Any]):
    """Observations count steps over all episodes; every fifth step ends one.

    Episodes end by termination and by truncation in turn. The observation holds the
    environment's number, the count, and the latest action.
    """

    def __init__(self, number: int, kind: Any, action_space: gym.Space[Any]) -> None:
        self.number, self.kind, self.count = number, kind, 0
        self.action_space = action_space
        box = gym.spaces.Box(-10, 10_000, (3,), np.float64)
        image = gym.spaces.Box(0, 255, (36, 40, 3), np.uint8)
        both = gym.spaces.Dict({"box": box, "image": image})
        spaces: Any = {"box": box, "image": image, "dict": both}
        self.observation_space = spaces[kind]

    def observe(self, action: Any) -> Any:
        box = np.array([self.number, self.count, np.sum(action)], np.float64)
        image = np.zeros((36, 40, 3), np.uint8)
        image[:, 0] = (self.number, self.count % 256, 7)
        return {"box": box, "image": image, "dict": {"box": box, "image": image}}[
            self.kind
        ]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.count += 1
        return self.observe(-1), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.count += 1
        ended, by_time = self.count % 5 == 0, self.count % 10 == 0
        return self.observe(action), 0.5, ended and not by_time, by_time, {}


def make(kind: Any = "box", actions: Any = BOX, n: Any = 2) -> DummyVecEnv:
    return DummyVecEnv([lambda i=i: ScalarEnv(i, kind, actions) for i in range(n)])  # type: ignore[misc]  # a default, not an argument


class Log(VecEnvWrapper):
    """Remembers the transitions of the environments beneath, one at a time."""

    def __init__(self, venv: Any) -> None:
        super().__init__(venv)
        self.transitions: list[tuple[Any, Any, Any, bool]] = []

    def reset(self) -> Any:
        self.obs = self.venv.reset()
        return self.obs

    def step_async(self, actions: Any) -> None:
        self.acts = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        obs, rews, dones, infos = self.venv.step_wait()
        for i in range(self.num_envs):
            after = infos[i]["terminal_observation"] if dones[i] else pick(obs, i)
            self.transitions.append(
                (pick(self.obs, i), self.acts[i], copy.deepcopy(after), bool(dones[i]))
            )
        self.obs = copy.deepcopy(obs)
        return obs, rews, dones, infos


def pick(obs: Any, i: int) -> Any:
    return {k: v[i] for k, v in obs.items()} if isinstance(obs, dict) else obs[i]


def rate(state: Any, action: Any, next_state: Any, done: Any) -> Any:
    """A reward that tells every part of a transition from every other."""
    total = np.asarray(done) * 1e3
    for weight, obs in ((1, state), (1.7, next_state)):
        parts = obs if isinstance(obs, dict) else {"": obs}
        for part in parts.values():
            part = np.asarray(part)
            if part.shape[-3:] == (36, 40, 3):
                part = part[..., 9, 0, :]  # channels last, or this is nonsense
            total = total + weight * part @ np.array([100.0, 1.0, 0.1])
    action = np.asarray(action)
    wide = action if action.ndim == total.ndim else action @ np.ones(action.shape[-1])
    return total + wide / 50


ALGORITHMS = [
    ("box", SAC, BOX),
    ("box", TD3, BOX),
    ("box", DDPG, BOX),
    ("box", DQN, gym.spaces.Discrete(4)),
    ("image", DQN, gym.spaces.Discrete(4)),
    ("image", SAC, BOX),
    ("dict", SAC, BOX),
    ("dict", DQN, gym.spaces.Discrete(4)),
]


def train(cls: Any, venv: Any, n_steps: int = 60, size: int = 50, **kwargs: Any) -> Any:
    """An algorithm with a buffer that has been filled and overwritten."""
    space = venv.observation_space
    policy = "MultiInputPolicy" if isinstance(space, gym.spaces.Dict) else "MlpPolicy"
    options = {"learning_starts": 1000, "seed": 0, "device": "cpu"} | kwargs
    model = cls(policy, venv, buffer_size=size, **options)
    if n_steps:
        model.learn(n_steps)
    return model


def buffer_kwargs(venv: Any, **more: Any) -> dict[str, Any]:
    is_dict = isinstance(venv.observation_space, gym.spaces.Dict)
    inner = DictReplayBuffer if is_dict else ReplayBuffer
    return {
        "replay_buffer_class": ReplayBufferRewardWrapper,
        "replay_buffer_kwargs": {
            "replay_buffer_class": inner,
            "reward_fn": rate,
            "env_observation_space": venv.observation_space,
            **more,
        },
    }


def assert_rewards_are_of_the_log(samples: Any, log: list[Any]) -> None:
    known = np.array([rate(*transition) for transition in log])
    for reward in samples.rewards.flatten().tolist():
        assert np.abs(known - reward).min() < 1e-3 * max(1, abs(reward) / 1000)


@pytest.mark.parametrize(("kind", "cls", "actions"), ALGORITHMS)
@pytest.mark.parametrize("how", ["as class", "afterwards"])
def test_rates_what_the_environment_saw(
    kind: str, cls: Any, actions: Any, how: str
) -> None:
    venv = Log(make(kind, actions))
    more = buffer_kwargs(venv) if how == "as class" else {}
    model = train(cls, venv, n_steps=0, **more)
    if how == "afterwards":
        relabel(model, rate)
    model.learn(64)
    buffer = model.replay_buffer
    assert isinstance(buffer, ReplayBufferRewardWrapper)
    assert buffer.full and buffer.pos == 32 - 25
    samples = buffer.sample(200)
    assert samples.rewards.shape == (200, 1)
    assert samples.rewards.dtype == th.float32
    assert_rewards_are_of_the_log(samples, venv.transitions[-50:])
    assert len(np.unique(samples.rewards)) > 40


@pytest.mark.parametrize(("kind", "cls", "actions"), ALGORITHMS)
def test_samples_what_the_buffer_would_but_for_the_rewards(
    kind: str, cls: Any, actions: Any
) -> None:
    model = train(cls, make(kind, actions))
    plain = model.replay_buffer
    buffer = relabel(model, rate)
    results: Any = []
    for one in (plain, buffer):
        np.random.seed(3)
        results.append(one.sample(64))
    assert type(results[0]) is type(results[1])
    expected, actual = (r._replace(rewards=None)._asdict() for r in results)
    th.testing.assert_close(actual, expected, rtol=0, atol=0)
    assert th.equal(results[0].rewards, th.full((64, 1), 0.5))
    assert not th.equal(results[1].rewards, results[0].rewards)
    # Time limits end episodes for the reward, but bootstrapping goes on.
    assert plain.timeouts.any()
    ends = results[1].rewards.flatten() > 1000
    assert ends.sum() > results[1].dones.sum() > 0


def test_rewards_are_never_stale() -> None:
    model = train(SAC, make())
    net = BasicRewardNet(model.observation_space, model.action_space)
    buffer = relabel(model, net.predict_processed)
    np.random.seed(0)
    before: Any = buffer.sample(32)
    with th.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1)
    np.random.seed(0)
    after: Any = buffer.sample(32)
    assert th.equal(before.observations, after.observations)
    assert not th.isclose(before.rewards, after.rewards).any()
    buffer.reward_fn = lambda *args: np.full(len(args[1]), 3)
    assert th.equal(buffer.sample(2).rewards, th.full((2, 1), 3.0))


def test_trains_on_the_new_rewards() -> None:
    seen = []

    def reward(state: Any, action: Any, next_state: Any, done: Any) -> Any:
        seen.append(len(state))
        return np.zeros(len(state))

    model = train(SAC, make(), learning_starts=20, batch_size=8, n_steps=0)
    relabel(model, reward)
    model.learn(40)
    assert seen == [8] * len(seen) and len(seen) >= 9


@pytest.mark.parametrize("pass_tensors", [False, True])
@pytest.mark.parametrize("norm_reward", [False, True])
@pytest.mark.parametrize("norm_obs", [False, True])
@pytest.mark.parametrize("kind", ["box", "dict"])
def test_rates_before_normalising(
    kind: str, norm_obs: bool, norm_reward: bool, pass_tensors: bool
) -> None:
    log = Log(make(kind))
    is_dict = kind == "dict"
    venv = VecNormalize(
        # Stable-Baselines3 would transpose above the normaliser, and store originals.
        VecTransposeImage(log) if is_dict else log,
        norm_obs=norm_obs,
        norm_reward=norm_reward,
        norm_obs_keys=["box"] if is_dict and norm_obs else None,
    )
    model = train(SAC, venv, n_steps=40)
    plain = model.replay_buffer
    buffer = relabel(model, rate, pass_tensors=pass_tensors)
    normaliser = model.get_vec_normalize_env()
    assert normaliser is not None
    np.random.seed(1)
    expected = plain.sample(40, env=normaliser)
    np.random.seed(1)
    samples = buffer.sample(40, env=normaliser)
    th.testing.assert_close(samples.observations, expected.observations)
    th.testing.assert_close(samples.next_observations, expected.next_observations)
    if norm_reward:
        scale = float(np.sqrt(normaliser.ret_rms.var + normaliser.epsilon))
        np.random.seed(1)
        raw = buffer.sample(40).rewards
        clipped = (raw / scale).clip(-normaliser.clip_reward, normaliser.clip_reward)
        th.testing.assert_close(samples.rewards, clipped)
        assert samples.rewards.dtype == th.float32
    else:
        # Stored last observations went through the normaliser and back.
        assert_rewards_are_of_the_log(samples, log.transitions)


@pytest.mark.parametrize("cls", [SAC, DQN])
def test_knows_last_observations_though_memory_is_optimised(cls: Any) -> None:
    log = Log(make("box", BOX if cls is SAC else gym.spaces.Discrete(4)))
    model = train(
        cls,
        log,
        n_steps=0,
        optimize_memory_usage=True,
        replay_buffer_kwargs={"handle_timeout_termination": False},
    )
    buffer = relabel(model, rate)
    assert not hasattr(buffer, "next_observations")
    for n_steps in (20, 60):
        model.learn(n_steps, reset_num_timesteps=False)
        samples = buffer.sample(200)
        assert_rewards_are_of_the_log(samples, log.transitions[-50:])
        assert len(np.unique(samples.rewards)) > n_steps / 2
        assert (samples.rewards > 1000).any()
    # Only what is still in the buffer is kept.
    assert len(buffer._last_obs) == buffer.dones.sum()


def test_refuses_a_used_buffer_that_has_lost_last_observations() -> None:
    model = train(
        SAC,
        make(),
        optimize_memory_usage=True,
        replay_buffer_kwargs={"handle_timeout_termination": False},
    )
    with pytest.raises(ConfigError, match="relabel it before training"):
        relabel(model, rate)


def test_images_go_to_networks_as_the_environment_shows_them() -> None:
    venv = make("image", gym.spaces.Discrete(4))
    net = BasicRewardNet(venv.observation_space, venv.action_space)
    # The network's own space says which layout it takes.
    model = train(
        DQN,
        venv,
        replay_buffer_class=ReplayBufferRewardWrapper,
        replay_buffer_kwargs={
            "replay_buffer_class": ReplayBuffer,
            "reward_fn": functools.partial(net.predict_processed),
        },
    )
    assert model.observation_space.shape == (3, 36, 40)
    samples = model.replay_buffer.sample(8)
    expected = net.predict(
        samples.observations.permute(0, 2, 3, 1),
        samples.actions.flatten(),
        samples.next_observations.permute(0, 2, 3, 1),
        samples.dones.flatten(),
    )
    np.testing.assert_allclose(samples.rewards.flatten(), expected, rtol=1e-5)


def test_images_transposed_below_the_reward_stay_so() -> None:
    seen = []

    def reward(state: Any, action: Any, next_state: Any, done: Any) -> Any:
        seen.append(state.shape[1:])
        return np.zeros(len(state))

    inner = VecTransposeImage(make("image"))
    for venv in (RewardVecEnvWrapper(inner, reward), inner):
        model = train(SAC, venv, n_steps=10, size=10)
        relabel(model, reward)
        seen.clear()
        model.replay_buffer.sample(4)
        shape = (36, 40, 3) if venv is inner else (3, 36, 40)
        assert seen == [shape]


@pytest.mark.parametrize("method", ["predict_processed", "predict_th"])
@pytest.mark.parametrize("kind", ["box", "image", "dict"])
def test_tensors_give_the_same_rewards_as_arrays(kind: str, method: str) -> None:
    venv = make(kind)
    model = train(SAC, venv, n_steps=20)
    net = BasicRewardNet(venv.observation_space, venv.action_space)
    results = []
    for pass_tensors in (False, True):
        buffer = ReplayBufferRewardWrapper.around(
            getattr(model.replay_buffer, "replay_buffer", model.replay_buffer),
            getattr(net, method),
            pass_tensors=pass_tensors,
        )
        np.random.seed(0)
        results.append(buffer.sample(16))
    th.testing.assert_close(results[0]._asdict(), results[1]._asdict())


def test_tensors_are_on_the_buffer_s_device_and_need_no_gradients() -> None:
    weight = th.ones(3, dtype=th.float64, requires_grad=True)

    def reward(state: Any, action: Any, next_state: Any, done: Any) -> Any:
        parts = (state, action, next_state, done)
        assert all(isinstance(part, th.Tensor) for part in parts)
        assert action.shape == (4, 2) and done.dtype == th.bool
        return state @ weight

    model = train(SAC, make(), n_steps=20)
    samples = relabel(model, reward, pass_tensors=True).sample(4)
    assert not samples.rewards.requires_grad
    assert samples.rewards.dtype == th.float32


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["predict_processed", "predict_th"])
@pytest.mark.parametrize("pass_tensors", [False, True])
@pytest.mark.parametrize("net_device", ["cpu", "cuda"])
def test_network_and_buffer_may_be_on_different_devices(
    net_device: str, pass_tensors: bool, method: str
) -> None:
    venv = make()
    model = train(SAC, venv, n_steps=20, device="cuda")
    net = BasicRewardNet(venv.observation_space, venv.action_space).to(net_device)
    buffer = relabel(model, getattr(net, method), pass_tensors=pass_tensors)
    samples: Any = buffer.sample(16)
    assert {part.device.type for part in samples if part is not None} == {"cuda"}
    expected = net.predict_th(
        samples.observations,
        th.as_tensor(buffer._layout.actions(samples.actions.cpu().numpy())),
        samples.next_observations,
        samples.dones.flatten(),
    )
    th.testing.assert_close(samples.rewards.flatten().cpu(), expected.cpu())


def test_adds_through_its_own_interface() -> None:
    buffer = ReplayBufferRewardWrapper(
        10,
        gym.spaces.Discrete(5),
        gym.spaces.Box(-np.inf, np.inf, (2, 2)),
        replay_buffer_class=ReplayBuffer,
        reward_fn=lambda s, a, n, d: s + 10 * n + 100 * a[:, 0, 1] + 1000 * d,
        scaled_actions=False,
        device="cpu",
        n_envs=2,
    )
    assert (buffer.buffer_size, buffer.pos, buffer.full, buffer.size()) == (
        5,
        0,
        False,
        0,
    )
    with pytest.raises(RuntimeError, match="empty"):
        buffer.sample(1)
    acts = np.array([[[0, 7], [0, 0]], [[0, 8], [0, 0]]], dtype=np.float32)
    dones = np.array([False, True])
    infos: list[dict[str, Any]] = [{}, {"TimeLimit.truncated": True}]
    buffer.add(np.array([1, 2]), np.array([3, 4]), acts, np.zeros(2), dones, infos)
    assert (buffer.pos, buffer.size()) == (1, 1)
    samples = buffer.sample(30)
    assert set(samples.rewards.flatten().tolist()) == {731, 1842}
    assert not samples.dones.any()
    assert samples.discounts is None
    buffer.reset()
    assert buffer.size() == 0


def test_arrays_are_those_of_the_buffer_inside() -> None:
    model = train(SAC, make())
    inner = model.replay_buffer
    buffer = relabel(model, rate)
    for name in (
        "observations",
        "next_observations",
        "actions",
        "rewards",
        "dones",
        "timeouts",
    ):
        assert getattr(buffer, name) is getattr(inner, name)
    assert buffer.size() == 25


def test_saved_buffers_hold_no_reward_function(tmp_path: pathlib.Path) -> None:
    model = train(SAC, make())
    relabel(model, rate)
    model.save_replay_buffer(tmp_path / "buffer.pkl")
    fresh = train(SAC, make(), n_steps=0)
    fresh.load_replay_buffer(tmp_path / "buffer.pkl")
    buffer = fresh.replay_buffer
    with pytest.raises(RuntimeError, match="assign reward_fn"):
        buffer.sample(1)
    assert relabel(fresh, rate) is buffer
    np.random.seed(0)
    expected = model.replay_buffer.sample(20)
    np.random.seed(0)
    th.testing.assert_close(buffer.sample(20)._asdict(), expected._asdict())
    fresh.learn(10, reset_num_timesteps=False)  # still one set of arrays
    assert buffer.dones is buffer.replay_buffer.dones
    assert pickle.loads(pickle.dumps(model.replay_buffer)).reward_fn is None


@pytest.mark.parametrize("cls", [HerReplayBuffer, NStepReplayBuffer, int])
def test_refuses_other_buffers(cls: Any) -> None:
    with pytest.raises(AssertionError, match="only ReplayBuffer is supported"):
        ReplayBufferRewardWrapper(10, BOX, BOX, replay_buffer_class=cls, reward_fn=rate)
    if cls is NStepReplayBuffer:
        with pytest.raises(AssertionError, match="only ReplayBuffer is supported"):
            relabel(SAC("MlpPolicy", make(), n_steps=3, buffer_size=9), rate)


def test_does_not_sample_by_places() -> None:
    buffer = relabel(train(SAC, make()), rate)
    with pytest.raises(NotImplementedError, match="sample"):
        buffer._get_samples(np.array([0]))


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.zeros(5), r"shape \(4,\).*got shape \(5,\)"),
        (np.zeros((4, 1)), r"got shape \(4, 1\)"),
        (th.zeros(4, 1), r"got shape \(4, 1\)"),
        (np.array([0, np.nan, 0, 0]), "the reward is nan"),
        (th.tensor([0, 0, th.inf, 0]), "the reward is inf"),
        (np.array(["x"] * 4), "real numbers"),
    ],
)
def test_refuses_malformed_rewards(reward: Any, message: str) -> None:
    buffer = relabel(train(SAC, make(), n_steps=10), lambda *_: reward)
    with pytest.raises(DataError, match=message) as caught:
        buffer.sample(4)
    assert "\n" not in str(caught.value)


def test_refuses_spaces_that_do_not_fit() -> None:
    arguments: dict[str, Any] = {
        "replay_buffer_class": ReplayBuffer,
        "reward_fn": rate,
    }
    with pytest.raises(ConfigError, match="pass the environment's space"):
        ReplayBufferRewardWrapper(
            10, BOX, BOX, env_observation_space=gym.spaces.Discrete(3), **arguments
        )
    unbounded = gym.spaces.Box(-np.inf, np.inf, (2,))
    with pytest.raises(ConfigError, match="scaled_actions=False"):
        ReplayBufferRewardWrapper(10, BOX, unbounded, **arguments)
    net = BasicRewardNet(BOX, gym.spaces.Discrete(2))
    arguments["reward_fn"] = net.predict
    with pytest.raises(ConfigError, match="action space"):
        ReplayBufferRewardWrapper(10, BOX, BOX, **arguments)


def test_refuses_algorithms_without_a_replay_buffer() -> None:
    ppo: Any = PPO("MlpPolicy", make(), n_steps=2, batch_size=4)
    with pytest.raises(ConfigError, match="PPO has no replay buffer"):
        relabel(ppo, rate)
    model = SAC("MlpPolicy", make(), buffer_size=10, _init_setup_model=False)
    with pytest.raises(ConfigError, match="SAC has no replay buffer"):
        relabel(model, rate)


def test_refuses_rewards_of_normalised_observations() -> None:
    venv = RewardVecEnvWrapper(VecNormalize(make()), rate)
    with pytest.raises(ConfigError, match="VecNormalize lies below"):
        relabel(train(SAC, venv, n_steps=0), rate)
