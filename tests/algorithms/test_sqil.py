"""SQIL: its replay, its errors, any demonstrations, resuming, and that it learns."""

import csv
import pathlib
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from imitation.algorithms import base, sqil
from imitation.algorithms.expert_replay.demonstrations import stored_transitions
from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.soft_q import SoftQ
from imitation.data import rollout, types
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.policies import experts
from imitation.policies.base import RandomPolicy
from imitation.testing.checks import check_algorithm
from imitation.testing.reward_improvement import is_significant_reward_improvement
from imitation.util import logger as imit_logger
from imitation.util import util
from reference import states, tiny_envs

POLICIES = {"box": "MlpPolicy", "dict": "MultiInputPolicy", "image": "CnnPolicy"}
RL_KWARGS = {"learning_starts": 8, "batch_size": 8, "buffer_size": 300, "device": "cpu"}


def make(
    tmp_path: pathlib.Path,
    obs_kind: Any = "box",
    act_kind: Any = "discrete",
    cls: Any = SoftQ,
    demonstrations: Any = "default",
    venv: Any = None,
    seed: int = 0,
    **rl_kwargs: Any,
) -> Any:
    if demonstrations == "default":
        demonstrations = tiny_envs.expert_trajectories(4, obs_kind, act_kind)
    return sqil.SQIL(
        venv=venv or tiny_envs.make_venv(obs_kind, act_kind),
        demonstrations=demonstrations,
        policy=POLICIES[obs_kind],
        custom_logger=imit_logger.configure(tmp_path / "log", ["csv"]),
        rl_algo_class=cls,
        rl_kwargs={**RL_KWARGS, "seed": seed, **rl_kwargs},
    )


def make_buffer(
    obs_kind: str = "box",
    act_kind: str = "discrete",
    demonstrations: Any = None,
    **kwargs: Any,
) -> sqil.SQILReplayBuffer:
    env = tiny_envs.TinyEnv(obs_kind, act_kind)
    return sqil.SQILReplayBuffer(
        40, env.observation_space, env.action_space, demonstrations, **kwargs
    )


def steps(
    buffer: Any, n: Any, *, done: bool = False, cut: bool = False, mark: float = 0.0
) -> None:
    """Adds the same transition again and again."""
    for _ in range(n):
        row = np.full((buffer.n_envs, 3), mark, np.float32)
        info = {"TimeLimit.truncated": cut}
        acts, rewards = np.zeros(buffer.n_envs), np.full(buffer.n_envs, 7.0)
        ends = np.full(buffer.n_envs, done)
        buffer.add(row, row, acts, rewards, ends, [info] * buffer.n_envs)


# --- the replay buffer


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_half_of_a_batch_is_the_experts(batch_size: int) -> None:
    buffer = make_buffer(demonstrations=tiny_envs.expert_trajectories(2))
    steps(buffer, 3, mark=0.123)
    batch = buffer.sample(batch_size)
    n_expert = batch_size // 2
    own: Any = batch.rewards[:, 0] == 0
    assert len(own) == batch_size and int((~own).sum()) == n_expert
    assert own[: batch_size - n_expert].all()
    assert (batch.observations[own] == 0.123).all()
    assert (batch.observations[~own] != 0.123).any(dim=1).all()
    assert set(batch.rewards[~own].flatten().tolist()) <= {1.0}
    assert {t.dtype for t in (batch.rewards, batch.dones)} == {th.float32}


def test_rewards_of_the_environment_are_forgotten() -> None:
    buffer = make_buffer(demonstrations=tiny_envs.expert_trajectories(1))
    steps(buffer, 5)
    assert not buffer.rewards.any()


def test_expert_half_holds_the_demonstrations() -> None:
    trajectories = tiny_envs.expert_trajectories(3)
    buffer = make_buffer(demonstrations=trajectories)
    flat = rollout.flatten_trajectories(trajectories)
    expert = buffer.expert_buffer
    np.testing.assert_array_equal(expert.observations[:, 0], flat.obs)
    np.testing.assert_array_equal(expert.next_observations[:, 0], flat.next_obs)
    np.testing.assert_array_equal(expert.actions[:, 0, 0], flat.acts)
    assert expert.size() == len(flat) and (expert.rewards == 1).all()


