"""DensityAlgorithm: demonstrations of every kind, rewards in environments, learning."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common import evaluation

from imitation.algorithms import base
from imitation.algorithms.density import DensityAlgorithm, DensityReward, DensityType
from imitation.algorithms.density.reward import StepCounter
from imitation.algorithms.density.trainer import roll_out
from imitation.data import rollout, types
from imitation.errors import ConfigError, DataError
from imitation.testing.reward_improvement import is_significant_reward_improvement
from imitation.util import logger as imit_logger
from reference import tiny_envs
from reference.adversarial_trainers import make_generator

HORIZON = tiny_envs.HORIZON
TRAJECTORIES = tiny_envs.expert_trajectories(6)
FLAT: Any = rollout.flatten_trajectories(TRAJECTORIES)


@pytest.fixture(name="quiet")
def _quiet(tmp_path: pathlib.Path) -> imit_logger.HierarchicalLogger:
    return imit_logger.configure(tmp_path / "log", ["json", "log"])


def make(
    logger: imit_logger.HierarchicalLogger,
    demonstrations: Any = TRAJECTORIES,
    **kwargs: Any,
) -> DensityAlgorithm:
    settings: dict[str, Any] = {
        "venv": tiny_envs.make_venv(),
        "rng": np.random.default_rng(0),
        "custom_logger": logger,
    }
    return DensityAlgorithm(demonstrations=demonstrations, **settings | kwargs)


def rate(trainer: DensityAlgorithm, n: int = 8) -> Any:
    return trainer(FLAT.obs[:n], FLAT.acts[:n], FLAT.next_obs[:n], FLAT.dones[:n])


def batches() -> list[types.TransitionMapping]:
    loader = base.make_data_loader(FLAT, 8, {"shuffle": True})
    return list(loader)


def torch_batches() -> Any:
    return base.make_data_loader(FLAT, 8, {"num_workers": 0})


KINDS = {
    "trajectories": lambda: TRAJECTORIES,
    "an iterator of them": lambda: iter(TRAJECTORIES),
    "transitions": lambda: FLAT,
    "batches": batches,
    "a generator of batches": lambda: (batch for batch in batches()),
    "a DataLoader": torch_batches,
}


@pytest.mark.parametrize("density_type", DensityType)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_demonstrations_gives_the_same_density(  # S4: every batch counts
    quiet: Any, kind: str, density_type: DensityType
) -> None:
    expected = make(quiet, density_type=density_type)
    expected.train()
    trainer = make(quiet, KINDS[kind](), density_type=density_type)
    trainer.train()
    assert len(trainer.transitions[None]) == len(FLAT) == 48
    np.testing.assert_allclose(rate(trainer), rate(expected), rtol=1e-5)


def test_pairs_are_enough_unless_next_states_count(quiet: Any) -> None:
    pairs = types.TransitionsMinimal(obs=FLAT.obs, acts=FLAT.acts, infos=FLAT.infos)
    trainer = make(quiet, pairs)
    trainer.train()
    assert np.isfinite(rate(trainer)).all()
    for demonstrations in (pairs, [{"obs": FLAT.obs, "acts": FLAT.acts}]):
        with pytest.raises(ValueError, match="requires next_obs_b to be provided"):
            make(quiet, demonstrations, density_type=DensityType.STATE_STATE_DENSITY)


def test_times_are_those_of_the_trajectories(quiet: Any) -> None:
    longer: Any = [*TRAJECTORIES, *[_cut(t, 5) for t in TRAJECTORIES[:2]]]
    trainer = make(quiet, longer, is_stationary=False)
    assert list(trainer.transitions) == list(range(HORIZON))
    assert [len(part) for part in trainer.transitions.values()] == [8] * 5 + [6] * 3
    first = np.stack([t.obs[3] for t in longer])
    np.testing.assert_array_equal(trainer.transitions[3][:, :3], first)


def _cut(trajectory: types.Trajectory, length: int) -> types.Trajectory:
    return types.Trajectory(
        obs=trajectory.obs[: length + 1],
        acts=trajectory.acts[:length],
        infos=None,
        terminal=True,
    )


NAN = FLAT.obs.copy()
NAN[3] = np.nan


@pytest.mark.parametrize(
    ("demonstrations", "kwargs", "error", "message"),
    [
        (5, {}, TypeError, "Unsupported demonstration type <class 'int'>"),
        ([5], {}, TypeError, "Unsupported demonstration type <class 'list'>"),
        ([], {}, ValueError, "had no elements"),
        (FLAT, {"is_stationary": False}, ValueError, "Non-stationary model incompat"),
        (batches(), {"is_stationary": False}, ValueError, "Non-stationary model inc"),
        ([{"obs": FLAT.obs}], {}, DataError, "keys 'obs' and 'acts', got one with"),
        ([{"obs": NAN, "acts": FLAT.acts}], {}, DataError, "NaN or infinite obs"),
        (
            [{"obs": FLAT.obs, "acts": FLAT.acts, "next_obs": NAN}],
            {"density_type": DensityType.STATE_STATE_DENSITY},
            DataError,
            "NaN or infinite obs",
        ),
        (
            [{"obs": FLAT.obs[:, :2], "acts": FLAT.acts}],
            {},
            DataError,
            r"obs of shape \(2,\)",
        ),
        (FLAT, {"kernel": "square"}, ConfigError, "kernel must be one of"),
        (FLAT, {"kernel_bandwidth": -1}, ConfigError, "kernel_bandwidth must be"),
        (FLAT, {"estimator": "tree"}, ConfigError, "estimator must be one of"),
        (
            FLAT,
            {"rl_algo": make_generator("PPO", tiny_envs.make_venv(n_envs=3))},
            ConfigError,
            "rl_algo was made for 3 environments, venv has 2",
        ),
    ],
)
def test_malformed(
    quiet: Any, demonstrations: Any, kwargs: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        make(quiet, demonstrations, **kwargs)
    assert len(str(caught.value).splitlines()) == 1


def test_out_of_order(quiet: Any) -> None:
    trainer = make(quiet, None)
    with pytest.raises(ValueError, match="there are no demonstrations"):
        trainer.train()
    for call in (lambda: rate(trainer), trainer.train_policy):
        with pytest.raises(RuntimeError, match=r"call train\(\) first"):
            call()
    for call in (lambda: trainer.policy, trainer.test_policy):
        with pytest.raises(AssertionError, match="pass rl_algo"):
            call()
    trainer.set_demonstrations(TRAJECTORIES)
    trainer.train()
    assert rate(trainer).dtype == np.float32
    with pytest.raises(ConfigError, match="not to be negative, got -1"):
        trainer.train_policy(-1)


def test_attributes_may_be_changed_before_fitting(quiet: Any) -> None:
    trainer = make(quiet, kernel_bandwidth=0.5)
    trainer.train()
    wide = rate(trainer)
    trainer.kernel_bandwidth = 0.1
    np.testing.assert_array_equal(rate(trainer), wide)
    trainer.train()
    expected = make(quiet, kernel_bandwidth=0.1)
    expected.train()
    np.testing.assert_array_equal(rate(trainer), rate(expected))


def random_episodes(venv: Any, n_steps: int) -> Iterator[Any]:
    """Steps at random; yields what was acted on, done, and returned."""
    obs = venv.reset()
    rng = np.random.default_rng(3)
    for _ in range(n_steps):
        acts = rng.integers(0, 2, venv.num_envs)
        after, rews, dones, infos = venv.step(acts)
        last = np.array(after)
        for i in np.flatnonzero(dones):
            last[i] = infos[i]["terminal_observation"]
        yield obs.copy(), acts, last, rews, dones
        obs = after


@pytest.mark.parametrize("density_type", DensityType)
def test_times_reach_the_reward_of_environments(  # S5
    quiet: Any, density_type: DensityType
) -> None:
    """Also where episodes of several environments end at different times."""
    venv = tiny_envs.make_venv(n_envs=3, horizon=None)
    trainer = make(quiet, venv=venv, is_stationary=False, density_type=density_type)
    trainer.train()
    steps, seen = np.zeros(3, int), set()
    for obs, acts, last, rews, dones in random_episodes(trainer.venv_wrapped, 30):
        seen.add(tuple(steps))
        expected = trainer(obs, acts, last, dones, steps)
        np.testing.assert_allclose(rews, expected, rtol=1e-5)
        steps = np.where(dones, 0, steps + 1)
    assert any(len(set(each)) == 3 for each in seen)


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
@pytest.mark.parametrize("is_stationary", [True, False])
@pytest.mark.parametrize("estimator", ["kernel", "knn"])
def test_trains_and_tests_policies(
    quiet: Any, algorithm: str, is_stationary: bool, estimator: str
) -> None:
    venv = tiny_envs.make_venv()
    algo = make_generator(algorithm, venv)
    trainer = make(
        quiet, venv=venv, rl_algo=algo, is_stationary=is_stationary,
        estimator=estimator,
    )  # fmt: skip
    trainer.train()
    before = {k: v.clone() for k, v in trainer.policy.state_dict().items()}
    trainer.train_policy(64)
    assert trainer.policy is algo.policy
    assert algo.num_timesteps == trainer.progress == 64
    after = trainer.policy.state_dict()
    assert any(not th.equal(before[key], after[key]) for key in before)
    true = trainer.test_policy(n_trajectories=4)
    learned = trainer.test_policy(n_trajectories=4, true_reward=False)
    assert true["n_traj"] == learned["n_traj"] == 4
    assert true["len_mean"] == HORIZON
    assert 0 <= true["return_min"] <= true["return_max"] <= HORIZON
    assert learned["return_max"] < 0 or learned["return_min"] != true["return_min"]


def test_policies_are_tested_on_log_densities_of_their_times(quiet: Any) -> None:
    venv = tiny_envs.make_venv()
    algo = make_generator("PPO", venv)
    trainer: Any = make(quiet, venv=venv, rl_algo=algo, is_stationary=False)
    trainer.train()
    counter = StepCounter(venv)
    rewarded = trainer.with_reward(counter, counter)
    for episode in roll_out(algo, rewarded, 4, np.random.default_rng(0)):
        expected = trainer(
            episode.obs[:-1], episode.acts, episode.obs[1:], None, np.arange(HORIZON)
        )
        np.testing.assert_allclose(episode.rews, expected, rtol=1e-5)


@pytest.mark.parametrize(("obs_kind", "act_kind"), [("dict", "box"), ("image", "box")])
@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
def test_other_spaces(quiet: Any, obs_kind: str, act_kind: str, algorithm: str) -> None:
    venv = tiny_envs.make_venv(obs_kind, act_kind)
    demonstrations = tiny_envs.expert_trajectories(3, obs_kind, act_kind)
    algo = make_generator(algorithm, venv, obs_kind)
    trainer = make(quiet, demonstrations, venv=venv, rl_algo=algo)
    trainer.train()
    trainer.train_policy(16)
    assert trainer.test_policy(n_trajectories=2, true_reward=False)["n_traj"] == 2


def test_many_features_are_warned_about(quiet: Any, tmp_path: pathlib.Path) -> None:
    trajectories = tiny_envs.expert_trajectories(2, "image")
    trainer = make(quiet, trajectories, venv=tiny_envs.make_venv("image"))
    trainer.train()
    assert "encode images" in (tmp_path / "log" / "log.txt").read_text()


def test_episodes_of_different_length(quiet: Any) -> None:
    venv = tiny_envs.make_venv(horizon=None)
    algo = make_generator("PPO", venv)
    trainer = make(quiet, venv=venv, rl_algo=algo)
    trainer.train()
    for call in (lambda: trainer.train_policy(200), trainer.test_policy):
        with pytest.raises(ValueError, match="Episodes of different length detected"):
            call()
    allowed = make(quiet, venv=venv, rl_algo=algo, allow_variable_horizon=True)
    allowed.train()
    allowed.train_policy(64)
    assert allowed.test_policy()["len_min"] < HORIZON


def test_episodes_longer_than_the_demonstrations(quiet: Any) -> None:
    venv = tiny_envs.make_venv(horizon=HORIZON + 1)
    algo = make_generator("PPO", venv)
    trainer = make(quiet, venv=venv, rl_algo=algo, is_stationary=False)
    trainer.train()
    with pytest.raises(ValueError, match=r"Time 8 out of range \(0, 8\]"):
        trainer.train_policy(64)


def test_steps_of_density_zero(quiet: Any) -> None:
    venv = tiny_envs.make_venv()
    algo = make_generator("PPO", venv)
    trainer = make(quiet, venv=venv, rl_algo=algo, kernel="tophat")
    trainer.train()
    with pytest.raises(DataError, match="kernel='gaussian' or 'exponential'"):
        trainer.train_policy(64)


@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
def test_normalised_rewards(quiet: Any, algorithm: str) -> None:
    venv = tiny_envs.make_venv("box", "box")
    algo = make_generator(algorithm, venv, gamma=0.9)
    demonstrations = tiny_envs.expert_trajectories(4, "box", "box")
    trainer: Any = make(
        quiet, demonstrations, venv=venv, rl_algo=algo, normalize_reward=True
    )
    trainer.train()
    trainer.train_policy(64)
    normalizer = algo.get_vec_normalize_env()
    assert normalizer is trainer.venv_train and normalizer.gamma == 0.9
    assert normalizer.ret_rms.count > 60
    assert not normalizer.norm_obs
    learned = trainer.test_policy(n_trajectories=2, true_reward=False)
    assert normalizer.ret_rms.count < 70, "testing leaves the statistics alone"
    assert learned["return_mean"] < -10, "and is in the reward's own units"


def test_logged_keys(quiet: Any, tmp_path: pathlib.Path) -> None:
    venv = tiny_envs.make_venv()
    trainer = make(quiet, venv=venv, rl_algo=make_generator("PPO", venv))
    trainer.train()
    trainer.train_policy(64)
    quiet.dump(0)
    lines = (tmp_path / "log" / "progress.json").read_text().splitlines()
    logged: dict[str, Any] = {}
    for line in lines:
        logged |= json.loads(line)
    assert logged["density/transitions"] == 48
    assert logged["density/features"] == 5
    assert logged["density/models"] == 1
    assert np.isfinite(logged["rollout/ep_rew_wrapped_mean"])


def test_callbacks_are_called_and_may_stop(quiet: Any) -> None:
    venv = tiny_envs.make_venv()
    trainer = make(quiet, venv=venv, rl_algo=make_generator("PPO", venv))
    trainer.train()
    counted = []

    def stop(*_: Any) -> bool:
        counted.append(1)
        return len(counted) < 5

    trainer.train_policy(640, callback=stop, log_interval=5)
    assert len(counted) == 5 and trainer.progress == 10


def test_rewards_of_an_older_density_are_forgotten(quiet: Any) -> None:
    venv = tiny_envs.make_venv()
    algo = make_generator("DQN", venv)
    algo.learn(16)  # on the environment's own reward
    trainer: Any = make(quiet, venv=venv, rl_algo=algo)
    trainer.train()
    trainer.train_policy(16)
    buffer = algo.replay_buffer
    assert buffer.size() == 8  # of two environments each
    trainer.train_policy(16)
    assert buffer.size() == 16
    trainer.train()
    trainer.train_policy(8)
    assert buffer.size() == 4
    rewards = trainer(
        buffer.observations[:4].reshape(8, -1), buffer.actions[:4].ravel(),
        buffer.next_observations[:4].reshape(8, -1), None,
    )  # fmt: skip
    np.testing.assert_allclose(buffer.rewards[:4].ravel(), rewards, rtol=1e-5)


def test_memory_for_episodes_does_not_grow(quiet: Any) -> None:
    venv = tiny_envs.make_venv()
    trainer = make(quiet, venv=venv, rl_algo=make_generator("PPO", venv))
    trainer.train()
    trainer.train_policy(640)
    kept, _ = trainer.buffering_wrapper.pop_trajectories()
    assert sum(map(len, kept)) <= 2 * HORIZON


def test_a_saved_reward_replaces_the_density(quiet: Any, tmp_path: Any) -> None:
    trainer = make(quiet)
    trainer.train()
    trainer.reward.save(tmp_path / "density")
    other = make(quiet, None)
    other.set_reward(DensityReward.load(tmp_path / "density"))
    np.testing.assert_array_equal(rate(other), rate(trainer))


@pytest.mark.parametrize("estimator", ["kernel", "knn"])
def test_learns(quiet: Any, estimator: str) -> None:
    venv = tiny_envs.make_venv(n_envs=8)
    algo = sb3.PPO(
        "MlpPolicy", venv, n_steps=64, batch_size=128, n_epochs=5, gamma=0.5,
        learning_rate=3e-3, seed=0, device="cpu", policy_kwargs={"net_arch": [16]},
    )  # fmt: skip
    trainer = make(
        quiet, tiny_envs.expert_trajectories(40), venv=venv, rl_algo=algo,
        estimator=estimator, kernel_bandwidth=0.3,
    )  # fmt: skip
    trainer.train()
    before = returns(trainer.policy)
    trainer.train_policy(8 * 512)
    after = returns(trainer.policy)
    assert is_significant_reward_improvement(before, after, p_value=0.001)
    assert sum(after) / len(after) >= 0.85 * HORIZON


def returns(policy: Any) -> Any:
    venv = tiny_envs.make_venv(seed=99)
    values, _ = evaluation.evaluate_policy(
        policy, venv, 20, deterministic=True, return_episode_rewards=True, warn=False
    )
    return values
