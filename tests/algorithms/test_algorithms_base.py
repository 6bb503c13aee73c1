import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch.utils.data as th_data

from imitation.algorithms import base
from imitation.data import types
from imitation.data.loader import BatchLoader
from imitation.errors import DataError


class Bare(base.BaseImitationAlgorithm):
    pass


def trajectory(n: int = 5, terminal: bool = True) -> types.Trajectory:
    return types.Trajectory(
        obs=np.zeros((n + 1, 2), dtype=np.float32),
        acts=np.zeros(n, dtype=np.int64),
        infos=None,
        terminal=terminal,
    )


def transitions(n: int = 20) -> types.TransitionsMinimal:
    return types.TransitionsMinimal(
        obs=np.zeros((n, 2), dtype=np.float32),
        acts=np.arange(n),
        infos=np.array([{}] * n),
    )


@pytest.mark.parametrize("calls", [[[5, 6]], [[5, 5], [6]], [[5], [], [5, 5, 7]]])
def test_different_horizons_are_an_error(calls: list[Any] | list[list[int]]) -> None:
    algorithm = Bare()
    with pytest.raises(ValueError, match="Episodes of different length detected"):
        for lengths in calls:
            algorithm._check_fixed_horizon(lengths)


def test_equal_horizons_pass() -> None:
    algorithm = Bare()
    for lengths in ([5, 5], [], [5]):
        algorithm._check_fixed_horizon(lengths)


def test_variable_horizons_can_be_allowed() -> None:
    algorithm = Bare(allow_variable_horizon=True)
    algorithm._check_fixed_horizon([5, 6])


def test_pickling_drops_the_logger() -> None:
    algorithm = Bare()
    algorithm._check_fixed_horizon([5])
    again = pickle.loads(pickle.dumps(algorithm))
    assert again.logger is not algorithm.logger
    assert again._horizon == 5


def test_loader_of_each_kind_of_demonstrations() -> None:
    flat = base.make_data_loader([trajectory(), trajectory(7)], 4)
    assert isinstance(flat, BatchLoader) and len(flat) == 3
    assert len(list(base.make_data_loader(transitions(), 4))) == 5
    source = th_data.DataLoader(
        transitions(), 4, collate_fn=types.transitions_collate_fn
    )
    assert len(list(base.make_data_loader(source, 4))) == 5


def test_torch_options_build_torchs_loader() -> None:
    loader = base.make_data_loader(
        transitions(), 4, {"shuffle": False, "num_workers": 0}
    )
    assert isinstance(loader, th_data.DataLoader)
    assert [batch["acts"][0].item() for batch in loader] == [0, 4, 8, 12, 16]


def batch(n_obs: int = 4, n_acts: int = 4) -> dict[str, Any]:
    return {"obs": np.zeros((n_obs, 2)), "acts": np.zeros(n_acts)}


