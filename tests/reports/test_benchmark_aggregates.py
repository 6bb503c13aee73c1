"""Aggregates against slow versions, scipy, closed forms and symmetries."""

from typing import Any

import numpy as np
import pytest
import scipy.stats

from imitation.errors import DataError
from imitation.reports.benchmarks import aggregates
from reference import benchmark_aggregates as slow

SEEDS = range(3)


def make_strata(seed: Any, sizes: Any = (10, 7, 10, 4)) -> Any:
    rng = np.random.default_rng(seed)
    return [rng.normal(rng.normal(), 0.5, size).round(1) for size in sizes]


@pytest.mark.parametrize("seed", SEEDS)
def test_values_equal_the_slow_ones(seed: Any) -> None:
    ours, theirs = make_strata(seed), make_strata(seed + 100)
    few = {"n_resamples": 2}
    assert aggregates.mean_interval(ours, **few).value == pytest.approx(slow.mean(ours))
    assert aggregates.iqm_interval(ours, **few).value == pytest.approx(slow.iqm(ours))
    found = aggregates.probability_of_improvement(ours, theirs, **few).value
    assert found == pytest.approx(slow.improvement(ours, theirs))
    taus = [-1.0, 0.0, 0.3]
    fractions = aggregates.performance_profile(ours, taus, **few).fraction
    assert fractions == pytest.approx([slow.profile(ours, tau) for tau in taus])


@pytest.mark.parametrize(
    ("fast", "reference"),
    [
        (aggregates.mean_interval, slow.mean),
        (aggregates.iqm_interval, slow.iqm),
        (aggregates.probability_of_improvement, slow.improvement),
    ],
)
def test_intervals_equal_the_slow_ones(fast: Any, reference: Any) -> None:
    groups = [make_strata(5), make_strata(6)]
    if fast is not aggregates.probability_of_improvement:
        groups = groups[:1]
    found = fast(*groups, n_resamples=20_000)
    low, high = slow.interval(reference, groups, 2_000, seed=1)
    width = high - low
    assert found.low == pytest.approx(low, abs=0.08 * width)
    assert found.high == pytest.approx(high, abs=0.08 * width)


def test_profile_bounds_equal_the_slow_ones() -> None:
    strata = make_strata(7)
    found = aggregates.performance_profile(strata, [0.2], n_resamples=20_000)
    low, high = slow.interval(lambda s: slow.profile(s, 0.2), [strata], 2_000, seed=1)
    # Shares of few runs are coarse: neighbouring values may be the percentile.
    assert found.low[0] == pytest.approx(low, abs=0.03)
    assert found.high[0] == pytest.approx(high, abs=0.03)


def test_a_single_environment_gives_scipys_interval() -> None:
    (scores,) = make_strata(8, sizes=(12,))
    found = aggregates.mean_interval([scores], n_resamples=20_000)
    scipys = scipy.stats.bootstrap(
        (scores,), np.mean, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    width = scipys.high - scipys.low
    assert found.low == pytest.approx(scipys.low, abs=0.03 * width)
    assert found.high == pytest.approx(scipys.high, abs=0.03 * width)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 11])
def test_iqm_is_scipys_trimmed_mean(size: int) -> None:
    (scores,) = make_strata(size, sizes=(size,))
    found = aggregates.iqm_interval([scores], n_resamples=2).value
    assert found == pytest.approx(scipy.stats.trim_mean(scores, 0.25))


def test_improvement_is_mann_whitneys_statistic() -> None:
    (x,), (y,) = make_strata(1, sizes=(9,)), make_strata(1, sizes=(13,))
    found = aggregates.probability_of_improvement([x], [y], n_resamples=2).value
    u = scipy.stats.mannwhitneyu(x, y).statistic
    assert found == pytest.approx(u / (len(x) * len(y)))


def test_improvement_of_either_side_adds_up_to_one() -> None:
    ours, theirs = make_strata(2), make_strata(3)
    one = aggregates.probability_of_improvement(ours, theirs)
    other = aggregates.probability_of_improvement(theirs, ours)
    assert one.value + other.value == pytest.approx(1)
    same = aggregates.probability_of_improvement(ours, ours)
    assert same.value == pytest.approx(0.5)
    assert same.low < 0.5 < same.high


def test_resampling_stays_within_an_environment() -> None:
    # Equal runs within an environment leave nothing to chance, however far apart the
    # environments are; resampling runs across environments would.
    strata = [[0.0] * 5, [10.0] * 5]
    for interval in (
        aggregates.mean_interval(strata),
        aggregates.iqm_interval(strata),
    ):
        assert interval.low == interval.value == interval.high == 5
    profile = aggregates.performance_profile(strata, [5.0])
    assert profile.low == profile.fraction == profile.high == 0.5


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        strata = [rng.normal(mean, 1, 15) for mean in (0, 1, 2)]
        found = aggregates.mean_interval(strata, n_resamples=400, rng=rng)
        hits += found.low <= 1 <= found.high
    # 95% nominal; percentile intervals of few runs are a little short.
    assert 0.87 <= hits / 200 <= 0.99


def test_chunks_change_nothing_but_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    strata = make_strata(4)
    whole = aggregates.iqm_interval(strata)
    monkeypatch.setattr(aggregates, "_CHUNK", 1000)
    parts = aggregates.iqm_interval(strata)
    assert parts.low == pytest.approx(whole.low, abs=0.02)
    assert parts.high == pytest.approx(whole.high, abs=0.02)


def test_the_same_scores_give_the_same_interval() -> None:
    strata = make_strata(9)
    assert aggregates.iqm_interval(strata) == aggregates.iqm_interval(strata)


def test_single_runs_have_no_interval() -> None:
    strata = [[1.0], [2.0]]
    for found in (
        aggregates.mean_interval(strata),
        aggregates.iqm_interval(strata),
        aggregates.probability_of_improvement(strata, strata),
    ):
        assert np.isnan([found.low, found.high]).all()
    assert np.isnan(aggregates.performance_profile(strata, [0.0]).low).all()


@pytest.mark.parametrize(
    ("strata", "message"),
    [
        ([], "at least one environment"),
        ([[1.0], []], "at least one run"),
        ([[[1.0]]], "shapes"),
        ([[1.0, float("nan")]], "finite"),
    ],
)
def test_malformed_scores(
    strata: list[Any] | list[list[Any]] | list[list[list[float]]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        aggregates.mean_interval(strata)


def test_comparisons_need_the_same_environments() -> None:
    with pytest.raises(DataError, match="same environments, got 1 and 2"):
        aggregates.probability_of_improvement([[1.0]], [[1.0], [2.0]])
