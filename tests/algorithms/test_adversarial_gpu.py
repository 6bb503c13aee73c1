"""Adversarial training on a GPU: devices meet where they have to (#820, #843)."""

import pathlib
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th

from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import (
    OFF_POLICY_SETTINGS,
    POLICIES,
    make_reward_net,
    make_trainer,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:You are trying to run PPO on the GPU"),
]
ON_POLICY_SETTINGS = {"n_steps": 16, "batch_size": 16, "n_epochs": 2}


def on_gpu(
    tmp_path: pathlib.Path,
    algorithm: str = "GAIL",
    generator: str = "PPO",
    obs_kind: str = "box",
    **settings: Any,
) -> Any:
    act_kind = "box" if generator == "SAC" else "discrete"
    venv = tiny_envs.make_venv(obs_kind, act_kind)
    kwargs = ON_POLICY_SETTINGS if generator == "PPO" else OFF_POLICY_SETTINGS
    algo = getattr(sb3, generator)(
        POLICIES[obs_kind], venv, seed=0, device="cuda", **kwargs
    )
    settings.setdefault("reward_net", make_reward_net(venv, obs_kind))
    return make_trainer(
        tmp_path, algorithm, obs_kind=obs_kind, act_kind=act_kind, venv=venv,
        gen_algo=algo, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("obs_kind", ["box", "dict", "image"])
@pytest.mark.parametrize(
    ("algorithm", "generator"),
    [
        ("GAIL", "PPO"),
        ("GAIL", "SAC"),
        ("GAIL", "DQN"),
        ("AIRL", "PPO"),
        ("AIRL", "SAC"),
    ],
)
def test_trains(
    tmp_path: pathlib.Path, algorithm: str, generator: str, obs_kind: str
) -> None:
    trainer = on_gpu(tmp_path, algorithm, generator, obs_kind)
    trainer.train(64)
    assert {p.device.type for p in trainer._reward_net.parameters()} == {"cuda"}
    assert {p.device.type for p in trainer.policy.parameters()} == {"cuda"}


@pytest.mark.parametrize(
    "devices", [("cuda", "cuda"), ("cuda", "cpu"), ("cpu", "cuda")]
)
@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_samples_of_the_user_on_any_device(
    tmp_path: pathlib.Path, algorithm: str, devices: tuple[str, str]
) -> None:
    trainer = on_gpu(tmp_path, algorithm)
    flat = rollout.flatten_trajectories(tiny_envs.expert_trajectories(4))[:16]
    expert, generated = (
        {
            key: th.tensor(np.array(getattr(flat, key)), device=device)
            for key in ("obs", "acts", "next_obs", "dones")
        }
        for device in devices
    )
    stats = trainer.train_disc(expert_samples=expert, gen_samples=generated)
    assert np.isfinite(list(stats.values())).all()


@pytest.mark.parametrize("penalty", ["r1", "wgan-gp"])
def test_options(tmp_path: pathlib.Path, penalty: str) -> None:
    venv = tiny_envs.make_venv()
    net = reward_nets.NormalizedRewardNet(
        make_reward_net(venv, normalize_input_layer=networks.RunningNorm),
        networks.RunningNorm,
    )
    trainer = on_gpu(
        tmp_path, reward_net=net,
        disc_options=DiscriminatorOptions(
            gradient_penalty=penalty, spectral_norm=True, instance_noise=0.1
        ),
    )  # fmt: skip
    trainer.train(64)
    assert all(p.is_cuda and p.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_saves_and_resumes(tmp_path: pathlib.Path, generator: str) -> None:
    saved = tmp_path / "saved"
    trainer = on_gpu(tmp_path / "1", "GAIL", generator)
    trainer.train(64, checkpoint_dir=saved)
    other = on_gpu(tmp_path / "2", "GAIL", generator)
    other.train(128, checkpoint_dir=saved, resume=True)
    assert other.gen_algo.num_timesteps == 128
    assert load_reward_net(saved / "final" / "reward_train.pt").device.type == "cpu"


def test_like_on_the_cpu(tmp_path: pathlib.Path) -> None:
    flat = rollout.flatten_trajectories(tiny_envs.expert_trajectories(4))
    fields = ("obs", "acts", "next_obs", "dones")
    expert, generated = (
        {key: np.array(getattr(flat, key)[rows]) for key in fields}
        for rows in (slice(16), slice(16, 32))
    )
    cpu, gpu = make_trainer(tmp_path / "1"), on_gpu(tmp_path / "2")
    gpu._reward_net.load_state_dict(cpu._reward_net.state_dict())
    for _ in range(3):
        one, other = (
            trainer.train_disc(expert_samples=expert, gen_samples=generated)
            for trainer in (cpu, gpu)
        )
    assert other == pytest.approx(one, abs=1e-4)
