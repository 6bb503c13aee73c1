"""How long do preferences take: to add, to save and load, to train a reward on?

500 pairs of fragments of 50 steps, as Christiano et al. (2017) have them in number.
Trained are three epochs in batches of 32, by one call of `BasicRewardTrainer.train`
that begins with a data set that was not seen before. Added are 5,000 pairs, 100 at a
time, as many rounds of gathering would: the release keeps references to them and sorts
the steps out in every batch of every epoch, here they are copied into arrays once. The
release saves by pickle.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Case, Workload, main, same

if TYPE_CHECKING:
    import gymnasium as gym

    from imitation.algorithms.preference_comparisons import (
        PreferenceDataset,
        RewardTrainer,
    )
    from imitation.data.types import TrajectoryWithRewPair

N_PAIRS = 500
N_STEPS = 50
N_EPOCHS = 3
N_MEMBERS = 3
PUSHED = 5_000
PUSH_SIZE = 100
SHAPES = {"vectors of 4": (4,), "vectors of 27": (27,)}
"""Observations, of the sizes of CartPole and Ant."""


def make_pairs(n_pairs: int, width: int) -> list[TrajectoryWithRewPair]:
    """Pairs of random fragments."""
    import numpy as np

    from imitation.data.types import TrajectoryWithRew

    rng = np.random.default_rng(0)

    def fragment() -> TrajectoryWithRew:
        return TrajectoryWithRew(
            obs=rng.normal(size=(N_STEPS + 1, width)).astype(np.float32),
            acts=rng.uniform(-1, 1, size=(N_STEPS, 2)).astype(np.float32),
            rews=rng.normal(size=N_STEPS),
            infos=None,
            terminal=False,
        )

    return [(fragment(), fragment()) for _ in range(n_pairs)]


def make_dataset(width: int) -> PreferenceDataset:
    """500 pairs with preferences."""
    import numpy as np

    from imitation.algorithms.preference_comparisons import PreferenceDataset

    dataset = PreferenceDataset()
    given = np.random.default_rng(1).integers(2, size=N_PAIRS).astype(np.float32)
    dataset.push(make_pairs(N_PAIRS, width), given)
    return dataset


def spaces(width: int) -> tuple[gym.Space, gym.Space]:
    """Those of the fragments."""
    import gymnasium as gym
    import numpy as np

    return (
        gym.spaces.Box(-np.inf, np.inf, (width,), np.float32),
        gym.spaces.Box(-1, 1, (2,), np.float32),
    )


def make_trainer(width: int, n_members: int) -> RewardTrainer:
    """A network with normalized inputs, or an ensemble of them."""
    import numpy as np

    from imitation.algorithms.preference_comparisons import (
        BasicRewardTrainer,
        CrossEntropyRewardLoss,
        EnsembleTrainer,
        PreferenceModel,
    )
    from imitation.rewards.reward_nets import BasicRewardNet, RewardEnsemble
    from imitation.util.networks import RunningNorm

    def net() -> BasicRewardNet:
        return BasicRewardNet(*spaces(width), normalize_input_layer=RunningNorm)

    rng = np.random.default_rng(0)
    options = {"rng": rng, "batch_size": 32, "epochs": N_EPOCHS}
    loss = CrossEntropyRewardLoss()
    if n_members == 1:
        return BasicRewardTrainer(PreferenceModel(net()), loss, **options)
    ensemble = RewardEnsemble(*spaces(width), [net() for _ in range(n_members)])
    return EnsembleTrainer(PreferenceModel(ensemble), loss, **options)


def training(width: int, n_members: int = 1) -> Workload:
    """`RewardTrainer.train`."""
    trainer, dataset = make_trainer(width, n_members), make_dataset(width)
    return lambda: trainer.train(dataset)


def pushing() -> Workload:
    """`PreferenceDataset.push`, again and again."""
    import numpy as np

    from imitation.algorithms.preference_comparisons import PreferenceDataset

    pairs = make_pairs(PUSHED, 4)
    given = np.full(PUSH_SIZE, 1, dtype=np.float32)

    def work() -> None:
        dataset = PreferenceDataset()
        for start in range(0, PUSHED, PUSH_SIZE):
            dataset.push(pairs[start : start + PUSH_SIZE], given)

    return work


def saving() -> Workload:
    """`PreferenceDataset.save` and `load`; checked: equal preferences."""
    import numpy as np

    from imitation.algorithms.preference_comparisons import PreferenceDataset

    dataset = make_dataset(4)
    directory = Path(tempfile.mkdtemp())
    path = directory / "preferences"

    def work() -> object:
        dataset.save(path)
        try:
            loaded = PreferenceDataset.load(path)
        finally:
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
        return lambda: bool(np.array_equal(loaded.preferences, dataset.preferences))

    return work


CASES = [
    *(
        Case(
            name=f"reward training, {N_PAIRS} pairs of {N_STEPS} steps, "
            f"observations {name}",
            setups=same(partial(training, width)),
            units=N_EPOCHS,
            unit="epoch",
            target=8.0,
        )
        for name, (width,) in SHAPES.items()
    ),
    Case(
        name=f"reward training of an ensemble of {N_MEMBERS}, {N_PAIRS} pairs of "
        f"{N_STEPS} steps",
        setups=same(partial(training, 4, N_MEMBERS)),
        units=N_EPOCHS,
        unit="epoch",
    ),
    Case(
        name=f"adding {PUSHED:,} pairs to the data set, {PUSH_SIZE} at a time",
        setups=same(pushing),
        units=PUSHED,
        unit="pair",
    ),
    Case(
        name=f"saving and loading {N_PAIRS} pairs of {N_STEPS} steps",
        setups=same(saving),
        units=N_PAIRS,
        unit="pair",
    ),
]

if __name__ == "__main__":
    main("How long do preferences take?", CASES, repeats=9)
