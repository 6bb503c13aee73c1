"""Validation, early stopping, and training that survives being killed."""

import contextlib
import csv
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.algorithms import bc
from imitation.algorithms.bc.validation import split_demonstrations
from imitation.data import types
from imitation.errors import ArtifactError
from imitation.util import logger as imit_logger
from imitation.util import policy_io
from reference import states

BOX = gym.spaces.Box(-np.inf, np.inf, (4,), np.float32)


class StopHereError(Exception):
    pass


def pairs(n: int = 200, noise: float = 0.0, seed: int = 0) -> types.TransitionsMinimal:
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(n, 4)).astype(np.float32)
    acts = (obs[:, 0] + noise * rng.normal(size=n) > 0).astype(np.int64)
    return types.TransitionsMinimal(obs, acts, np.array([{}] * n))


def make(tmp_path: pathlib.Path, **kwargs: Any) -> Any:
    settings: Any = {
        "observation_space": BOX,
        "action_space": gym.spaces.Discrete(2),
        "rng": np.random.default_rng(0),
        "demonstrations": pairs(),
        "custom_logger": imit_logger.configure(tmp_path / "log", ["csv"]),
        "device": "cpu",
    }
    return bc.BC(**(settings | kwargs))


def same(one: Any, other: Any) -> Any:
    pairs = zip(
        one.policy.state_dict().values(),
        other.policy.state_dict().values(),
        strict=True,
    )
    return all(th.equal(a, b) for a, b in pairs)


VARIANTS = {
    "plain": {},
    "accumulated": {"batch_size": 64, "minibatch_size": 16},
    # 12 minibatches in groups of 5, 5 and 2
    "accumulated unevenly": {"batch_size": 80, "minibatch_size": 16},
    "validated": {"val_fraction": 0.2},
    "sgd": {
        "optimizer_cls": th.optim.SGD,
        "optimizer_kwargs": {"lr": 0.1, "momentum": 0.9},
    },
    "scheduled": {"lr_schedule": lambda remaining: 1e-2 * remaining},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("interval", "stop_after"), [(1, 6), (1, 7), (3, 2), (3, 11)])
def test_resumed_training_is_bit_identical(
    tmp_path: pathlib.Path, variant: Any, interval: int, stop_after: int
) -> None:
    settings: Any = VARIANTS[variant]
    whole = make(tmp_path, **settings)
    whole.train(n_epochs=3, progress_bar=False)

    done = []

    def interrupt() -> None:
        done.append(1)
        if len(done) == stop_after:
            raise StopHereError

    options = {"n_epochs": 3, "progress_bar": False, "checkpoint_interval": interval}
    with contextlib.suppress(StopHereError):
        make(tmp_path, **settings).train(
            checkpoint_dir=tmp_path / "c", on_batch_end=interrupt, **options
        )
    resumed = make(tmp_path, **settings)
    resumed.train(checkpoint_dir=tmp_path / "c", resume=True, **options)
    assert same(whole, resumed)
    again = make(tmp_path, **settings)
    again.train(checkpoint_dir=tmp_path / "c", resume=True, **options)
    assert same(whole, again), "resuming what is finished must change nothing"


def test_saved_in_a_callback_and_loaded(tmp_path: pathlib.Path) -> None:
    whole = make(tmp_path)
    whole.train(n_epochs=3, progress_bar=False)
    part = make(tmp_path)
    ends = []

    def save() -> None:
        ends.append(1)
        if len(ends) == 2:
            part.save(tmp_path / "saved")
            raise StopHereError

    with pytest.raises(StopHereError):
        part.train(n_epochs=3, progress_bar=False, on_epoch_end=save)
    loaded = bc.BC.load(tmp_path / "saved", demonstrations=pairs(), device="cpu")
    loaded.train(n_epochs=3, progress_bar=False, resume=True)
    assert same(whole, loaded)