@pytest.mark.parametrize(
    ("data", "size", "error", "message"),
    [
        (transitions(), 0, ValueError, "batch_size=0 must be positive"),
        (transitions(), 21, ValueError, "smaller than batch size"),
        ([trajectory(5)], 6, ValueError, "smaller than batch size"),
        ([], 4, ValueError, "had no elements"),
        (iter([]), 4, ValueError, "had no elements"),
        (3, 4, TypeError, "`demonstrations` must be"),
        (["a"], 4, TypeError, "list of str"),
        ("expert.npz", 4, TypeError, "str"),
        ([batch(), batch(3, 3)], 4, ValueError, "Expected batch size 4"),
        ([batch(4, 3)], 4, ValueError, r"len\(batch\['acts'\]\)"),
        ([batch(5, 5)], 4, ValueError, "Expected batch size 4"),
    ],
)
def test_bad_demonstrations(data: Any, size: int, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        list(base.make_data_loader(data, size))


BOX = gym.spaces.Box(-1, 1, (2,), np.float32)
IMAGE = gym.spaces.Box(0, 255, (4, 5, 3), np.uint8)


def pairs(obs: Any, acts: Any) -> types.TransitionsMinimal:
    return types.TransitionsMinimal(obs, acts, np.array([{}] * len(acts)))


def ok_acts(n: int = 3) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


@pytest.mark.parametrize(
    ("obs", "acts", "observation_space", "action_space", "message"),
    [
        (
            np.zeros((3, 3)),
            ok_acts(),
            BOX,
            gym.spaces.Discrete(2),
            r"obs of shape \(3,",
        ),
        (np.zeros((3,)), ok_acts(), BOX, gym.spaces.Discrete(2), r"obs of shape \(\)"),
        (np.zeros((3, 2)), np.zeros((3, 1)), BOX, BOX, r"acts of shape \(1,\)"),
        (np.zeros((3, 2)), ok_acts() + 2, BOX, gym.spaces.Discrete(2), "from 2 to 2"),
        (np.zeros((3, 2)), ok_acts() - 1, BOX, gym.spaces.Discrete(2), "from -1 to -1"),
        (
            np.array([[0, 0], [np.nan, 0], [0, 0]]),
            ok_acts(),
            BOX,
            gym.spaces.Discrete(2),
            "NaN or infinite obs at transition 1",
        ),
        (
            np.zeros((3, 2)),
            np.array([[0, 0], [0, 0], [np.inf, 0]]),
            BOX,
            BOX,
            "NaN or infinite acts at transition 2",
        ),
        (
            np.zeros((3, 3, 4, 5), dtype=np.uint8),
            ok_acts(),
            IMAGE,
            gym.spaces.Discrete(2),
            "axes of an image",
        ),
        (
            types.DictObs({"a": np.zeros((3, 2))}),
            ok_acts(),
            BOX,
            gym.spaces.Discrete(2),
            "dictionary observations",
        ),
        (
            np.zeros((3, 2)),
            ok_acts(),
            gym.spaces.Dict({"a": BOX}),
            gym.spaces.Discrete(2),
            "array observations",
        ),
        (
            types.DictObs({"b": np.zeros((3, 2))}),
            ok_acts(),
            gym.spaces.Dict({"a": BOX}),
            gym.spaces.Discrete(2),
            r"keys \['b'\]",
        ),
        (
            types.DictObs({"a": np.zeros((3, 7))}),
            ok_acts(),
            gym.spaces.Dict({"a": BOX}),
            gym.spaces.Discrete(2),
            r"obs\['a'\] of shape \(7,\)",
        ),
    ],
)
def test_demonstrations_that_do_not_fit(
    obs: Any, acts: Any, observation_space: Any, action_space: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message) as info:
        base.check_demonstrations(pairs(obs, acts), observation_space, action_space)
    assert "\n" not in str(info.value)


def test_demonstrations_that_fit() -> None:
    base.check_demonstrations(
        pairs(np.zeros((3, 2)), ok_acts()), BOX, gym.spaces.Discrete(2)
    )
    base.check_demonstrations(
        pairs(np.zeros((3, 2)), ok_acts() - 1), BOX, gym.spaces.Discrete(2, start=-1)
    )


ACTIONS = [
    (gym.spaces.Discrete(3), [0, 3], "from 0 to 3"),
    (gym.spaces.Discrete(3), [0.0, 0.5], "not integers"),
    (gym.spaces.MultiDiscrete([2, 3]), [[0, 2], [2, 0]], "from 0 to 2"),
    (gym.spaces.MultiDiscrete([2, 3]), [[0, 0.5], [0, 0]], "not integers"),
    (gym.spaces.MultiBinary(2), [[0, 1], [-1, 0]], "from -1 to 1"),
    (gym.spaces.Box(0, 255, (1,), np.uint8), [[0.0], [0.5]], "were they scaled"),
    (gym.spaces.Box(-1, 1, (1,)), [[0j], [1j]], "complex"),
]


@pytest.mark.parametrize(("space", "acts", "message"), ACTIONS)
def test_actions_outside_their_space_are_refused(
    space: Any, acts: Any, message: Any
) -> None:
    data = types.TransitionsMinimal(
        np.zeros((2, 2)), np.array(acts), np.array([{}, {}])
    )
    with pytest.raises(DataError, match=message):
        base.check_demonstrations(data, gym.spaces.Box(-1, 1, (2,)), space)


def test_whole_numbers_in_floats_are_discrete_actions() -> None:
    data = types.TransitionsMinimal(
        np.zeros((2, 2)), np.array([0.0, 2.0]), np.array([{}, {}])
    )
    spaces = gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(3)
    base.check_demonstrations(data, *spaces)


@pytest.mark.parametrize("missing", ["obs", "acts"])
def test_batches_need_observations_and_actions(missing: str) -> None:
    rows: Any = batch()
    del rows[missing]
    with pytest.raises(DataError, match="the keys 'obs' and 'acts'"):
        list(base.make_data_loader([rows], 4))
