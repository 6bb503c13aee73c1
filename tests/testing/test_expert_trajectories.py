"""Expert trajectories for tests: generated offline, cached, in every form."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.data import serialize, types
from imitation.testing import expert_trajectories as et

ENV = "CartPole-v1"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A cache that holds two episodes."""
    path = tmp_path_factory.mktemp("cache")
    et.lazy_generate_expert_trajectories(path, ENV, 2, np.random.default_rng(0))
    return path


def _same(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


def test_generates_whole_episodes_with_rewards() -> None:
    trajectories = et.generate_expert_trajectories(
        "Pendulum-v1", 3, np.random.default_rng(0)
    )
    assert len(trajectories) == 3
    for trajectory in trajectories:
        assert isinstance(trajectory, types.TrajectoryWithRew)
        assert trajectory.obs.shape == (201, 3)
        assert trajectory.acts.shape == (200, 1)
        assert trajectory.rews.sum() > -600  # a random policy gets about -1200


def test_the_same_seed_gives_the_same_episodes() -> None:
    runs = [
        et.generate_expert_trajectories("Acrobot-v1", 1, np.random.default_rng(4))
        for _ in range(2)
    ]
    assert _same(*runs)


def test_the_cache_is_used_and_cut_to_the_number(cache: pathlib.Path) -> None:
    rng = np.random.default_rng(99)
    before = rng.bit_generator.state
    both = et.lazy_generate_expert_trajectories(cache, ENV, 2, rng)
    one = et.lazy_generate_expert_trajectories(str(cache), ENV, 1, rng)
    assert rng.bit_generator.state == before, "nothing was generated"
    assert len(both) == 2
    assert _same(one, both[:1])


def test_a_cache_with_too_few_is_filled_again(tmp_path: pathlib.Path) -> None:
    for n in (1, 2):
        got = et.lazy_generate_expert_trajectories(
            tmp_path, "Acrobot-v1", n, np.random.default_rng(0)
        )
        assert len(got) == n
    (stored,) = (p for p in tmp_path.glob("Acrobot-v1/*") if p.name == "rollouts")
    assert len(serialize.load_with_rewards(stored)) == 2


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", ["data_loader", "ducktyped_data_loader"])
def test_loaders_give_full_batches(
    cache: pathlib.Path, kind: str, shuffle: bool
) -> None:
    loader = et.make_expert_transition_loader(
        cache,
        64,
        kind,
        ENV,
        np.random.default_rng(0),
        num_trajectories=2,
        shuffle=shuffle,
    )
    assert isinstance(loader, th.utils.data.DataLoader) == (kind == "data_loader")
    batches = list(loader)
    assert len(batches) == 1000 // 64
    for batch in batches:
        assert batch["obs"].shape == (64, 4)
        assert batch["acts"].shape == (64,)
    trajectories: Any = et.lazy_generate_expert_trajectories(
        cache, ENV, 2, np.random.default_rng(0)
    )
    in_order = np.array_equal(batches[0]["obs"], trajectories[0].obs[:64])
    assert in_order != shuffle


def test_transitions_and_trajectories(cache: pathlib.Path) -> None:
    arguments = (ENV, np.random.default_rng(0), 2)
    transitions = et.make_expert_transition_loader(cache, 64, "transitions", *arguments)
    trajectories = et.make_expert_transition_loader(
        cache, 64, "trajectories", *arguments
    )
    assert isinstance(transitions, types.Transitions)
    assert len(transitions) == sum(len(t) for t in trajectories) == 1000


def test_unknown_kinds_are_refused(cache: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="Unexpected data type 'arrays'"):
        et.make_expert_transition_loader(
            cache, 64, "arrays", ENV, np.random.default_rng(0)
        )