def test_without_own_transitions_all_are_the_experts() -> None:
    buffer = make_buffer(demonstrations=tiny_envs.expert_trajectories(2))
    assert (buffer.sample(9).rewards == 1).all()


def test_actions_of_a_box_are_scaled_as_algorithms_store_them() -> None:
    trajectories = tiny_envs.expert_trajectories(2, act_kind="box")
    buffer = make_buffer(act_kind="box", demonstrations=trajectories)
    space: Any = tiny_envs.TinyEnv("box", "box").action_space
    policy = RandomPolicy(tiny_envs.TinyEnv().observation_space, space)
    acts = rollout.flatten_trajectories(trajectories).acts
    expected = policy.scale_action(np.clip(acts, space.low, space.high))
    np.testing.assert_allclose(buffer.expert_buffer.actions[:, 0], expected, atol=1e-6)
    assert np.abs(buffer.expert_buffer.actions).max() <= 1


def test_images_are_stored_with_channels_first(tmp_path: pathlib.Path) -> None:
    trajectories = tiny_envs.expert_trajectories(2, "image")
    trainer = make(tmp_path, "image", demonstrations=trajectories)
    stored = trainer.replay_buffer.expert_buffer.observations[:, 0]
    flat: Any = rollout.flatten_trajectories(trajectories)
    np.testing.assert_array_equal(stored, flat.obs.transpose(0, 3, 1, 2))


def test_discrete_observations() -> None:
    space = gym.spaces.Discrete(5)
    traj = types.Trajectory(
        obs=np.array([0, 3, 4]), acts=np.array([1, 0]), infos=None, terminal=False
    )
    buffer = sqil.SQILReplayBuffer(10, space, gym.spaces.Discrete(2), [traj])
    assert buffer.expert_buffer.observations[:, 0].tolist() == [[0], [3]]


@pytest.mark.parametrize("optimize_memory_usage", [False, True])
def test_time_limits_are_no_ends(optimize_memory_usage: bool) -> None:
    buffer = make_buffer(
        demonstrations=tiny_envs.expert_trajectories(1),
        optimize_memory_usage=optimize_memory_usage,
    )
    steps(buffer, 1, done=True, cut=True, mark=0.5)
    steps(buffer, 1, done=True, cut=False, mark=0.25)
    steps(buffer, 1, done=False, mark=0.75)
    batch: Any = buffer.sample(200)
    own = batch.rewards[:, 0] == 0
    marks, dones = batch.observations[own, 0], batch.dones[own, 0]
    assert (dones[marks == 0.25] == 1).all() and (marks == 0.25).any()
    assert (dones[marks != 0.25] == 0).all()
    # Their next observations are overwritten where each is stored once.
    assert bool((marks == 0.5).any()) is not optimize_memory_usage


def test_memory_optimised_next_observations_follow() -> None:
    buffer = make_buffer(
        demonstrations=tiny_envs.expert_trajectories(1), optimize_memory_usage=True
    )
    for t in range(55):  # beyond the capacity of 40
        after: Any
        row, after = (np.full((1, 3), i % 7, np.float32) for i in (t, t + 1))
        end = t % 7 == 6
        buffer.add(
            row, after, np.zeros(1), np.zeros(1), np.array([end]),
            [{"TimeLimit.truncated": end}],
        )  # fmt: skip
    buffer.cut_episodes()
    batch: Any = buffer.sample(400)
    own = batch.rewards[:, 0] == 0
    before, after = batch.observations[own, 0], batch.next_observations[own, 0]
    assert set(before.tolist()) == {0, 1, 2, 3, 4, 5}  # 6 was always cut
    assert th.equal(after, before + 1)


def test_memory_optimised_episodes_of_one_step_are_refused() -> None:
    buffer = make_buffer(
        demonstrations=tiny_envs.expert_trajectories(1), optimize_memory_usage=True
    )
    steps(buffer, 4, done=True, cut=True)
    with pytest.raises(DataError, match="set it to False"):
        buffer.sample(4)


