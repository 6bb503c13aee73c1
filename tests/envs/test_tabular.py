"""Tabular environments: every layout of arrays, malformed ones, episodes, files."""

import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium.utils.env_checker import check_env
from scipy import sparse as sp
from seals.diagnostics.cliff_world import CliffWorldEnv

from imitation.envs.tabular import (
    ExposeState,
    TabularEnv,
    load_mdp,
    random_mdp,
    save_mdp,
)
from imitation.envs.tabular.dynamics import Dynamics
from imitation.envs.tabular.layouts import as_rows
from imitation.errors import ArtifactError, ConfigError, DataError
from reference.mce_irl import small_env

S, A = 3, 2
T = np.array([[[1, 0, 0], [0.5, 0.5, 0]], [[0, 0, 1], [0, 1, 0]], [[0, 0, 1]] * 2])
ROWS = T.reshape(S * A, S)
R = np.arange(3.0)

LAYOUTS = {
    "array": T,
    "nested list of arrays": [T[:, a] for a in range(A)],
    "csr": sp.csr_array(ROWS),
    "coo matrix": sp.coo_matrix(ROWS),
    "three-dimensional": sp.coo_array(T),
    "one sparse matrix per action": [sp.csc_matrix(T[:, a]) for a in range(A)],
    "torch": th.as_tensor(T),
    "torch sparse": th.as_tensor(T).to_sparse(),
    "torch sparse rows": th.as_tensor(ROWS).to_sparse(),
    "float32": T.astype(np.float32),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sparse", [None, True, False])
def test_every_layout_gives_the_same_rows(layout: str, sparse: Any) -> None:
    rows = as_rows(LAYOUTS[layout], "matrix", sparse)
    if sparse is not None:
        assert sp.issparse(rows) == sparse
    rows = rows.toarray() if not isinstance(rows, np.ndarray) else rows
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, T.transpose(1, 0, 2).reshape(A * S, S))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_compressed_tensors() -> None:
    rows = as_rows(th.as_tensor(ROWS).to_sparse_csr(), "matrix", False)
    np.testing.assert_array_equal(rows, as_rows(T, "matrix", False))


def test_mostly_zero_arrays_become_sparse() -> None:
    assert sp.issparse(Dynamics(np.eye(6)[:, None].repeat(2, axis=1)).rows)
    assert isinstance(Dynamics(np.full((6, 2, 6), 1 / 6)).rows, np.ndarray)


def test_dense_rows_begin_with_a_cache_line() -> None:
    """However many numbers there are, in whatever place memory has for them."""
    kept = [as_rows(np.full((n, 2, n), 1 / n), "matrix", False) for n in range(1, 20)]
    assert {rows.ctypes.data % 64 for rows in kept} == {0}


@pytest.mark.parametrize("name", ["array", "csr"])
def test_dynamics_are_sums_over_next_states(name: str) -> None:
    dynamics = Dynamics(LAYOUTS[name])
    rng = np.random.default_rng(0)
    values, joint = rng.normal(size=S), rng.random((A, S))
    means, visits = np.empty((A, S)), np.empty(S)
    dynamics.expected(values, out=means)
    np.testing.assert_allclose(means, np.einsum("saz,z->as", T, values))
    dynamics.next_states(joint, out=visits)
    np.testing.assert_allclose(visits, np.einsum("saz,as->z", T, joint))
    states, probabilities = dynamics.successors(0, 1)
    assert dict(zip(states, probabilities, strict=True)) == {0: 0.5, 1: 0.5}


def made(**changed: Any) -> TabularEnv:
    arrays: dict[str, Any] = {
        "transition_matrix": T,
        "reward_matrix": R,
        "horizon": 4,
    }
    return TabularEnv(**(arrays | changed))


def changed(value: float, at: Any = (1, 0, 2)) -> Any:
    array = T.copy()
    array[at] = value
    return array


