"""The protocol of trainers: asking changes nothing, loading is all or nothing."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th
from typing_extensions import override

from imitation.errors import ArtifactError
from imitation.training.trainer import State, Trainer
from reference import states


class Regression(Trainer):
    """Fits a line, one step at a time."""

    kind = "regression"

    def __init__(self, width: int = 1, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = th.nn.Linear(width, 1)
        self.optimizer = th.optim.Adam(self.net.parameters(), lr=0.1)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            x = th.as_tensor(self.rng.normal(size=(8, 1)), dtype=th.float32)
            self.optimizer.zero_grad()
            (self.net(x) - 3 * x).square().mean().backward()
            self.optimizer.step()
            self.progress += 1

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])

    @override
    def export(self, directory: pathlib.Path) -> None:
        (directory / "weight.txt").write_text(str(self.net.weight.item()))


class Player(Regression):
    """One that acts in environments, which are a list of seeds here."""

    kind = "player"

    def __init__(self, width: int = 1, seed: int = 0) -> None:
        super().__init__(width, seed)
        self.seeds: list[int] = []

    @override
    def restart_episodes(self, seed: int) -> None:
        self.seeds.append(seed)


def trained(cls: type[Regression], steps: int, seed: int = 0) -> Regression:
    th.manual_seed(seed)
    trainer = cls(seed=seed)
    trainer.train(steps)
    return trainer


@pytest.mark.parametrize("cls", [Regression, Player])
def test_asking_for_the_state_changes_nothing(cls: type[Regression]) -> None:
    trainer = trained(cls, 3)
    with states.unchanged(Trainer.state_dict, trainer):
        trainer.state_dict()
    twin = trained(cls, 3)
    trainer.train(2)
    twin.train(2)
    states.assert_same(trainer.state_dict(), twin.state_dict())


def test_resumed_is_bit_identical(tmp_path: pathlib.Path) -> None:
    whole = trained(Regression, 7)
    trained(Regression, 3).save(tmp_path / "s")
    resumed = Regression(seed=5)
    resumed.load_state(tmp_path / "s")
    assert resumed.progress == 3
    resumed.train(4)
    assert resumed.progress == whole.progress
    states.assert_same(whole.net.state_dict(), resumed.net.state_dict())
    assert whole.rng.random() == resumed.rng.random()


def test_only_a_trainer_with_environments_draws_a_seed(tmp_path: pathlib.Path) -> None:
    trainer, unsaved = trained(Regression, 1), trained(Regression, 1)
    trainer.save(tmp_path / "s")
    states.assert_same(trainer.state_dict(), unsaved.state_dict())


def test_saved_and_loaded_start_the_same_episodes(tmp_path: pathlib.Path) -> None:
    saved = trained(Player, 2)
    assert isinstance(saved, Player)
    saved.save(tmp_path / "s")
    loaded = Player(seed=9)
    loaded.load_state(tmp_path / "s")
    assert loaded.seeds == saved.seeds and len(saved.seeds) == 1
    assert loaded.rng.random() == saved.rng.random()


def test_loading_a_state_dict_touches_no_environment() -> None:
    loaded = Player()
    loaded.load_state_dict(trained(Player, 2).state_dict())
    assert loaded.seeds == []


def test_a_state_is_shared_by_nobody() -> None:
    one, other = trained(Regression, 3), Regression(seed=1)
    other.load_state_dict(one.state_dict())
    with states.unchanged(Trainer.state_dict, one):
        other.train(2)


def damaged(part: str, value: object) -> State:
    return trained(Regression, 2).state_dict() | {part: value}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (damaged("net", {}), "does not fit this trainer.*Missing key"),
        (damaged("net", None), "does not fit"),
        (damaged("optimizer", {"state": {}}), "does not fit.*param_groups"),
        (damaged("rng", {"bit_generator": "MT19937"}), "random state is of MT19937"),
        (damaged("progress", "x"), "invalid literal"),
        (damaged("kinds", None), "has the trainer None, this trainer has Regression"),
        (trained(Player, 1).state_dict(), "has the trainer Player"),
        ({}, "has the trainer None"),
    ],
)
def test_what_does_not_fit_changes_nothing(state: State, message: str) -> None:
    trainer = trained(Regression, 3, seed=1)
    with (
        states.unchanged(Trainer.state_dict, trainer),
        pytest.raises(ArtifactError, match=message) as caught,
    ):
        trainer.load_state_dict(state)
    assert "\n" not in str(caught.value)


def test_a_failed_load_restarts_no_episode(tmp_path: pathlib.Path) -> None:
    Player(width=2).save(tmp_path / "s")
    trainer = trained(Player, 1)
    assert isinstance(trainer, Player)
    with pytest.raises(ArtifactError, match=r"s: the state does not fit .*size mism"):
        trainer.load_state(tmp_path / "s")
    assert trainer.seeds == []


@pytest.mark.parametrize("seed", [None, "x", 1.5])
def test_a_state_without_a_seed_is_refused(
    tmp_path: pathlib.Path, seed: object
) -> None:
    trainer = trained(Player, 1)
    trainer.save(tmp_path / "s")
    states.damage(tmp_path / "s", ("env_seed",), seed)
    with (
        states.unchanged(Trainer.state_dict, trainer),
        pytest.raises(ArtifactError, match="expected an integer as env_seed"),
    ):
        trainer.load_state(tmp_path / "s")


def test_another_kind_of_state_is_refused(tmp_path: pathlib.Path) -> None:
    trained(Regression, 1).save(tmp_path / "s")
    with pytest.raises(ArtifactError, match="of 'regression', expected one of 'pl"):
        Player().load_state(tmp_path / "s")


def test_a_trainer_without_export_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotImplementedError, match=r"override its export\(\)"):
        Trainer().export(tmp_path)