def test_observations_are_normalised_and_rewards_are_not(
    tmp_path: pathlib.Path,
) -> None:
    venv = VecNormalize(tiny_envs.make_venv(), clip_obs=100.0)
    trainer = make(tmp_path, venv=venv)
    trainer.train(total_timesteps=32)
    raw = trainer.replay_buffer.sample(6)
    np.random.seed(3)
    raw = trainer.replay_buffer.sample(6)
    np.random.seed(3)
    batch = trainer.replay_buffer.sample(6, env=venv)
    expected: Any = venv.normalize_obs(raw.observations.numpy())
    np.testing.assert_allclose(batch.observations, expected, rtol=1e-5)
    assert th.equal(batch.rewards, raw.rewards)


# --- demonstrations


def test_any_kind_of_demonstrations_fills_the_same_buffer() -> None:
    trajectories = tiny_envs.expert_trajectories(3)
    flat: Any = rollout.flatten_trajectories(trajectories)
    rows = [slice(0, 10), slice(10, 24)]
    batches = [
        {
            "obs": th.as_tensor(flat.obs[r].copy()),
            "acts": flat.acts[r],
            "next_obs": flat.next_obs[r],
            "dones": flat.dones[r],
        }
        for r in rows
    ]
    kinds = {
        "list": trajectories,
        "iterator": iter(trajectories),
        "transitions": flat,
        "batches": batches,
        "iterator of batches": iter(batches),
        "loader": base.make_data_loader(flat, 4, {"shuffle": False}),
    }
    spaces = tiny_envs.TinyEnv().observation_space, tiny_envs.TinyEnv().action_space
    for kind, demonstrations in kinds.items():
        stored = stored_transitions(demonstrations, *spaces)
        np.testing.assert_array_equal(stored.observations, flat.obs, kind)
        np.testing.assert_array_equal(stored.next_observations, flat.next_obs, kind)
        np.testing.assert_array_equal(stored.actions[:, 0], flat.acts, kind)
        np.testing.assert_array_equal(stored.dones, flat.dones, kind)


def test_dictionaries_in_batches(tmp_path: pathlib.Path) -> None:
    flat: Any = rollout.flatten_trajectories(tiny_envs.expert_trajectories(2, "dict"))
    loader = base.make_data_loader(flat, 4, {"shuffle": False})
    trainer = make(tmp_path, "dict", demonstrations=loader)
    stored = trainer.replay_buffer.expert_buffer.observations["vector"][:, 0]
    np.testing.assert_array_equal(stored, flat.obs.get("vector"))


def trajectory(
    n: Any, *, terminal: bool = True, infos: Any = None, **kwargs: Any
) -> types.Trajectory:
    rng = np.random.default_rng(0)
    return types.Trajectory(
        obs=rng.uniform(-1, 1, (n + 1, 3)).astype(np.float32),
        acts=rng.integers(2, size=n),
        infos=infos,
        terminal=terminal,
        **kwargs,
    )


def said(n: Any, cut: Any) -> np.ndarray:
    return np.array([{}] * (n - 1) + [{"TimeLimit.truncated": cut}], dtype=object)


@pytest.mark.parametrize(
    ("traj", "limit", "done", "cut"),
    [
        (trajectory(4), None, 1, 0),
        (trajectory(4), 4, 1, 1),
        (trajectory(4), 5, 1, 0),
        (trajectory(4, infos=said(4, True)), None, 1, 1),
        (trajectory(4, infos=said(4, False)), 4, 1, 0),
        (trajectory(4, truncated=True), None, 1, 1),
        (trajectory(4, truncated=True, infos=said(4, False)), None, 1, 1),
        (trajectory(4, truncated=False, infos=said(4, True)), 4, 1, 0),
        (trajectory(4, terminal=False), 4, 0, 0),
    ],
)
def test_whether_a_time_limit_ended_an_episode(
    traj: Any, limit: int | None, done: int, cut: int
) -> None:
    spaces = tiny_envs.TinyEnv().observation_space, tiny_envs.TinyEnv().action_space
    stored = stored_transitions([trajectory(3), traj], *spaces, limit)
    assert stored.dones.tolist() == [0, 0, 1, 0, 0, 0, done]
    assert stored.timeouts.tolist() == [0, 0, 0, 0, 0, 0, cut]