MALFORMED = [
    ("horizon", None, "Only finite-horizon environments are supported"),
    ("horizon", np.inf, "Only finite-horizon"),
    ("horizon", 0, "Only finite-horizon"),
    ("transition_matrix", changed(0.9), "after state 1, action 0 sum to 0.9"),
    ("transition_matrix", sp.csr_array(changed(0.9).reshape(6, 3)), "sum to 0.9"),
    ("transition_matrix", changed(-0.5), "negative probability -0.5 of state 2 after"),
    ("transition_matrix", sp.csr_array(changed(-1).reshape(6, 3)), "state 1, action 0"),
    ("transition_matrix", changed(np.nan), "sum to nan"),
    ("transition_matrix", T[:, 0], "shape (3, 3), expected"),
    ("transition_matrix", T[:2], "shape (2, 2, 3), expected"),
    ("transition_matrix", sp.csr_array(ROWS[:4]), "shape (4, 3), expected"),
    ("transition_matrix", [T[:, 0], T[0]], "one square matrix per action"),
    ("transition_matrix", [], "an empty list"),
    ("transition_matrix", T.astype(complex), "complex128, expected real numbers"),
    ("reward_matrix", R[:2], "reward_matrix has shape (2,), expected (3,), (3, 2)"),
    ("reward_matrix", np.zeros((3, 3)), "shape (3, 3)"),
    ("reward_matrix", np.zeros((2, 2, 2)), "2 states and 2 actions"),
    ("reward_matrix", [0.0, np.nan, 0.0], "one square matrix per action"),
    ("reward_matrix", np.array([0, np.nan, 0]), "NaN or infinite reward in state 1"),
    ("reward_matrix", np.array([0, 0, -np.inf]), "NaN or infinite reward in state 2"),
    ("reward_matrix", np.array(["a", "b", "c"]), "<U1, expected real numbers"),
    ("reward_matrix", R.astype(complex), "complex128, expected real numbers"),
    ("observation_matrix", np.array([["a"], ["b"], ["c"]]), "expected real numbers"),
    ("observation_matrix", np.zeros((2, 5)), "shape (2, 5), expected (3, n_features)"),
    ("observation_matrix", np.full((3, 1), np.nan), "NaN"),
    ("initial_state_dist", np.array(["a", "b", "c"]), "expected real numbers"),
    ("initial_state_dist", np.ones(3), "sum to 3"),
    ("initial_state_dist", np.ones(2) / 2, "shape (2,), expected (3,)"),
    ("initial_state_dist", np.array([2.0, -1.0, 0.0]), "from -1"),
]


