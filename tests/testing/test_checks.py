"""Checks of trainers pass where the contract is kept and name what is broken."""

import pathlib

import numpy as np
import pytest
import torch as th
from typing_extensions import override

from imitation.testing.checks import check_algorithm
from imitation.training.trainer import State, Trainer


class Walk(Trainer):
    """A random walk, which is a trainer of few lines."""

    kind = "walk"

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.position = th.zeros(2)

    def train(self) -> None:
        self.position += th.as_tensor(self.rng.normal(size=2))
        self.progress += 1

    @override
    def state_dict(self) -> State:
        return {**super().state_dict(), "position": self.position}

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.position = state["position"].clone()

    @override
    def export(self, directory: pathlib.Path) -> None:
        (directory / "position.txt").write_text(str(self.position))


class Restless(Walk):
    @override
    def state_dict(self) -> State:
        self.rng.random()
        return super().state_dict()


class Forgetful(Walk):
    @override
    def restore(self, state: State) -> None:
        position = self.position
        super().restore(state)
        self.position = position


class Tolerant(Walk):
    @override
    def kinds(self) -> dict[str, str]:
        return {}

    @override
    def restore(self, state: State) -> None:
        if "rng" in state:
            super().restore(state)


class Unexported(Walk):
    @override
    def export(self, directory: pathlib.Path) -> None:
        pass


class Idle(Walk):
    @override
    def train(self) -> None:
        pass


def test_trainer_that_keeps_the_contract(tmp_path: pathlib.Path) -> None:
    check_algorithm(Walk, Walk.train, tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Restless, "changed the state"),
        (Forgetful, "loaded another state"),
        (Tolerant, "loaded a state of only"),
        (Unexported, "wrote nothing"),
        (Idle, "training changed nothing"),
    ],
)
def test_trainer_that_breaks_it(
    broken: type[Walk], message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_algorithm(broken, lambda trainer: trainer.train(), tmp_path)
