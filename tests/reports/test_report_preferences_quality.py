"""How good a learned reward is: formulas against slow versions and closed forms."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from scipy import stats

from imitation.algorithms.preference_comparisons import PreferenceModel
from imitation.data.types import Trajectory, TrajectoryWithRew
from imitation.errors import DataError
from imitation.reports import statistics
from imitation.reports.preferences import fragments as episodes_of
from imitation.reports.preferences import quality
from imitation.rewards.reward_nets import RewardEnsemble, RewardNet

OBS = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
ACTS = gym.spaces.Discrete(2)


class Scaled(RewardNet):
    """The first observation of a step, times a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__(OBS, ACTS, normalize_images=False)
        self.factor = th.nn.Parameter(th.tensor(factor))

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return self.factor * state[:, 0]


def fragment(obs: Any, rews: Any = None) -> Trajectory | TrajectoryWithRew:
    fields: dict[str, Any] = {
        "obs": np.array([*obs, 0.0], dtype=np.float32)[:, None],
        "acts": np.zeros(len(obs), dtype=np.int64),
        "infos": None,
        "terminal": True,
    }
    if rews is None:
        return Trajectory(**fields)
    return TrajectoryWithRew(**fields, rews=np.array(rews, dtype=np.float32))


def random_pairs(n: int, rng: np.random.Generator) -> Any:
    return [
        tuple(fragment(rng.normal(size=4), rng.normal(size=4)) for _ in range(2))
        for _ in range(n)
    ]


def predictions(
    probabilities: Any, preferences: Any, members: Any = None, differences: Any = None
) -> quality.Predictions:
    asarray = np.asarray
    return quality.Predictions(
        asarray(probabilities, dtype=float),
        members,
        asarray(preferences, dtype=float),
        differences,
        None,
    )


def test_predictions_are_those_of_the_model_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    pairs = random_pairs(150, rng)
    given = rng.integers(2, size=150)
    model = PreferenceModel(Scaled(0.7), noise_prob=0.1, discount_factor=0.9)
    model.train()
    found: Any = quality.predict(model, pairs, given)
    assert model.training
    for i, (first, second) in enumerate(pairs):
        weights = 0.9 ** np.arange(4)
        difference = weights @ (first.rews.astype(float) - second.rews)
        learned = 0.7 * weights @ (first.obs[:-1, 0].astype(float) - second.obs[:-1, 0])
        expected = 0.05 + 0.9 / (1 + math.exp(-learned))
        assert found.probabilities[i] == pytest.approx(expected, abs=1e-6)
        assert found.true_differences[i] == pytest.approx(difference)
    assert found.members is None
    assert (found.true_probabilities > 0.05).all()


def test_an_ensemble_predicts_the_mean_of_its_members() -> None:
    pairs = random_pairs(3, np.random.default_rng(0))
    nets = [Scaled(0.1), Scaled(-2.0)]
    model = PreferenceModel(RewardEnsemble(OBS, ACTS, nets))
    found: Any = quality.predict(model, pairs, [1, 0, 0.5])
    for i, net in enumerate(nets):
        alone = quality.predict(PreferenceModel(net), pairs, [1, 0, 0.5])
        np.testing.assert_allclose(found.members[:, i], alone.probabilities, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, found.members.mean(axis=1))


def test_without_true_rewards_there_is_no_true_accuracy() -> None:
    pair = fragment([1.0]), fragment([0.0])
    found = quality.predict(PreferenceModel(Scaled()), [pair], [1])
    assert found.true_differences is None is found.true_probabilities
    assert quality.true_accuracy(found) is None
    with pytest.raises(DataError, match="a preference for each, got 1 pairs"):
        quality.predict(PreferenceModel(Scaled()), [pair], [1, 0])


def test_accuracy_leaves_ties_out_and_counts_them() -> None:
    told = predictions(
        [0.9, 0.2, 0.5, 0.6, 0.7, 0.5], [1, 1, 0, 0.5, 1, 0.5], None, np.zeros(6)
    )
    found = quality.accuracy(told)
    assert (found.n_decided, found.n_ties, found.n_undecided) == (4, 2, 1)
    assert found.share.value == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    by_return = quality.true_accuracy(told)
    assert by_return is not None
    assert (by_return.n_decided, by_return.n_ties) == (0, 6)
    assert math.isnan(by_return.share.value)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (30, 100), (1, 2)])
def test_intervals_of_shares_are_wilsons(successes: int, n: int) -> None:
    found = statistics.share_interval(successes, n)
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert found.value == successes / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert 0 <= found.low < found.high <= 1


def test_calibration_is_that_of_a_loop_over_bins() -> None:
    rng = np.random.default_rng(0)
    probs = np.concatenate([rng.uniform(size=200), [0.0, 1.0, 0.3, 0.1]])
    given = rng.choice([0, 0.5, 1], size=len(probs))
    told = predictions(probs, given)
    bins = quality.calibration(told, n_bins=5)
    error = 0.0
    for i, bin in enumerate(bins):
        low, high = i / 5, (i + 1) / 5
        last = i == 4
        inside = [
            j
            for j, p in enumerate(probs)
            if low <= p and (p < high or (last and p <= 1))
        ]
        assert (bin.low, bin.high, bin.n) == (low, high, len(inside))
        assert bin.predicted == pytest.approx(np.mean(probs[inside]))
        assert bin.share.value == pytest.approx(np.mean(given[inside]))
        assert bin.share.low < bin.share.value < bin.share.high
        error += len(inside) / len(probs) * abs(bin.predicted - bin.share.value)
    assert sum(bin.n for bin in bins) == len(probs)
    assert quality.calibration_error(bins) == pytest.approx(error)


