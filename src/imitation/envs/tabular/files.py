"""Tabular environments as files, and random ones.

A file is NumPy's ``.npz``, without pickles: ``transition_matrix`` of shape
``(S, A, S)``, or the parts ``transition_data``, ``transition_indices`` and
``transition_indptr`` of a CSR matrix with row ``s * A + a``; ``reward_matrix``;
``horizon``; and, if there are any, ``observation_matrix`` and ``initial_state_dist``.
"""

import os
import zipfile

import numpy as np

from imitation.envs.tabular.env import TabularEnv
from imitation.envs.tabular.layouts import Matrix
from imitation.errors import ArtifactError, ConfigError, DataError, reason
from imitation.util import artifacts, seeding
from imitation.util.paths import AnyPath

_SPARSE = ("transition_data", "transition_indices", "transition_indptr")


def save_mdp(path: AnyPath, env: TabularEnv) -> None:
    """Saves an environment as one ``.npz`` file, atomically.

    Args:
        path: the file.
        env: an environment whose reward depends on states or on states and actions, or
            whose arrays are dense.

    Raises:
        DataError: the reward depends on next states and is sparse.
    """
    rows = env.dynamics.rows  # (A * S, S)
    n_states = rows.shape[1]
    rewards: Matrix = env.reward_matrix
    if not isinstance(rewards, np.ndarray):
        raise DataError("a sparse reward_matrix cannot be saved; make it an array")
    arrays: dict[str, Matrix] = {"reward_matrix": rewards, "horizon": env.horizon}
    if isinstance(rows, np.ndarray):
        by_action = rows.reshape(-1, n_states, n_states)
        arrays["transition_matrix"] = by_action.transpose(1, 0, 2)
    else:
        n_actions = rows.shape[0] // n_states
        # From row a * S + s to row s * A + a, the layout of the file.
        order = np.arange(rows.shape[0]).reshape(n_actions, n_states).T.reshape(-1)
        by_state = rows[order]
        parts = (by_state.data, by_state.indices, by_state.indptr)
        arrays.update(zip(_SPARSE, parts, strict=True))
    for name in ("observation_matrix", "initial_state_dist"):
        if getattr(env, name) is not None:
            arrays[name] = getattr(env, name)
    with artifacts.replacing_file(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def load_mdp(path: AnyPath) -> TabularEnv:
    """Loads an environment from an ``.npz`` file; see the module for its arrays.

    Raises:
        ArtifactError: the file cannot be read or lacks an array.
        ValueError: the arrays are not those of a decision process.
    """
    name = os.fsdecode(path)
    try:
        with np.load(name, allow_pickle=False) as file:
            arrays = dict(file.items())
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"cannot read {name} as arrays (.npz): {reason(error)}"
        ) from error
    if set(_SPARSE) <= set(arrays):
        parts = [arrays.pop(key) for key in _SPARSE]
        arrays["transition_matrix"] = _sparse(parts, arrays.get("reward_matrix"), name)
    needed = {"transition_matrix", "reward_matrix", "horizon"}
    optional = {"observation_matrix", "initial_state_dist"}
    missing, unknown = needed - set(arrays), set(arrays) - needed - optional
    if missing or unknown:
        found = ", ".join(sorted(missing or unknown))
        raise ArtifactError(
            f"{name} {'lacks' if missing else 'has the unknown'} {found}; expected "
            f"{', '.join(sorted(needed))} and perhaps {', '.join(sorted(optional))}"
        )
    horizon = arrays.pop("horizon")
    return TabularEnv(horizon=horizon.tolist(), **arrays)


def random_mdp(
    n_states: int,
    n_actions: int,
    *,
    horizon: int,
    branch_factor: int = 4,
    rng: np.random.Generator | int | None = None,
) -> TabularEnv:
    """Makes an environment with random transitions and rewards.

    In the manner of Sutton's random MDPs
    (http://incompleteideas.net/RandomMDPs.html), with sparse transitions.

    Args:
        n_states: number of states.
        n_actions: number of actions.
        horizon: steps of an episode.
        branch_factor: number of possible next states, drawn with replacement; their
            probabilities are uniform on the simplex.
        rng: decides the arrays.

    Returns:
        An environment that starts anywhere, whose rewards r(s) are standard normal and
        whose observations are the numbers of the states.

    Raises:
        ConfigError: a number is not positive.
    """
    from scipy import sparse as sp

    for name, value in (
        ("n_states", n_states),
        ("n_actions", n_actions),
        ("branch_factor", branch_factor),
    ):
        if value < 1:
            raise ConfigError(f"{name}={value} must be a positive integer")
    rng = seeding.make_rng(rng)
    n_rows = n_states * n_actions
    columns = rng.integers(n_states, size=(n_rows, branch_factor))
    weights = rng.dirichlet(np.ones(branch_factor), size=n_rows)
    rows = np.repeat(np.arange(n_rows), branch_factor)
    pairs = (weights.reshape(-1), (rows, columns.reshape(-1)))
    return TabularEnv(
        transition_matrix=sp.csr_array(sp.coo_array(pairs, shape=(n_rows, n_states))),
        reward_matrix=rng.normal(size=n_states),
        horizon=horizon,
        initial_state_dist=np.full(n_states, 1 / n_states),
    )


def _sparse(parts: list[np.ndarray], rewards: Matrix, name: str) -> Matrix:
    """Builds the transition matrix; the rewards tell the number of states."""
    from scipy import sparse as sp

    if rewards is None or rewards.ndim == 0:
        raise ArtifactError(f"{name} lacks a reward_matrix with one row per state")
    data, indices, indptr = parts
    try:
        return sp.csr_array(
            (data, indices, indptr), shape=(len(indptr) - 1, len(rewards))
        )
    except (TypeError, ValueError) as error:
        raise ArtifactError(
            f"{name} does not hold a sparse transition matrix: {reason(error)}"
        ) from error