def test_data_may_be_set_after_loading(tmp_path: pathlib.Path) -> None:
    """What is known of the best policy waits for the data it was measured on."""
    settings = {
        "demonstrations": pairs(80, noise=2.0),
        "batch_size": 16,
        "val_fraction": 0.5,
        "optimizer_kwargs": {"lr": 3e-2},
    }
    options = {
        "n_epochs": 100,
        "progress_bar": False,
        "early_stopping": bc.EarlyStopping(patience=3),
    }
    whole = make(tmp_path, **settings)
    epochs = []

    def save() -> None:
        epochs.append(1)
        whole.save(tmp_path / f"{len(epochs)}")

    whole.train(on_epoch_end=save, **options)
    after_best = tmp_path / f"{len(epochs) - 1}"
    loaded: Any = bc.BC.load(after_best, device="cpu")
    loaded.save(tmp_path / "again")
    for folder in (after_best, tmp_path / "again"):
        loaded = bc.BC.load(folder, device="cpu")
        loaded.set_demonstrations(settings["demonstrations"])
        more = []
        loaded.train(resume=True, on_epoch_end=lambda: more.append(1), **options)  # noqa: B023  # called within the same turn
        assert len(more) == 1
        assert same(whole, loaded)


def test_any_generator_of_numpy_is_restored(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, rng=np.random.Generator(np.random.MT19937(0)))
    trainer.save(tmp_path / "saved")
    loaded = bc.BC.load(tmp_path / "saved", device="cpu")
    assert loaded.rng.random() == trainer.rng.random()


def test_the_last_measures_on_held_out_data_are_logged(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path, val_fraction=0.2)
    trainer.train(n_epochs=2, progress_bar=False)
    trainer.logger.close()
    with open(tmp_path / "log" / "progress.csv") as file:
        rows = list(csv.DictReader(file))
    assert trainer._validator is not None
    expected = trainer._validator.measure(trainer.policy)["neglogp"]
    assert [row["bc/batch"] for row in rows] == ["0", ""]
    assert float(rows[-1]["bc/val_neglogp"]) == expected


def test_loading_restores_the_settings(tmp_path: pathlib.Path) -> None:
    trainer = make(
        tmp_path,
        batch_size=64,
        minibatch_size=16,
        ent_weight=0.5,
        l2_weight=0.25,
        max_grad_norm=2.0,
        val_fraction=0.1,
        optimizer_cls=th.optim.SGD,
        optimizer_kwargs={"lr": 0.125},
    )
    trainer.save(tmp_path / "saved")
    loaded = bc.BC.load(tmp_path / "saved", demonstrations=pairs(), device="cpu")
    assert loaded._settings() == trainer._settings()
    assert same(trainer, loaded)
    assert loaded.rng.random() == trainer.rng.random()


def test_a_fresh_call_after_loading_starts_anew(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path)
    trainer.train(n_epochs=1, progress_bar=False)
    trainer.save(tmp_path / "saved")
    loaded = bc.BC.load(tmp_path / "saved", demonstrations=pairs(), device="cpu")
    batches = []
    loaded.train(n_epochs=1, progress_bar=False, on_batch_end=lambda: batches.append(1))
    trainer.train(n_epochs=1, progress_bar=False)
    assert len(batches) == 6
    assert same(trainer, loaded)


def test_batches_from_outside_cannot_be_resumed(tmp_path: pathlib.Path) -> None:
    data = pairs(32)
    batches = [{"obs": data.obs, "acts": data.acts}] * 4
    options = {"n_epochs": 2, "progress_bar": False, "checkpoint_dir": tmp_path / "c"}

    def interrupt() -> None:
        raise StopHereError

    trainer = make(tmp_path, demonstrations=batches)
    with pytest.raises(StopHereError):
        trainer.train(checkpoint_interval=1, on_epoch_end=interrupt, **options)
    with pytest.raises(ValueError, match="cannot be continued in the middle"):
        make(tmp_path, demonstrations=batches).train(resume=True, **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 16}, "saved with batch_size=32"),
        (
            {"optimizer_cls": th.optim.SGD, "optimizer_kwargs": {"lr": 1}},
            "optimizer_cls",
        ),
        ({"action_space": gym.spaces.Discrete(3)}, "size mismatch"),
    ],
)
def test_resuming_with_other_settings_is_refused(
    tmp_path: pathlib.Path, settings: dict[str, Any], message: str
) -> None:
    trainer = make(tmp_path)
    trainer.train(n_batches=3, progress_bar=False)
    trainer.save(tmp_path / "saved")
    other = make(tmp_path, **settings)
    with (
        states.unchanged(lambda bc: bc.policy.state_dict(), other),
        states.unchanged(lambda bc: bc.optimizer.state_dict(), other),
        pytest.raises(ArtifactError, match=message),
    ):
        other.load_state(tmp_path / "saved")