def test_a_calibrated_model_is_called_so() -> None:
    rng = np.random.default_rng(0)
    probs = rng.uniform(size=20_000)
    honest = predictions(probs, rng.uniform(size=20_000) < probs)
    shifted = predictions(probs**3, honest.preferences)
    errors = [
        quality.calibration_error(quality.calibration(p)) for p in (honest, shifted)
    ]
    assert errors[0] < 0.02 < 0.2 < errors[1]


def test_cross_entropy_is_finite_and_that_of_the_formula() -> None:
    expected = -(0.25 * math.log(0.3) + 0.75 * math.log(0.7))
    assert quality.cross_entropy([0.3], [0.25]) == pytest.approx(expected)
    assert quality.cross_entropy([0.5] * 3, [0, 1, 0.5]) == pytest.approx(math.log(2))
    assert quality.cross_entropy([1.0, 0.0], [1, 0]) == pytest.approx(0)
    assert 20 < quality.cross_entropy([1.0, 0.0], [0, 1]) < math.inf


def test_groups_of_disagreement_are_sorted_and_cover_all() -> None:
    members = np.array([[0.5, 0.5], [0.1, 0.9], [0.4, 0.8], [0.7, 0.7], [0.2, 0.3]])
    told = predictions(members.mean(axis=1), [1, 0, 1, 1, 0], members)
    groups = quality.disagreement(told, n_groups=2)
    spreads = sorted(members.std(axis=1))
    assert [g.low for g in groups] == pytest.approx([spreads[0], spreads[3]])
    assert [g.high for g in groups] == pytest.approx([spreads[2], spreads[4]])
    assert sum(g.accuracy.n_decided for g in groups) == 5
    assert quality.disagreement(predictions([0.5], [1])) == []


def test_correlations_are_those_of_scipy_with_intervals_around_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = np.exp(x) + rng.normal(size=40)
    linear, ranks = statistics.correlation(x, y), statistics.rank_correlation(x, y)
    assert linear.value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert ranks.value == pytest.approx(stats.spearmanr(x, y).statistic)
    for interval in (linear, ranks):
        assert -1 <= interval.low < interval.value < interval.high <= 1
    assert statistics.correlation(x, y) == linear
    scaled = statistics.correlation(1e-9 * x + 5, -1e6 * y)
    assert scaled.value == pytest.approx(-linear.value, abs=1e-6)


def test_what_does_not_vary_has_no_correlation() -> None:
    constant, varied = [0.1] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]
    assert math.isnan(statistics.correlation(constant, varied).value)
    assert math.isnan(statistics.rank_correlation(varied, constant).value)
    assert math.isnan(statistics.correlation([1.0, 2.0], [1.0, 2.0]).value)
    with pytest.raises(DataError, match="one length"):
        statistics.correlation([1.0], [1.0, 2.0])
    with pytest.raises(DataError, match="finite"):
        statistics.correlation([1.0, math.nan], [1.0, 2.0])


def test_rewards_are_of_every_step_and_the_mean_of_an_ensemble() -> None:
    trajectories = [fragment([1, 2, 3]), fragment([4, 5])]
    nets = [Scaled(1.0), Scaled(3.0)]
    for net in (Scaled(2.0), RewardEnsemble(OBS, ACTS, nets)):
        found = episodes_of.learned_rewards(net, trajectories)
        assert [values.tolist() for values in found] == [[2, 4, 6], [8, 10]]


def test_extreme_fragments_are_those_of_a_search() -> None:
    rng = np.random.default_rng(0)
    trajectories = [
        fragment(rng.normal(size=n), rng.normal(size=n)) for n in (9, 3, 12, 7, 4)
    ]
    rewards = episodes_of.learned_rewards(Scaled(), trajectories)
    best, worst = episodes_of.extreme_fragments(rewards, trajectories, 4, n=2)

    def search(pick: Any) -> Any:
        found = []
        for number, values in enumerate(rewards):
            sums = [sum(values[i : i + 4]) for i in range(len(values) - 3)]
            if sums:
                start = sums.index(pick(sums))
                found.append((pick(sums), number, start))
        return sorted(found, reverse=pick is max)[:2]

    for found, pick in ((best, max), (worst, min)):
        for one, (total, number, start) in zip(found, search(pick), strict=True):
            assert (one.episode, one.start, one.stop) == (number, start, start + 4)
            assert one.learned_return == pytest.approx(total)
            true = trajectories[number].rews[start : start + 4].sum()
            assert one.true_return == pytest.approx(true, rel=1e-5)
    with pytest.raises(DataError, match="13 steps of a fragment"):
        episodes_of.extreme_fragments(rewards, trajectories, 13)
