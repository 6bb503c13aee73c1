"""How long does `flatten_trajectories` take?

500 trajectories of 1,000 steps with CartPole's observations and actions. The bare
version concatenates the arrays and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Case, Setup, Workload, main, same

if TYPE_CHECKING:
    import numpy as np

N_TRAJECTORIES, N_STEPS = 500, 1_000
N_CALLS = 10
"""Calls in one measurement: one alone takes milliseconds, mostly for fresh memory."""


def episodes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Observations, actions and rewards of each episode."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(size=(N_STEPS + 1, 4)).astype(np.float32),
            rng.integers(2, size=N_STEPS),
            rng.normal(size=N_STEPS),
        )
        for _ in range(N_TRAJECTORIES)
    ]


def imitation_setup(*, rews: bool, infos: bool) -> Workload:
    """Flatten trajectories, with or without rewards and infos."""
    import numpy as np

    from imitation.data import rollout
    from imitation.data.types import Trajectory, TrajectoryWithRew

    def infos_of(_: object) -> np.ndarray | None:
        return np.array([{"step": t} for t in range(N_STEPS)]) if infos else None

    if rews:
        with_rew = [
            TrajectoryWithRew(obs=o, acts=a, rews=r, infos=infos_of(o), terminal=True)
            for o, a, r in episodes()
        ]
        return lambda: rollout.flatten_trajectories_with_rew(with_rew)
    plain = [
        Trajectory(obs=o, acts=a, infos=infos_of(o), terminal=True)
        for o, a, _ in episodes()
    ]
    return lambda: rollout.flatten_trajectories(plain)


def repeated(setup: Setup) -> Workload:
    """The work of a set-up, several times."""
    work = setup()

    def works() -> None:
        for _ in range(N_CALLS):
            work()

    return works


def bare_setup() -> Workload:
    """One concatenation an array."""
    import numpy as np

    data = episodes()

    def work() -> list[np.ndarray]:
        return [
            np.concatenate([o[:-1] for o, _, _ in data]),
            np.concatenate([o[1:] for o, _, _ in data]),
            np.concatenate([a for _, a, _ in data]),
            np.concatenate([r for _, _, r in data]),
        ]

    return work


if __name__ == "__main__":
    main(
        "How long does flatten_trajectories take for 500 x 1,000 steps?",
        [
            Case(
                name=name,
                setups=same(
                    partial(repeated, partial(imitation_setup, rews=rews, infos=infos)),
                    partial(repeated, bare_setup),
                ),
                units=N_CALLS * N_TRAJECTORIES,
                unit="trajectory",
                target=target,
            )
            for name, rews, infos, target in (
                ("without infos", False, False, 3.0),
                ("with rewards", True, False, 3.0),
                ("with infos", False, True, None),
            )
        ],
    )
