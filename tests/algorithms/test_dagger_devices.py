"""DAgger on a GPU, and from one device to another."""

import pathlib
from typing import Any

import numpy as np
import pytest

from imitation.algorithms import bc, dagger
from imitation.util import logger as imit_logger
from imitation.util.util import make_vec_env


def expert(obs: Any) -> Any:
    return (obs[:, 2] + 0.3 * obs[:, 3] > 0).astype(int)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cpu", "cpu"),
        pytest.param("cuda", "cpu", marks=pytest.mark.gpu),
        pytest.param("cpu", "cuda", marks=pytest.mark.gpu),
        pytest.param("cuda", "cuda", marks=pytest.mark.gpu),
    ],
)
def test_train_here_and_go_on_there(
    tmp_path: pathlib.Path, first: str, second: Any
) -> None:
    venv = make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=2)
    logger = imit_logger.configure(tmp_path / "log", ["csv"])
    common: dict[str, Any] = {
        "venv": venv,
        "expert_policy": expert,
        "custom_logger": logger,
    }
    trainer = dagger.SimpleDAggerTrainer(
        scratch_dir=tmp_path / "scratch",
        rng=np.random.default_rng(0),
        beta_schedule=dagger.ExponentialBetaSchedule(0.5),
        bc_trainer=bc.BC(
            observation_space=venv.observation_space,
            action_space=venv.action_space,
            rng=np.random.default_rng(0),
            device=first,
            custom_logger=logger,
        ),
        **common,
    )
    kwargs: dict[str, Any] = {
        "rollout_round_min_timesteps": 100,
        "bc_train_kwargs": {"n_batches": 5},
        "progress_bar": False,
    }
    trainer.train(200, **kwargs)
    assert trainer.policy.device.type == first
    trainer = dagger.SimpleDAggerTrainer.load(
        tmp_path / "scratch", device=second, **common
    )
    assert trainer.policy.device.type == second
    trainer.train(200, **kwargs)
    assert trainer.total_timesteps >= 400
