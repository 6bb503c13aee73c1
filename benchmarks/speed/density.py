"""How long does density-based imitation take to learn and to compute rewards?

`DensityAlgorithm` with a Gaussian kernel on pairs of state and action, spaces those of
Pendulum: fitted to 20,000 transitions, it scores 5,000; the same with one density for
each of 200 time steps; and a step of 8 environments, which is what the training of a
policy asks for. Checked each time: the largest difference of a score to that of
scikit-learn's ``KernelDensity`` with the same inputs, without a tree. Then the
estimator of nearest neighbors beside the kernel's on 200,000 transitions, where only
ours runs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from harness import Case, Ratio, Workload, main, same

if TYPE_CHECKING:
    import numpy as np

    from imitation.algorithms.density import DensityAlgorithm

N_SCORED = 5_000
HORIZON = 200
BANDWIDTH = 0.4
N_CALLS = 200


def parts(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """States and actions."""
    import numpy as np

    rng = np.random.default_rng(seed)
    actions = rng.uniform(-2, 2, (n, 1)).astype(np.float32)
    return rng.normal(size=(n, 3)).astype(np.float32), actions


def make_trainer(n: int, by_time: bool, **kwargs: Any) -> DensityAlgorithm:
    """An algorithm that has its demonstrations but is not fitted."""
    import numpy as np

    from imitation.algorithms.density import DensityAlgorithm
    from imitation.data import types
    from imitation.util import util

    rng = np.random.default_rng(0)
    obs, acts = parts(n, seed=0)
    demonstrations: Any = types.TransitionsMinimal(
        obs=obs, acts=acts, infos=np.full(n, {}, dtype=object)
    )
    if by_time:
        demonstrations = [
            types.Trajectory(
                obs=np.concatenate([obs[i : i + HORIZON], obs[:1]]),
                acts=acts[i : i + HORIZON],
                infos=None,
                terminal=True,
            )
            for i in range(0, n, HORIZON)
        ]
    return DensityAlgorithm(
        demonstrations=demonstrations,
        venv=util.make_vec_env("Pendulum-v1", rng=rng, n_envs=1),
        rng=rng,
        kernel_bandwidth=BANDWIDTH,
        is_stationary=not by_time,
        **kwargs,
    )


def reference(n: int, steps: np.ndarray | None) -> np.ndarray:
    """The scores by scikit-learn."""
    import numpy as np
    from sklearn.neighbors import KernelDensity
    from sklearn.preprocessing import StandardScaler

    known = np.concatenate(parts(n, seed=0), axis=1)
    points = np.concatenate(parts(N_SCORED, seed=1), axis=1)
    scaler = StandardScaler().fit(known)
    known, points = scaler.transform(known), scaler.transform(points)
    scores = np.empty(N_SCORED)
    times = [None] if steps is None else range(HORIZON)
    for time in times:
        rows = slice(None) if steps is None else steps == time
        samples = known if time is None else known[time::HORIZON]
        # Trees of several leaves lose digits where densities are low.
        model = KernelDensity(bandwidth=BANDWIDTH, leaf_size=n).fit(samples)
        scores[rows] = model.score_samples(points[rows])
    return scores


def fit_and_score(
    n: int, by_time: bool = False, checked: bool = True, **kwargs: Any
) -> Workload:
    """Fits and scores."""
    import numpy as np

    trainer = make_trainer(n, by_time, **kwargs)
    obs, acts = parts(N_SCORED, seed=1)
    dones = np.zeros(N_SCORED, dtype=bool)
    steps = np.arange(N_SCORED) % HORIZON if by_time else None
    expected = reference(n, steps) if checked else None

    def work() -> Any:
        trainer.train()
        scores = trainer(obs, acts, obs, dones, steps)
        if expected is None:
            return None
        return lambda: float(abs(scores - expected).max())

    return work


def step(n: int) -> Workload:
    """Scores of the next transition of 8 environments, again and again."""
    import numpy as np

    trainer = make_trainer(n, by_time=False)
    trainer.train()
    obs, acts = parts(8 * N_CALLS, seed=1)
    dones = np.zeros(8, dtype=bool)

    def work() -> None:
        for i in range(0, 8 * N_CALLS, 8):
            rows = slice(i, i + 8)
            trainer(obs[rows], acts[rows], obs[rows], dones)

    return work


if __name__ == "__main__":
    main(
        "How long does density-based imitation take to learn and compute rewards?",
        [
            Case(
                name="fit 20,000 and score 5,000 transitions",
                setups=same(partial(fit_and_score, 20_000)),
                units=1,
                unit="run",
                target=8.0,
            ),
            Case(
                name="the same, a density for each of 200 time steps",
                setups=same(partial(fit_and_score, 20_000, by_time=True)),
                units=1,
                unit="run",
            ),
            Case(
                name="reward of a step of 8 environments, 20,000 samples",
                setups=same(partial(step, 20_000)),
                units=N_CALLS,
                unit="step",
            ),
            Case(
                name="fit 200,000 and score 5,000 transitions",
                setups={
                    "ours": partial(fit_and_score, 200_000, checked=False),
                    "ours knn": partial(
                        fit_and_score, 200_000, checked=False, estimator="knn"
                    ),
                },
                units=1,
                unit="run",
                ratios=(Ratio("kernel ÷ knn", "ours", "ours knn"),),
            ),
        ],
        repeats=7,
    )