@pytest.mark.parametrize("as_floats", [False, True])
def test_transitions_and_batches_say_what_was_truncated(as_floats: bool) -> None:
    spaces = tiny_envs.TinyEnv().observation_space, tiny_envs.TinyEnv().action_space
    flat = rollout.flatten_trajectories([trajectory(3, truncated=True), trajectory(2)])
    batches: Any = list(base.make_data_loader(flat, 5, {"shuffle": False}))
    if as_floats:
        flags = ("dones", "truncated")
        batches = [b | {key: np.float32(b[key]) for key in flags} for b in batches]
    said_by_infos = types.Transitions(
        flat.obs, flat.acts, np.concatenate([said(3, True), said(2, False)]),
        flat.next_obs, flat.dones,
    )  # fmt: skip
    for demonstrations in (flat, batches, said_by_infos):
        stored = stored_transitions(demonstrations, *spaces)
        assert stored.dones.tolist() == [0, 0, 1, 0, 1]
        assert stored.timeouts.tolist() == [0, 0, 1, 0, 0]


def test_the_environments_time_limit_is_known(tmp_path: pathlib.Path) -> None:
    venv = util.make_vec_env("seals/CartPole-v0", rng=np.random.default_rng(0))
    expert = experts.load_expert("seals/CartPole-v0", venv)
    episodes = rollout.rollout(expert, venv, rollout.make_min_episodes(1), unwrap=False)
    silent = [
        types.Trajectory(obs=t.obs, acts=t.acts, infos=None, terminal=True)
        for t in episodes
    ]
    for demonstrations in (episodes, silent):
        trainer = make(tmp_path, venv=venv, demonstrations=demonstrations)
        expert_buffer = trainer.replay_buffer.expert_buffer
        assert expert_buffer.timeouts.sum() == expert_buffer.dones.sum() > 0