@pytest.mark.parametrize("part", ["policy", "."])
def test_a_damaged_checkpoint_is_refused(tmp_path: pathlib.Path, part: str) -> None:
    make(tmp_path).save(tmp_path / "saved")
    for file in (tmp_path / "saved" / part).glob("*.*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ArtifactError):
        bc.BC.load(tmp_path / "saved")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("settings"),
        lambda state: state["settings"].update(setting_of_tomorrow=1),
        lambda state: state.pop("rng"),
        lambda state: state.update(rng=3),
        lambda state: state.update(call={"unknown": 1}),
        lambda state: state.pop("torch_rng"),
    ],
)
def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: pathlib.Path, change: Callable[..., Any]
) -> None:
    make(tmp_path).save(tmp_path / "saved")
    file = tmp_path / "saved" / "state.json"
    document = json.loads(file.read_text())
    change(document["state"])
    file.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="damaged or from another version"):
        bc.BC.load(tmp_path / "saved", demonstrations=pairs(), device="cpu")


def test_resuming_with_other_data_is_refused(tmp_path: pathlib.Path) -> None:
    part = make(tmp_path)
    part.train(
        n_epochs=1, progress_bar=False, on_batch_end=lambda: part.save(tmp_path / "s")
    )
    loaded = bc.BC.load(tmp_path / "s", demonstrations=pairs(300), device="cpu")
    with pytest.raises(ValueError, match=r"over 200 samples, these data have 300"):
        loaded.train(n_epochs=1, progress_bar=False, resume=True)


def test_a_schedule_has_to_be_passed_again(tmp_path: pathlib.Path) -> None:
    make(tmp_path, lr_schedule=lambda r: r).save(tmp_path / "saved")
    with pytest.raises(ArtifactError, match="pass it to load"):
        bc.BC.load(tmp_path / "saved")


# --- validation -------------------------------------------------------------------


def test_whole_trajectories_are_held_out() -> None:
    data = [
        types.Trajectory(np.full((6, 4), i, np.float32), np.zeros(5), None, True)
        for i in range(10)
    ]
    training, held_out = split_demonstrations(data, 0.3, np.random.default_rng(0))
    assert len(held_out) == 15 and len(training) == 35
    one, other = (np.unique(np.asarray(part.obs)) for part in (training, held_out))
    assert set(one).isdisjoint(other)


def test_the_split_keeps_everything_once() -> None:
    data: Any = pairs(50)
    training, held_out = split_demonstrations(data, 0.2, np.random.default_rng(0))
    assert len(held_out) == 10
    found = np.concatenate([training.obs, held_out.obs])
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(data.obs, axis=0))


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_side_of_a_split_is_empty(fraction: Any) -> None:
    parts = split_demonstrations(pairs(5), fraction, np.random.default_rng(0))
    assert sorted(len(part) for part in parts) == [1, 4]


def test_early_stopping_ends_with_the_best_weights(tmp_path: pathlib.Path) -> None:
    """Noise in few labels is memorised soon, which held-out data show."""
    trainer = make(
        tmp_path,
        demonstrations=pairs(80, noise=2.0),
        batch_size=16,
        val_fraction=0.5,
        optimizer_kwargs={"lr": 3e-2},
    )
    measured = []
    validator = trainer._validator
    assert validator is not None

    trainer.train(
        n_epochs=200,
        progress_bar=False,
        on_epoch_end=lambda: measured.append(validator.measure(trainer.policy)),
        early_stopping=bc.EarlyStopping(patience=3),
        checkpoint_dir=tmp_path / "c",
    )
    curve = [metrics["neglogp"] for metrics in measured]
    best = int(np.argmin(curve))
    assert len(curve) == best + 1 + 3 < 200
    assert validator.measure(trainer.policy)["neglogp"] == curve[best]
    saved = policy_io.load_policy(tmp_path / "c" / "best", device="cpu")
    assert validator.measure(saved)["neglogp"] == curve[best]


