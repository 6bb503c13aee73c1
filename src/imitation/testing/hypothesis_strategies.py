"""Hypothesis strategies that generate trajectories for tests.

Needs the ``hypothesis`` package. ``trajectory`` gives one trajectory; the lists give
several that share their spaces, as those of one environment do.
"""

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

from imitation.data import types
from imitation.data.record import as_infos
from imitation.util.spaces import Info, Space

Strategy = st.SearchStrategy

# Spaces that every part of the data layer supports.
gym_spaces: Strategy[Space] = st.sampled_from(
    [
        gym.spaces.Discrete(3),
        gym.spaces.MultiDiscrete([3, 4]),
        gym.spaces.Box(-1, 1, shape=(1,)),
        gym.spaces.Box(-1, 1, shape=(2,)),
        gym.spaces.Box(-np.inf, np.inf, shape=(2,)),
    ]
)

# Contents of an info dictionary; all plain JSON, infinite floats aside.
info_dict_contents: Strategy[Info] = st.dictionaries(
    keys=st.text(),
    values=st.one_of(
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.lists(st.floats(allow_nan=False)),
    ),
)

# The number of actions of a trajectory.
trajectory_length: Strategy[int] = st.integers(min_value=1, max_value=10)


def _samples(space: Space, n: int, seed: int) -> np.ndarray:
    # A space that sampled_from returns is shared by all examples: seed it every time,
    # so that an example depends only on what Hypothesis drew.
    space.seed(seed)
    return np.array([space.sample() for _ in range(n)])


@st.composite
def _trajectories(
    draw: st.DrawFn,
    obs_spaces: Strategy[Space],
    act_spaces: Strategy[Space],
    with_reward: bool,
) -> types.Trajectory:
    length = draw(trajectory_length)
    seed = draw(st.integers(min_value=0, max_value=2**31 - 1))
    info = draw(info_dict_contents)
    obs = _samples(draw(obs_spaces), length + 1, seed)
    acts = _samples(draw(act_spaces), length, seed)
    infos = as_infos([dict(info) for _ in range(length)])
    terminal = draw(st.booleans())
    if not with_reward:
        return types.Trajectory(obs=obs, acts=acts, infos=infos, terminal=terminal)
    reward = st.floats(min_value=-100, max_value=100)
    rews = np.array(draw(st.lists(reward, min_size=length, max_size=length)))
    return types.TrajectoryWithRew(
        obs=obs, acts=acts, infos=infos, terminal=terminal, rews=rews
    )


_shared_obs_space = st.shared(gym_spaces, key="obs_space")
_shared_act_space = st.shared(gym_spaces, key="act_space")

# One trajectory, with or without rewards.
trajectory: Strategy[types.Trajectory] = st.one_of(
    _trajectories(gym_spaces, gym_spaces, False),
    _trajectories(gym_spaces, gym_spaces, True),
)

# Trajectories without rewards that share their spaces.
trajectories_without_reward_list: Strategy[list[types.Trajectory]] = st.lists(
    _trajectories(_shared_obs_space, _shared_act_space, False), min_size=1, max_size=10
)

# Trajectories with rewards that share their spaces.
trajectories_with_reward_list: Strategy[list[types.Trajectory]] = st.lists(
    _trajectories(_shared_obs_space, _shared_act_space, True), min_size=1, max_size=10
)

# Trajectories that share their spaces and all have rewards, or all have none.
trajectories_list: Strategy[list[types.Trajectory]] = st.one_of(
    trajectories_without_reward_list, trajectories_with_reward_list
)