UNSUPPORTED = {
    "pairs": types.TransitionsMinimal(
        np.zeros((3, 3)), np.zeros(3, int), np.full(3, {}, dtype=object)
    ),
    "batches of pairs": [{"obs": np.zeros((3, 3)), "acts": np.zeros(3, int)}],
    "numbers": [1, 2],
    "a number": 3,
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_demonstrations_without_next_observations(kind: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"next_obs"):
        make_buffer(demonstrations=UNSUPPORTED[kind])


@pytest.mark.parametrize(
    ("demonstrations", "message"),
    [
        ([], "no elements"),
        (tiny_envs.expert_trajectories(1, act_kind="box"), "acts of shape"),
        (tiny_envs.expert_trajectories(1, "image"), "obs of shape"),
        (tiny_envs.expert_trajectories(1, "dict"), "dictionary observations"),
    ],
)
def test_demonstrations_that_do_not_fit(demonstrations: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_buffer(demonstrations=demonstrations)


def test_unbounded_actions_cannot_be_scaled() -> None:
    space = gym.spaces.Box(-np.inf, np.inf, (1,))
    traj = types.Trajectory(np.zeros((3, 2)), np.zeros((2, 1)), None, terminal=True)
    box = gym.spaces.Box(-1, 1, (2,))
    with pytest.raises(DataError, match="bound the space"):
        sqil.SQILReplayBuffer(5, box, space, [traj])


# --- the trainer


@pytest.mark.parametrize("key", ["replay_buffer_class", "replay_buffer_kwargs"])
def test_own_replay_buffers_are_refused_before_anything_else(key: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"SQIL uses a custom replay buffer: '{key}' not allowed\."
    ):
        sqil.SQIL(
            venv=cast("Any", None),
            demonstrations=None,
            policy="MlpPolicy",
            rl_kwargs={key: {}},
        )


def test_algorithms_that_do_not_fit_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"SoftQ cannot act in Box.* pass .* SAC"):
        make(tmp_path, act_kind="box")
    with pytest.raises(ConfigError, match="n_steps must be 1, got 3"):
        make(tmp_path, n_steps=3)


UNFIT = [
    ({"no_such": 1}, "unexpected keyword argument 'no_such'"),
    ({"env": None}, "multiple values for keyword argument 'env'"),
    ({"learning_rate": "fast"}, "SoftQ does not take .* learning rate"),
    ({"buffer_size": "many"}, "buffer_size must be an integer ≥ 1, got 'many'"),
    ({"buffer_size": -3}, "buffer_size must be an integer ≥ 1, got -3"),
    ({"batch_size": 0}, "batch_size must be an integer ≥ 1, got 0"),
    ({"gradient_steps": -2}, "gradient_steps must be an integer ≥ -1, got -2"),
    ({"learning_starts": None}, "learning_starts must be an integer ≥ 0, got None"),
    ({"target_update_interval": 0}, "target_update_interval must be an integer ≥ 1"),
    ({"gamma": 2.0}, "gamma must be a number in .0, 1., got 2.0"),
    ({"gamma": float("nan")}, "gamma must be a number in .0, 1., got nan"),
    ({"tau": "x"}, "tau must be a number in .0, 1., got 'x'"),
    ({"train_freq": 0}, "train_freq must be positive, got 0"),
    ({"train_freq": (1, "day")}, "day"),
    ({"device": "abacus"}, "abacus"),
    ({"policy_kwargs": {"no_such": 1}}, "unexpected keyword argument 'no_such'"),
    ({"policy_kwargs": {"net_arch": "wide"}}, "SoftQ does not take"),
    ({"temperature": -1.0}, "temperature"),
]


@pytest.mark.parametrize(("kwargs", "message"), UNFIT)
def test_unfit_arguments_of_the_algorithm(
    tmp_path: pathlib.Path, kwargs: Any, message: Any
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make(tmp_path, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "policy", "message"),
    [
        (sb3.PPO, "MlpPolicy", "PPO is not an off-policy algorithm"),
        (sb3.DQN, "NoSuchPolicy", "DQN does not take its policy.*NoSuchPolicy"),
        (sb3.DQN, None, "DQN does not take its policy"),
    ],
)
def test_unfit_algorithms_and_policies(cls: Any, policy: Any, message: Any) -> None:
    with pytest.raises(ConfigError, match=message):
        sqil.SQIL(
            venv=tiny_envs.make_venv(),
            demonstrations=None,
            policy=policy,
            rl_algo_class=cls,
            rl_kwargs=RL_KWARGS,
        )


def test_demonstrations_may_come_later(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, demonstrations=None)
    with pytest.raises(ConfigError, match=r"no demonstrations: .*set_demonstrations"):
        trainer.train(total_timesteps=8)
    with pytest.raises(ConfigError, match="set_demonstrations"):
        trainer.replay_buffer.sample(4)
    trainer.set_demonstrations(tiny_envs.expert_trajectories(2))
    trainer.train(total_timesteps=16)
    assert trainer.rl_algo.num_timesteps == 16


def test_demonstrations_are_replaced(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path)
    trainer.set_demonstrations([trajectory(5)])
    assert trainer.replay_buffer.expert_buffer.size() == 5


def test_resume_needs_a_place(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="needs checkpoint_dir"):
        make(tmp_path).train(total_timesteps=8, resume=True)


def test_the_custom_logger_reaches_the_learner(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path)
    assert trainer.rl_algo.logger is trainer.logger
    trainer.train(total_timesteps=64, log_interval=2)
    trainer.logger.close()
    with open(tmp_path / "log" / "progress.csv") as file:
        rows = list(csv.DictReader(file))
    assert {"train/loss", "time/total_timesteps"} <= rows[-1].keys()
    other = imit_logger.configure(tmp_path / "other", ["csv"])
    trainer.logger = other
    assert trainer.rl_algo.logger is other


def test_a_tensorboard_log_has_the_documented_name(tmp_path: pathlib.Path) -> None:
    trainer = sqil.SQIL(
        venv=tiny_envs.make_venv(),
        demonstrations=tiny_envs.expert_trajectories(2),
        policy="MlpPolicy",
        rl_kwargs={**RL_KWARGS, "tensorboard_log": str(tmp_path)},
    )
    trainer.train(total_timesteps=16)
    assert [p.name for p in tmp_path.iterdir()] == ["SQIL_1"]


def test_functions_are_called_back(tmp_path: pathlib.Path) -> None:
    calls = []

    def call_back(local: Any, _: Any) -> bool:
        calls.append(local["num_collected_steps"])
        return len(calls) < 3

    make(tmp_path).train(total_timesteps=40, callback=call_back)
    assert calls == [1, 1, 1]


ALGORITHMS = {
    "SoftQ": (SoftQ, "box", "discrete", {}),
    "SoftQ, images": (SoftQ, "image", "discrete", {}),
    "SoftQ, dictionaries": (SoftQ, "dict", "discrete", {}),
    "SoftQ, memory": (SoftQ, "box", "discrete", {"optimize_memory_usage": True}),
    "DQN": (sb3.DQN, "box", "discrete", {"target_update_interval": 6}),
    "SAC": (sb3.SAC, "box", "box", {}),
    "SAC, dictionaries": (sb3.SAC, "dict", "box", {}),
    "TD3": (
        sb3.TD3, "box", "box",
        {"action_noise": NormalActionNoise(np.zeros(2), np.full(2, 0.1))},
    ),
    "SAC, gSDE": (sb3.SAC, "box", "box", {"use_sde": True}),
    "DDPG": (sb3.DDPG, "box", "box", {}),
}  # fmt: skip


def weights(trainer: Any) -> Any:
    return trainer.policy.state_dict()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_resumed_is_bit_identical(tmp_path: pathlib.Path, name: Any) -> None:
    kwargs: Any
    cls, obs_kind, act_kind, kwargs = ALGORITHMS[name]

    def new(seed: Any) -> Any:
        kwargs_of_own = dict(kwargs, learning_rate=lambda left: 1e-2 * left)
        return make(tmp_path, obs_kind, act_kind, cls, seed=seed, **kwargs_of_own)

    whole = new(0)
    whole.train(
        total_timesteps=48, checkpoint_dir=tmp_path / "whole", checkpoint_interval=24
    )
    expected = {key: value.clone() for key, value in weights(whole).items()}
    interrupted = new(0)
    saves = tmp_path / "interrupted"

    class KilledError(Exception):
        pass

    def kill(local: Any, _: Any) -> bool:
        if local["self"].num_timesteps > 30:
            raise KilledError
        return True

    with pytest.raises(KilledError):
        interrupted.train(
            total_timesteps=48,
            checkpoint_dir=saves,
            checkpoint_interval=24,
            callback=kill,
        )
    resumed = new(5)
    np.random.seed(99)  # the process that resumes has another past
    th.manual_seed(99)
    resumed.train(total_timesteps=48, checkpoint_dir=saves, resume=True)
    assert resumed.rl_algo.num_timesteps == 48
    found = weights(resumed)
    for key, value in expected.items():
        assert th.equal(value, found[key]), key


def test_the_trainers_contract(tmp_path: pathlib.Path) -> None:
    def train(trainer: Any) -> None:
        np.random.seed(0)  # trainers in one process share the global generators
        th.manual_seed(0)
        trainer.train(total_timesteps=16)

    check_algorithm(lambda: make(tmp_path), train, tmp_path)


def test_a_finished_training_is_left_alone(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path)
    trainer.train(total_timesteps=16, checkpoint_dir=tmp_path / "c")
    before = {key: value.clone() for key, value in weights(trainer).items()}
    other = make(tmp_path, seed=1)
    other.train(total_timesteps=16, checkpoint_dir=tmp_path / "c", resume=True)
    assert all(th.equal(before[key], value) for key, value in weights(other).items())


@pytest.mark.parametrize("reset", [True, False])
def test_a_second_call_saves_and_resumes_by_its_own_steps(
    tmp_path: pathlib.Path, reset: bool
) -> None:
    def new() -> Any:
        trainer = make(tmp_path)
        trainer.train(total_timesteps=32)
        return trainer

    options = {"total_timesteps": 24, "reset_num_timesteps": reset}
    whole, place = new(), tmp_path / "c"
    whole.train(checkpoint_dir=tmp_path / "w", checkpoint_interval=8, **options)
    assert whole.progress == 24

    stopped = new()
    stopped.train(
        checkpoint_dir=place,
        checkpoint_interval=8,
        callback=lambda local, _: local["self"].num_timesteps < (18 if reset else 50),
        **options,
    )
    assert 16 < stopped.progress < 24
    resumed = make(tmp_path, seed=1)
    resumed.train(checkpoint_dir=place, resume=True, **options)
    assert resumed.progress == 24
    assert resumed.rl_algo.num_timesteps == whole.rl_algo.num_timesteps
    assert resumed.rl_algo.num_timesteps == (24 if reset else 56)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        *states.DAMAGES,
        (("algorithm", "replay"), None),
        (("algorithm", "replay", "pos"), "x"),
        (("algorithm", "replay", "actions"), {}),
        (("algorithm", "counters", "num_timesteps"), None),
        (("algorithm", "progress"), []),
    ],
)
def test_damaged_states_change_nothing(
    tmp_path: pathlib.Path, keys: Any, value: Any
) -> None:
    trainer = make(tmp_path)
    trainer.train(total_timesteps=32)
    trainer.save(tmp_path / "state")
    trainer.train(total_timesteps=32)
    states.damage(tmp_path / "state", keys, value)
    with (
        states.unchanged(ExpertReplayTrainer.state_dict, trainer),
        pytest.raises(ArtifactError, match="does not fit this trainer"),
    ):
        trainer.load_state(tmp_path / "state")