def test_without_restoring_the_last_weights_stay(tmp_path: pathlib.Path) -> None:
    settings = {"demonstrations": pairs(80, noise=2.0), "val_fraction": 0.5}
    trainer = make(tmp_path, batch_size=16, optimizer_kwargs={"lr": 3e-2}, **settings)
    stopping = bc.EarlyStopping(patience=2, restore_best=False)
    trainer.train(n_epochs=100, progress_bar=False, early_stopping=stopping)
    validator = trainer._validator
    assert validator.measure(trainer.policy)["neglogp"] > validator.best_neglogp


# --- kill -9 ----------------------------------------------------------------------

PROGRAM = """
import sys
import gymnasium as gym
import numpy as np
from imitation.algorithms import bc
from imitation.data import types
from imitation.util import logger

def train(folder):
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(2000, 4)).astype(np.float32)
    acts = (obs[:, 0] > 0).astype(np.int64)
    trainer = bc.BC(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (4,), np.float32),
        action_space=gym.spaces.Discrete(2),
        rng=np.random.default_rng(1),
        demonstrations=types.TransitionsMinimal(obs, acts, np.array([{}] * 2000)),
        custom_logger=logger.configure(folder + "/log", ["csv"]),
        val_fraction=0.1,
        device="cpu",
    )
    print("started", flush=True)
    trainer.train(
        n_epochs=6,
        progress_bar=False,
        checkpoint_dir=folder + "/checkpoints",
        checkpoint_interval=20,
        resume=True,
    )
    return trainer

if __name__ == "__main__":
    train(sys.argv[1])
"""


def kill_training(folder: pathlib.Path, seconds: float) -> None:
    """Runs the program and kills it so many seconds after it started training."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def check_kills(tmp_path: pathlib.Path, kills: list[float]) -> None:
    program: dict[str, Any] = {"__name__": "program"}
    exec(PROGRAM, program)
    whole = program["train"](str(tmp_path / "whole"))
    for seconds in kills:
        kill_training(tmp_path / "killed", seconds)
        latest = tmp_path / "killed/checkpoints/latest"
        if latest.exists():
            bc.BC.load(latest)  # never corrupt
    assert same(whole, program["train"](str(tmp_path / "killed")))


def test_killed_training_ends_bit_identical(tmp_path: pathlib.Path) -> None:
    check_kills(tmp_path, [0.2])


@pytest.mark.slow
def test_training_killed_at_twenty_instants_ends_bit_identical(
    tmp_path: pathlib.Path,
) -> None:
    check_kills(tmp_path, list(np.random.default_rng(0).uniform(0, 0.4, size=20)))


# --- which call is continued ------------------------------------------------------


def test_resuming_a_call_of_another_length_is_refused(tmp_path: pathlib.Path) -> None:
    options = {"progress_bar": False, "checkpoint_dir": tmp_path / "c", "resume": True}
    make(tmp_path).train(n_epochs=1, **options)
    for length in ({"n_epochs": 2}, {"n_batches": 3}):
        with pytest.raises(ValueError, match="the checkpoint is of a call with n_ep"):
            make(tmp_path).train(**length, **options)


def test_a_second_call_interrupted_at_once_is_continued(tmp_path: pathlib.Path) -> None:
    """The checkpoint of the finished first call must not stand for the second."""

    def interrupt() -> None:
        raise StopHereError

    options = {"n_epochs": 2, "progress_bar": False, "checkpoint_dir": tmp_path / "c"}
    whole = make(tmp_path)
    for _ in range(2):
        whole.train(n_epochs=2, progress_bar=False)

    part = make(tmp_path)
    part.train(**options)
    with pytest.raises(StopHereError):
        part.train(on_batch_end=interrupt, **options)
    resumed = make(tmp_path)
    resumed.train(resume=True, **options)
    assert same(whole, resumed)


def test_a_trainer_saved_before_training_has_no_call_to_continue(
    tmp_path: pathlib.Path,
) -> None:
    make(tmp_path).save(tmp_path / "saved")
    loaded = bc.BC.load(tmp_path / "saved", demonstrations=pairs(), device="cpu")
    batches = []
    loaded.train(
        n_epochs=1,
        progress_bar=False,
        resume=True,
        on_batch_end=lambda: batches.append(1),
    )
    assert len(batches) == 6
