"""Density-based imitation saved and resumed is as if uninterrupted."""

import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th

from imitation.algorithms.density import DensityAlgorithm, DensityReward, DensityType
from imitation.errors import ArtifactError
from imitation.testing.checks import check_algorithm
from imitation.util import logger as imit_logger
from reference import states, tiny_envs
from reference.adversarial_trainers import make_generator

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "PPO": ("PPO", "discrete", {}),
    "PPO by time": ("PPO", "discrete", {"is_stationary": False}),
    "PPO, neighbours": ("PPO", "box", {"estimator": "knn"}),
    "A2C, normalised": ("A2C", "box", {"normalize_reward": True}),
    "SAC, normalised": ("SAC", "box", {"normalize_reward": True}),
    "DQN by time": ("DQN", "discrete", {"is_stationary": False}),
}


def make(
    directory: pathlib.Path, name: str, seed: int = 0, **changes: Any
) -> DensityAlgorithm:
    algorithm, act_kind, kwargs = CASES[name]
    algorithm = changes.pop("algorithm", algorithm)
    venv = tiny_envs.make_venv("box", act_kind, seed=seed)
    settings: dict[str, Any] = {
        "demonstrations": tiny_envs.expert_trajectories(4, "box", act_kind),
        "rl_algo": make_generator(algorithm, venv, seed=seed),
        "venv": venv,
        "rng": np.random.default_rng(seed),
        "custom_logger": imit_logger.configure(directory, []),
    }
    return DensityAlgorithm(**settings | kwargs | changes)


def weights(trainer: DensityAlgorithm) -> dict[str, Any]:
    return dict(trainer.policy.state_dict())


@pytest.mark.parametrize("name", CASES)
def test_resumed_like_uninterrupted(tmp_path: pathlib.Path, name: str) -> None:
    whole, saved, kept = make(tmp_path, name), tmp_path / "saved", tmp_path / "kept"
    whole.train()

    def keep(*_: Any) -> bool:
        if whole.progress >= 64 and not kept.exists():
            shutil.copytree(saved, kept)  # as a killed process would have left it
        return True

    whole.train_policy(160, checkpoint_dir=saved, checkpoint_interval=32, callback=keep)
    other = make(tmp_path, name, seed=5)
    th.manual_seed(99)  # the process that resumes has another past
    np.random.seed(99)
    other.train_policy(160, checkpoint_dir=kept, checkpoint_interval=32, resume=True)
    assert other.progress == whole.progress == 160
    expected, found = weights(whole), weights(other)
    assert expected.keys() == found.keys()
    assert all(th.equal(expected[key], found[key]) for key in expected)
    assert sorted(p.name for p in kept.iterdir()) == sorted(
        p.name for p in saved.iterdir()
    )


@pytest.mark.parametrize("name", CASES)
def test_the_trainers_contract(tmp_path: pathlib.Path, name: str) -> None:
    def train(trainer: DensityAlgorithm) -> None:
        np.random.seed(0)  # trainers in one process share the global generators
        th.manual_seed(0)
        trainer.train()
        trainer.train_policy(32)

    check_algorithm(lambda: make(tmp_path, name), train, tmp_path)


def test_what_is_saved(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, "PPO by time")
    trainer.train()
    trainer.train_policy(64, checkpoint_dir=tmp_path / "c", checkpoint_interval=32)
    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert names == ["000000000032", "final", "latest"]
    model = sb3.PPO.load(tmp_path / "c" / "final" / "policy" / "model.zip")
    final = weights(trainer)
    assert all(th.equal(final[k], v) for k, v in model.policy.state_dict().items())
    reward = DensityReward.load(tmp_path / "c" / "final" / "density")
    venv = trainer.venv
    obs = np.stack([venv.observation_space.sample() for _ in range(8)])
    batch = obs, np.arange(8) % 2, obs, np.zeros(8), np.arange(8)
    np.testing.assert_array_equal(reward(*batch), trainer(*batch))


def test_without_a_policy(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, "PPO", rl_algo=None)
    trainer.train()
    trainer.save(tmp_path / "state")
    other = make(tmp_path, "PPO", rl_algo=None, demonstrations=None)
    other.load_state(tmp_path / "state")
    np.testing.assert_array_equal(other.transitions[None], trainer.transitions[None])
    assert other.reward.options == trainer.reward.options


@pytest.mark.parametrize("name", ["PPO", "SAC, normalised"])
def test_stopped_early_resumes(tmp_path: pathlib.Path, name: str) -> None:
    trainer, place = make(tmp_path, name), tmp_path / "c"
    trainer.train()
    trainer.train_policy(
        96, checkpoint_dir=place, callback=lambda *_: trainer.progress < 40
    )
    assert 40 <= trainer.progress < 64
    other = make(tmp_path, name, seed=1)
    other.train_policy(96, checkpoint_dir=place, resume=True)
    assert other.progress >= 96
    assert other.rl_algo is not None
    assert other.rl_algo.num_timesteps == other.progress


def test_progress_leaves_out_what_the_algorithm_did_before(
    tmp_path: pathlib.Path,
) -> None:
    venv = tiny_envs.make_venv("box", "discrete")
    algo = make_generator("PPO", venv, seed=0).learn(64)
    trainer = make(tmp_path, "PPO", venv=venv, rl_algo=algo)
    trainer.train()
    trainer.train_policy(64, checkpoint_dir=tmp_path / "c", checkpoint_interval=32)
    assert (trainer.progress, algo.num_timesteps) == (64, 128)
    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert names == ["000000000032", "final", "latest"]


def test_nothing_to_resume_from_begins_anew(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, "PPO")
    trainer.train()
    trainer.train_policy(32, checkpoint_dir=tmp_path / "new", resume=True)
    assert trainer.progress == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "A2C"}, "the algorithm PPO, this trainer has A2C"),
        (
            {"density_type": DensityType.STATE_DENSITY},
            "the density STATE_ACTION_DENSITY, this trainer has STATE_DENSITY",
        ),
    ],
)
def test_states_that_do_not_fit(
    tmp_path: pathlib.Path, changes: dict[str, Any], message: str
) -> None:
    trainer = make(tmp_path, "PPO")
    trainer.train()
    trainer.save(tmp_path / "state")
    with pytest.raises(ArtifactError, match=message):
        make(tmp_path, "PPO", **changes).load_state(tmp_path / "state")


def test_other_spaces_do_not_fit(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, "PPO")
    trainer.train()
    trainer.save(tmp_path / "state")
    other = make(tmp_path, "PPO, neighbours")
    with (
        states.unchanged(DensityAlgorithm.state_dict, other),
        pytest.raises(ArtifactError, match="does not fit this trainer"),
    ):
        other.load_state(tmp_path / "state")
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        trainer.load_state(tmp_path / "nothing")


@pytest.mark.parametrize(("keys", "value"), states.DAMAGES)
def test_damaged_states_change_nothing(
    tmp_path: pathlib.Path, keys: tuple[str, ...], value: Any
) -> None:
    trainer = make(tmp_path, "PPO")
    trainer.train()
    trainer.save(tmp_path / "state")
    trainer.train_policy(32)
    states.damage(tmp_path / "state", keys, value)
    with (
        states.unchanged(DensityAlgorithm.state_dict, trainer),
        pytest.raises(ArtifactError, match="does not fit this trainer"),
    ):
        trainer.load_state(tmp_path / "state")