def test_states_of_others_are_refused(tmp_path: pathlib.Path) -> None:
    make(tmp_path).save(tmp_path / "state")
    with pytest.raises(ArtifactError, match="algorithm SoftQ, this trainer has DQN"):
        make(tmp_path, cls=sb3.DQN).load_state(tmp_path / "state")
    wide = make(tmp_path, policy_kwargs={"net_arch": [7]})
    wide.train(total_timesteps=16)
    with (
        states.unchanged(ExpertReplayTrainer.state_dict, wide),
        pytest.raises(ArtifactError, match="does not fit this trainer"),
    ):
        wide.load_state(tmp_path / "state")
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        wide.load_state(tmp_path / "nowhere")


@pytest.mark.parametrize("cls", [SoftQ, sb3.DQN])
def test_same_seed_same_numbers(tmp_path: pathlib.Path, cls: Any) -> None:
    found = []
    for seed in (3, 3, 4):
        trainer = make(tmp_path, cls=cls, seed=seed)
        trainer.train(total_timesteps=32)
        found.append(th.cat([p.flatten() for p in trainer.policy.parameters()]))
    assert th.equal(found[0], found[1]) and not th.equal(found[0], found[2])


def test_learns_to_imitate(tmp_path: pathlib.Path) -> None:
    """The expert names the sign of the first number; untrained policies guess."""
    venv = tiny_envs.make_venv(n_envs=4)
    trainer = make(
        tmp_path,
        venv=venv,
        demonstrations=tiny_envs.expert_trajectories(60),
        temperature=0.3,
        learning_rate=3e-3,
        batch_size=64,
    )

    def returns() -> Any:
        rng = np.random.default_rng(0)
        episodes = rollout.generate_trajectories(
            trainer.policy, tiny_envs.make_venv(seed=9), rollout.make_min_episodes(40),
            rng, deterministic_policy=True,
        )  # fmt: skip
        return [episode.rews.sum() for episode in episodes]

    before = returns()
    trainer.train(total_timesteps=1600)
    after = returns()
    assert is_significant_reward_improvement(before, after)
    assert np.mean(after) > 0.85 * tiny_envs.HORIZON


def test_a_vector_environment_without_gymnasium_has_no_known_limit(
    tmp_path: pathlib.Path,
) -> None:
    class Opaque(DummyVecEnv):
        def get_attr(self, attr_name: Any, indices: Any = None) -> Any:
            if attr_name == "spec":
                raise AttributeError(attr_name)
            return super().get_attr(attr_name, indices)

    trainer = make(tmp_path, venv=Opaque([tiny_envs.TinyEnv] * 2))
    assert trainer.replay_buffer.expert_buffer.dones.sum() == 4
