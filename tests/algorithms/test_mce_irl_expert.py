"""The planned expert acts on what environments show."""

from typing import Any

import numpy as np
import pytest

from imitation.algorithms.mce_irl import TabularPolicy, mce_partition_fh
from imitation.algorithms.mce_irl.policy import ObservingPolicy, soft_optimal_expert
from imitation.data import rollout
from imitation.envs.tabular import TabularEnv
from imitation.errors import ConfigError, DataError
from imitation.policies.serialize import load_policy
from imitation.scripts.ingredients import expert as expert_ingredient
from imitation.util.util import make_vec_env

CLIFF = {"horizon": 12}


def cliff_venv(name: str = "seals/CliffWorld7x4XY-v0") -> Any:
    rng = np.random.default_rng(0)
    venv = make_vec_env(name, rng=rng, n_envs=3, env_make_kwargs=CLIFF)
    venv.action_space.seed(1)
    return venv


def test_it_acts_on_observations_as_the_planned_policy_on_states() -> None:
    venv = cliff_venv()
    world = venv.get_attr("unwrapped")[0]
    acting = soft_optimal_expert(venv)
    assert acting.observation_space == venv.observation_space
    pi = mce_partition_fh(world)[2]
    np.testing.assert_array_equal(acting.policy.pi, pi)
    state = None
    for time in range(3):
        acts, state = acting.predict(world.observation_matrix, state, None, True)
        np.testing.assert_array_equal(acts, pi[time].argmax(axis=1))
    starts = np.arange(28) % 2 == 0
    acts, _ = acting.predict(world.observation_matrix, state, starts, True)
    expected = np.where(starts, pi[0].argmax(axis=1), pi[3].argmax(axis=1))
    np.testing.assert_array_equal(acts, expected)


@pytest.mark.parametrize("name", ["seals/CliffWorld7x4XY-v0", "seals/CliffWorld7x4-v0"])
def test_the_same_seed_gives_the_same_episodes_in_any_observation(name: str) -> None:
    assert expert_ingredient  # registers the type
    returns = []
    for used in ("seals/CliffWorld7x4XY-v0", name):
        venv = cliff_venv(used)
        found = rollout.generate_trajectories(
            load_policy("soft-optimal", venv),
            venv,
            rollout.make_min_episodes(3),
            np.random.default_rng(0),
        )
        returns.append([t.rews.tolist() for t in found])
    assert returns[0] == returns[1]


def test_discount_reaches_the_plan() -> None:
    venv = cliff_venv()
    world = venv.get_attr("unwrapped")[0]
    near = soft_optimal_expert(venv, discount=0.5).policy.pi
    np.testing.assert_array_equal(near, mce_partition_fh(world, discount=0.5)[2])


def test_states_themselves_can_be_observed() -> None:
    env = TabularEnv(
        transition_matrix=np.eye(3)[:, None].repeat(2, axis=1),
        reward_matrix=np.zeros(3),
        horizon=2,
    )
    pi = np.full((2, 3, 2), 0.5)
    pi[0, 1] = 0, 1
    tabular = TabularPolicy(env.state_space, env.action_space, pi)
    acting = ObservingPolicy(tabular, env.observation_space)
    assert acting.predict(np.array([1]), deterministic=True)[0].tolist() == [1]
    with pytest.raises(DataError, match="states go from 3 to 3"):
        acting.predict(np.array([3]))
    with pytest.raises(NotImplementedError, match=r"call predict\(\)"):
        acting(np.array([1]))


def test_it_needs_known_dynamics() -> None:
    venv = make_vec_env("Pendulum-v1", rng=np.random.default_rng(0), n_envs=1)
    with pytest.raises(ConfigError, match="PendulumEnv has none; seals/CliffWorld"):
        soft_optimal_expert(venv)