@pytest.mark.parametrize(("name", "value", "message"), MALFORMED)
def test_malformed_arrays(name: str, value: Any, message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as caught:
        made(**{name: value})
    assert isinstance(caught.value, ValueError)
    assert message in str(caught.value) and "\n" not in str(caught.value)


REWARDS: dict[str, Any] = {
    "states": R,
    "states and actions": np.arange(6.0).reshape(S, A),
    "transitions": np.arange(18.0).reshape(S, A, S),
    "sparse transitions": sp.csr_array(np.arange(18.0).reshape(S * A, S)),
    "list": [np.arange(18.0).reshape(S, A, S)[:, a] for a in range(A)],
}


@pytest.mark.parametrize("kind", REWARDS)
@pytest.mark.parametrize("observed", [True, False])
def test_episodes_follow_the_arrays(kind: str, observed: bool) -> None:
    observations = np.random.default_rng(0).normal(size=(S, 2)).astype(np.float32)
    env = made(
        transition_matrix=LAYOUTS["csr"] if "sparse" in kind else T,
        reward_matrix=REWARDS[kind],
        observation_matrix=observations if observed else None,
        initial_state_dist=np.array([0.5, 0.5, 0.0]),
    )
    seen = set()
    obs, _ = env.reset(seed=0)
    for episode in range(20):
        for step in range(4):
            state, action = int(env.state), (episode + step) % A
            expected_obs = observations[state] if observed else state
            np.testing.assert_array_equal(obs, expected_obs)
            assert obs in env.observation_space
            obs, reward, terminated, truncated, infos = env.step(action)
            assert (terminated, truncated) == (step == 3, False)
            assert infos == {"old_state": state, "new_state": env.state}
            assert T[state, action, env.state] > 0
            index = (state, action, int(env.state))
            if kind in ("states", "states and actions"):
                assert reward == REWARDS[kind][index[: REWARDS[kind].ndim]]
            else:
                assert reward == np.arange(18.0).reshape(S, A, S)[index]
            seen.add(index)
        obs, _ = env.reset()
    assert {(0, 1, 0), (0, 1, 1)} <= seen


def test_gymnasium_takes_it_for_an_environment() -> None:
    check_env(small_env(), skip_render_check=True)


def test_the_same_seed_gives_the_same_episode() -> None:
    env = small_env()

    def states() -> list[int]:
        env.reset(seed=3)
        return [int(env.step(0)[0]) for _ in range(3)]

    assert states() == states()


def test_misuse() -> None:
    env = made()
    with pytest.raises(ConfigError, match="before reset"):
        env.step(0)
    env.reset()
    with pytest.raises(ConfigError, match="not in Discrete"):
        env.step(A)
    with pytest.raises(ConfigError, match="no options"):
        env.reset(options={"a": 1})
    with pytest.raises(TypeError, match="has no states"):
        ExposeState(gym.make("CartPole-v1"))


@pytest.mark.parametrize("kind", ["ours", "seals"])
def test_states_are_exposed(kind: str) -> None:
    cliff: dict[str, Any] = {"height": 3, "width": 4, "horizon": 5, "use_xy_obs": True}
    inner = small_env(observed=True) if kind == "ours" else CliffWorldEnv(**cliff)
    env = ExposeState(inner)
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        assert obs == inner.state and obs in env.observation_space
        obs, *_ = env.step(1)


@pytest.mark.parametrize("env", [small_env(observed=True), random_mdp(7, 2, horizon=3)])
def test_files_keep_everything(env: TabularEnv, tmp_path: pathlib.Path) -> None:
    save_mdp(tmp_path / "mdp.npz", env)
    loaded = load_mdp(tmp_path / "mdp.npz")
    for name in ("reward_matrix", "initial_state_dist", "observation_matrix"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(env, name))
    assert loaded.horizon == env.horizon
    difference = loaded.dynamics.rows - env.dynamics.rows
    assert abs(difference).max() == 0
    assert sp.issparse(loaded.dynamics.rows) == sp.issparse(env.dynamics.rows)


def test_malformed_files(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mdp.npz"
    good: dict[str, Any] = {"transition_matrix": T, "reward_matrix": R, "horizon": 4}
    with pytest.raises(ArtifactError, match="cannot read"):
        load_mdp(path)
    path.write_bytes(b"PK no zip")
    with pytest.raises(ArtifactError, match="cannot read"):
        load_mdp(path)
    np.savez(path, **(good | {"horizon": np.array(None)}))
    with pytest.raises(ArtifactError, match="cannot read"):
        load_mdp(path)
    np.savez(path, transition_matrix=T, reward_matrix=R)
    with pytest.raises(ArtifactError, match="lacks horizon"):
        load_mdp(path)
    np.savez(path, **good, speed=1)
    with pytest.raises(ArtifactError, match="unknown speed"):
        load_mdp(path)
    for horizon, told in ((np.inf, "inf"), ([4, 5], r"\[4, 5\]")):
        np.savez(path, **(good | {"horizon": horizon}))
        with pytest.raises(ConfigError, match=f"Only finite-horizon .* got {told}"):
            load_mdp(path)
    sparse: dict[str, Any] = {
        f"transition_{k}": np.arange(3) for k in ("data", "indices", "indptr")
    }
    np.savez(path, **sparse, horizon=4)
    with pytest.raises(ArtifactError, match="lacks a reward_matrix"):
        load_mdp(path)
    np.savez(
        path, **(sparse | {"transition_data": np.ones(9)}), horizon=4, reward_matrix=R
    )
    with pytest.raises(ArtifactError, match="not hold a sparse transition matrix"):
        load_mdp(path)
    rewards = sp.csr_array(np.ones((S * A, S)))
    with pytest.raises(DataError, match="cannot be saved"):
        save_mdp(path, made(reward_matrix=rewards))


def test_random_mdps() -> None:
    env = random_mdp(50, 3, horizon=4, branch_factor=2, rng=0)
    assert env.dynamics.rows.shape == (150, 50)
    assert np.diff(env.dynamics.rows.indptr).max() <= 2
    again = random_mdp(50, 3, horizon=4, branch_factor=2, rng=0)
    assert (again.dynamics.rows != env.dynamics.rows).nnz == 0
    with pytest.raises(ConfigError, match="branch_factor=0"):
        random_mdp(3, 1, horizon=2, branch_factor=0)
