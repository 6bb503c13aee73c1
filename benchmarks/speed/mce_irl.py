"""How long does planning in tabular environments take?

`mce_partition_fh` and `mce_occupancy_measures` once each: for random environments of
seals with 200 states, 4 actions and a horizon of 100, in which few or most states may
follow an action, and for one of 10,000 states with sparse transitions, which release
1.0.1 cannot represent. Its memory is the growth of the process's largest size. The bare
loop is the two products with the matrix of all transitions that a time step needs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from harness import Case, Workload, main, same

N_STATES, N_ACTIONS, HORIZON = 200, 4, 100
LARGE = 10_000


def seals_env(branch_factor: int) -> Any:
    """A random environment given as arrays."""
    from seals.diagnostics.random_trans import RandomTransitionEnv

    return RandomTransitionEnv(
        n_states=N_STATES,
        n_actions=N_ACTIONS,
        branch_factor=branch_factor,
        horizon=HORIZON,
        random_obs=False,
        generator_seed=0,
    )


def seals_setup(branch_factor: int) -> Workload:
    """Plan in a random environment given as arrays."""
    from imitation.algorithms.mce_irl import mce_occupancy_measures, mce_partition_fh

    env = seals_env(branch_factor)

    def work() -> None:
        _, _, pi = mce_partition_fh(env)
        mce_occupancy_measures(env, pi=pi)

    return work


def bare_setup(branch_factor: int) -> Workload:
    """Do the products of planning in a dense environment and nothing else."""
    import numpy as np

    matrix = seals_env(branch_factor).transition_matrix
    rows = matrix.reshape(-1, N_STATES).astype(np.float64)
    values, visits = np.ones(N_STATES), np.ones(len(rows))

    def work() -> None:
        for _ in range(HORIZON - 1):
            rows @ values
        for _ in range(HORIZON):
            visits @ rows

    return work


def sparse_setup() -> Workload:
    """Plan in a large sparse environment."""
    import resource

    from imitation.algorithms.mce_irl import mce_occupancy_measures, mce_partition_fh
    from imitation.envs.tabular import random_mdp

    env = random_mdp(LARGE, N_ACTIONS, horizon=HORIZON, branch_factor=10, rng=0)

    def work() -> object:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _, _, pi = mce_partition_fh(env)
        mce_occupancy_measures(env, pi=pi)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return lambda: {
            "peak_mib": round(after / 1024),
            "growth_mib": round((after - before) / 1024),
        }

    return work


if __name__ == "__main__":
    main(
        "How long do mce_partition_fh and mce_occupancy_measures take together?",
        [
            Case(
                name=f"200 states, {name}",
                setups=same(partial(seals_setup, branch_factor), bare),
                units=1,
                unit="plan",
                target=4.0,
                repeats=15,
            )
            for name, branch_factor, bare in (
                ("1 to 10 may follow", 10, None),
                ("1 to 200 may follow", 200, partial(bare_setup, 200)),
            )
        ]
        + [
            Case(
                name="10,000 sparse states",
                setups={"ours": sparse_setup},
                units=1,
                unit="plan",
            )
        ],
    )
