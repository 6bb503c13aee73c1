"""How long does it take to save trajectories and load them back?

100 trajectories of 1,000 steps with rewards (with and without infos), every item
read after loading; and one episode of 1,000 frames of 84 x 84 x 4 bytes: saved,
opened, and read, with a check that the bytes that came back are the same. The bare
version writes and reads the same arrays with `numpy.save`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Case, Workload, main, same

if TYPE_CHECKING:
    import numpy as np

    from imitation.data.types import TrajectoryWithRew

N_STEPS = 1_000
FRAME = (84, 84, 4)

Arrays = tuple["np.ndarray", "np.ndarray", "np.ndarray"]


def small_episodes() -> list[Arrays]:
    """100 episodes with CartPole's observations and actions."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [
        (
            rng.normal(size=(N_STEPS + 1, 4)).astype(np.float32),
            rng.integers(2, size=N_STEPS),
            rng.normal(size=N_STEPS),
        )
        for _ in range(100)
    ]


def image_episode() -> list[Arrays]:
    """One episode of noise images: 28 MB that do not compress."""
    import numpy as np

    rng = np.random.default_rng(0)
    obs = rng.integers(256, size=(N_STEPS + 1, *FRAME), dtype=np.uint8)
    return [(obs, rng.integers(18, size=N_STEPS), rng.normal(size=N_STEPS))]


def trajectories(arrays: list[Arrays], *, infos: bool) -> list[TrajectoryWithRew]:
    """The episodes as the documented dataclass."""
    import numpy as np

    from imitation.data.types import TrajectoryWithRew

    def infos_of(_: object) -> np.ndarray | None:
        if not infos:
            return None
        return np.array(
            [{"TimeLimit.truncated": False, "step": t} for t in range(N_STEPS)]
        )

    return [
        TrajectoryWithRew(obs=o, acts=a, rews=r, infos=infos_of(o), terminal=True)
        for o, a, r in arrays
    ]


def directory() -> Path:
    """A temporary directory that lives as long as the process."""
    kept = tempfile.TemporaryDirectory()
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def save_setup(make: Callable[[], list[Arrays]], *, infos: bool = False) -> Workload:
    """`serialize.save` alone."""
    from imitation.data import serialize

    trajs = trajectories(make(), infos=infos)
    path = directory() / "saved"
    return lambda: serialize.save(path, trajs)


def load_setup(make: Callable[[], list[Arrays]]) -> Workload:
    """`serialize.load_with_rewards` alone: opens, reads nothing."""
    from imitation.data import serialize

    path = directory() / "saved"
    serialize.save(path, trajectories(make(), infos=False))
    return lambda: serialize.load_with_rewards(path)


def read_setup(make: Callable[[], list[Arrays]]) -> Workload:
    """Load and read every item; checked: equal bytes and dtype."""
    from imitation.data import serialize

    path = directory() / "saved"
    arrays = make()
    serialize.save(path, trajectories(arrays, infos=False))

    def work() -> Callable[[], bool]:
        read = list(serialize.load_with_rewards(path))
        return lambda: all(
            got.tobytes() == want.tobytes() and got.dtype == want.dtype
            for traj, episode in zip(read, arrays, strict=True)
            for got, want in zip((traj.obs, traj.acts, traj.rews), episode, strict=True)
        )

    return work


def round_trip_setup(*, infos: bool) -> Workload:
    """Save, load, and read every item."""
    from imitation.data import serialize

    trajs = trajectories(small_episodes(), infos=infos)
    path = directory() / "saved"

    def work() -> list[TrajectoryWithRew]:
        serialize.save(path, trajs)
        return list(serialize.load_with_rewards(path))

    return work


def bare_save_setup(make: Callable[[], list[Arrays]], *, read: bool) -> Workload:
    """`numpy.save` of the concatenated arrays, and a copy of each read back."""
    import numpy as np

    episodes = make()
    path = directory()

    def work() -> list[np.ndarray]:
        for column in range(3):
            parts = [episode[column] for episode in episodes]
            np.save(path / f"{column}.npy", np.concatenate(parts))
        return [np.load(path / f"{i}.npy") for i in range(3)] if read else []

    return work


if __name__ == "__main__":
    main(
        "How long does it take to save trajectories and load them back?",
        [
            Case(
                name=f"save and load 100 x 1,000 steps, {name} infos",
                setups=same(
                    partial(round_trip_setup, infos=infos),
                    partial(bare_save_setup, small_episodes, read=True),
                ),
                units=100,
                unit="trajectory",
                target=5.0,
            )
            for name, infos in (("without", False), ("with", True))
        ]
        + [
            Case(
                name="save an episode of 1,000 images",
                setups=same(
                    partial(save_setup, image_episode),
                    partial(bare_save_setup, image_episode, read=False),
                ),
                units=1,
                unit="episode",
                repeats=3,
            ),
            Case(
                name="open an episode of 1,000 images",
                setups=same(partial(load_setup, image_episode)),
                units=1,
                unit="episode",
                repeats=3,
            ),
            Case(
                name="open and read an episode of 1,000 images",
                setups=same(partial(read_setup, image_episode)),
                units=1,
                unit="episode",
                repeats=3,
            ),
        ],
    )
