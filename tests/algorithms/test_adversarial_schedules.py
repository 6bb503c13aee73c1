"""Schedules of a generator run over the whole training, not within each round."""

import pathlib
from typing import Any

import numpy as np
import pytest

from reference.adversarial_trainers import make_trainer


def rates(
    trainer: Any, n_steps: Any, attribute: str = "learning_rate", **kwargs: Any
) -> Any:
    """What a generator's optimiser, or exploration, was set to after each round."""
    seen = []

    def note(_: Any) -> None:
        if attribute == "learning_rate":
            groups = trainer.policy.optimizer.param_groups
            seen.append(groups[0]["lr"])
        else:
            seen.append(getattr(trainer.gen_algo, attribute))

    trainer.train(n_steps, note, **kwargs)
    return seen


def linear(left: Any) -> Any:
    return 0.01 * left


@pytest.mark.parametrize("generator", ["PPO", "A2C", "RecurrentPPO"])
def test_learning_rate_of_on_policy_generators(
    tmp_path: pathlib.Path, generator: str
) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", generator, generator_settings={"learning_rate": linear}
    )
    found = rates(trainer, 4 * 32)
    np.testing.assert_allclose(found, 0.01 * np.array([0.75, 0.5, 0.25, 0.0]))


@pytest.mark.parametrize("gen_train_timesteps", [20, 33, 40])
def test_rounds_that_are_no_multiple_of_a_rollout(
    tmp_path: pathlib.Path, gen_train_timesteps: int
) -> None:
    """Rounds take whole rollouts of 32; the rate falls evenly and never below zero."""
    trainer = make_trainer(
        tmp_path,
        generator_settings={"learning_rate": linear},
        gen_train_timesteps=gen_train_timesteps,
    )
    found = rates(trainer, 5 * gen_train_timesteps)
    np.testing.assert_allclose(
        found, 0.01 * np.array([0.8, 0.6, 0.4, 0.2, 0]), atol=1e-9
    )


def test_exploration_of_dqn(tmp_path: pathlib.Path) -> None:
    """It falls from 1 to 0.05 over half of the training."""
    trainer = make_trainer(
        tmp_path, "GAIL", "DQN",
        generator_settings={"exploration_fraction": 0.5},
    )  # fmt: skip
    found = rates(trainer, 20 * 8, "exploration_rate")
    progress = np.arange(1, 21) / 20
    expected = 1 + (0.05 - 1) * np.minimum(progress / 0.5, 1)
    np.testing.assert_allclose(found, expected, atol=0.06)  # known a vector step late
    assert found[-1] == pytest.approx(0.05)
    assert found == sorted(found, reverse=True)


def test_schedules_continue_when_resumed(tmp_path: pathlib.Path) -> None:
    settings: dict[str, Any] = {"generator_settings": {"learning_rate": linear}}
    whole = rates(make_trainer(tmp_path / "1", **settings), 6 * 32)
    saved = tmp_path / "saved"

    class StopHereError(Exception):
        pass

    def stop(round_num: Any) -> None:
        if round_num == 3:
            raise StopHereError

    with pytest.raises(StopHereError):
        make_trainer(tmp_path / "2", **settings).train(
            6 * 32, stop, checkpoint_dir=saved, checkpoint_interval=3
        )
    trainer = make_trainer(tmp_path / "3", **settings)
    rest = rates(trainer, 6 * 32, checkpoint_dir=saved, resume=True)
    np.testing.assert_allclose(rest, whole[3:])


def test_the_generator_gets_its_own_schedule_back(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    before = set(vars(trainer.gen_algo))
    trainer.train(32)
    added = {
        name for name in set(vars(trainer.gen_algo)) - before if "progress" in name
    }
    assert not added
    trainer.gen_algo.learn(32)
    assert trainer.gen_algo._current_progress_remaining == 0
