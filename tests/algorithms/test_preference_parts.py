"""Fragmenters, gatherers, fixed data sets of trajectories, and schedules."""

import collections
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation.algorithms import preference_comparisons as prefs
from imitation.algorithms.preference_comparisons import schedules
from imitation.data import types
from imitation.errors import ConfigError, DataError
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from reference import preferences as ref


@pytest.fixture
def logger(tmp_path: Any) -> imit_logger.HierarchicalLogger:
    return imit_logger.configure(tmp_path, ["log"])


def logged(logger: imit_logger.HierarchicalLogger) -> str:
    directory = logger.get_dir()
    assert directory is not None
    with open(f"{directory}/log.txt") as file:
        return file.read()


def numbered(length: int, first: int = 0, terminal: bool = True) -> Any:
    """A trajectory whose numbers say which step they belong to."""
    steps = np.arange(first, first + length + 1)
    return types.TrajectoryWithRew(
        obs=steps[:, None].astype(np.float32),
        acts=steps[:-1],
        infos=np.array([{"step": int(s)} for s in steps[:-1]]),
        terminal=terminal,
        rews=steps[:-1].astype(np.float64),
    )


class TestRandomFragmenter:
    def test_fragments_are_stretches_of_trajectories(self) -> None:
        fragmenter = prefs.RandomFragmenter(np.random.default_rng(0), 0)
        trajectories = [numbered(9), numbered(20, first=100, terminal=False)]
        pairs = fragmenter(trajectories, 5, 40)
        assert len(pairs) == 40
        for fragment in (f for pair in pairs for f in pair):
            first = int(fragment.acts[0])
            assert fragment.infos is not None
            expected = numbered(5, first)
            assert len(fragment) == 5
            np.testing.assert_array_equal(fragment.obs, expected.obs)
            np.testing.assert_array_equal(fragment.rews, expected.rews)
            assert [info["step"] for info in fragment.infos] == list(fragment.acts)
            # Only a real end of an episode is one of the fragment.
            assert fragment.terminal == (first == 4)

    def test_all_stretches_of_a_trajectory_are_as_likely(self) -> None:
        fragmenter = prefs.RandomFragmenter(np.random.default_rng(0), 0)
        trajectories = [numbered(3), numbered(6, first=10)]
        pairs = fragmenter(trajectories, 3, 3000)
        counts = collections.Counter(int(f.acts[0]) for pair in pairs for f in pair)
        # Trajectories by their lengths, 1 : 2, and then their stretches evenly.
        expected = {0: 2000.0, **dict.fromkeys(range(10, 14), 1000.0)}
        assert counts.keys() == expected.keys()
        chi_square = sum((counts[k] - e) ** 2 / e for k, e in expected.items())
        assert chi_square < 18.5, "p < 0.001 with 4 degrees of freedom"

    def test_the_same_generator_chooses_the_same(self) -> None:
        trajectories = [numbered(9), numbered(20)]
        one, other = (
            prefs.RandomFragmenter(np.random.default_rng(5), 0)(trajectories, 4, 7)
            for _ in range(2)
        )
        assert one == other

    def test_dictionary_observations(self) -> None:
        trajectory = ref.trajectory(np.random.default_rng(0), space=ref.DICT_SPACE)
        ((first, second),) = prefs.RandomFragmenter(warning_threshold=0)(
            [trajectory], 2, 1
        )
        assert len(first.obs) == len(second.obs) == 3

    @pytest.mark.parametrize(
        ("lengths", "n_pairs", "threshold", "message"),
        [
            ([2, 9], 1, 0, "Discarded 1 out of 2 trajectories"),
            ([9], 2, 10, "Fewer transitions available (9) than needed"),
            ([9, 9], 2, 3, "Samples will contain 12 transitions in total"),
            ([9, 9], 2, 0, ""),
            ([90], 2, 3, ""),
        ],
    )
    def test_what_is_logged(
        self,
        logger: imit_logger.HierarchicalLogger,
        lengths: list[int],
        n_pairs: int,
        threshold: int,
        message: str,
    ) -> None:
        fragmenter = prefs.RandomFragmenter(
            np.random.default_rng(0), threshold, custom_logger=logger
        )
        fragmenter([numbered(n) for n in lengths], 3, n_pairs)
        text = logged(logger)
        assert message in text and bool(text) == bool(message)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([numbered(5)], 6, 1), "No trajectories are long enough for the desired"),
            (([], 6, 1), "No trajectories are long enough"),
            (([numbered(5)], 0, 1), "positive fragment_length"),
            (([numbered(5)], 2, -1), "num_pairs not negative"),
        ],
    )
    def test_wrong_arguments(self, arguments: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            prefs.RandomFragmenter()(*arguments)


def make_ensemble(n: int = 4) -> reward_nets.RewardEnsemble:
    members = [
        reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE) for _ in range(n)
    ]
    return reward_nets.RewardEnsemble(ref.OBS_SPACE, ref.ACT_SPACE, members)


class TestActiveSelection:
    @staticmethod
    def variance(kind: str, model: prefs.PreferenceModel, pair: Any) -> float:
        """Section 2.2.4, one pair and one member at a time."""
        values = []
        for member in model.member_pref_models:
            logits, _ = member.logits([pair])
            probs, _ = member([pair])
            values.append(
                {
                    "logit": logits.item(),
                    "probability": probs.item(),
                    "label": float(probs.item() > 0.5),
                }[kind]
            )
        if kind == "label":
            return float(np.mean(values) * (1 - np.mean(values)))
        return float(np.var(values, ddof=1))

    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("kind", ["logit", "probability", "label"])
    @pytest.mark.parametrize("discount", [1.0, 0.8])
    def test_keeps_the_most_uncertain(
        self, wrapped: bool, kind: str, discount: float
    ) -> None:
        net: Any = make_ensemble()
        if wrapped:
            net = reward_nets.AddSTDRewardWrapper(net)
        model = prefs.PreferenceModel(net, discount_factor=discount)
        rng = np.random.default_rng(0)
        trajectories = [ref.trajectory(rng, 30)]
        base = prefs.RandomFragmenter(np.random.default_rng(3), 0)
        active = prefs.ActiveSelectionFragmenter(model, base, 3.5, kind)
        chosen = active(trajectories, 5, 4)
        again = prefs.RandomFragmenter(np.random.default_rng(3), 0)
        candidates = again(trajectories, 5, 14)
        variances = [self.variance(kind, model, pair) for pair in candidates]
        order = np.argsort(-np.round(variances, 5), kind="stable")[:4]
        assert sorted(self.variance(kind, model, p) for p in chosen) == pytest.approx(
            sorted(variances[i] for i in order), abs=1e-5
        )
        first = candidates[0]
        rewards = model.pair_rewards([first])[0]
        estimate = active.variance_estimate(rewards[0], rewards[1])
        assert estimate == pytest.approx(variances[0], rel=1e-3, abs=1e-6)
        assert active.uncertainty_on == kind

    def test_no_pairs(self) -> None:
        model = prefs.PreferenceModel(make_ensemble())
        base = prefs.RandomFragmenter(warning_threshold=0)
        active = prefs.ActiveSelectionFragmenter(model, base, 2)
        assert list(active([numbered(9)], 3, 0)) == []

    def test_refused(self) -> None:
        single = prefs.PreferenceModel(
            reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE)
        )
        base = prefs.RandomFragmenter()
        with pytest.raises(ConfigError, match="not wrapped over an ensemble of networ"):
            prefs.ActiveSelectionFragmenter(single, base, 2)
        model = prefs.PreferenceModel(make_ensemble())
        with pytest.raises(ConfigError, match=r"must be at least 1, got 0\.5"):
            prefs.ActiveSelectionFragmenter(model, base, 0.5)
        message = (
            r".* not supported\.\n\s+`uncertainty_on` should be from `logit`, "
            "`probability`, or `label`"
        )
        with pytest.raises(ValueError, match=message):
            prefs.ActiveSelectionFragmenter(model, base, 2, "entropy")
        active = prefs.ActiveSelectionFragmenter(model, base, 2)
        active._uncertainty_on = "entropy"  # private: the constructor refuses it
        with pytest.raises(ValueError, match=message):
            active.variance_estimate(th.rand(5, 4), th.rand(5, 4))


class TestSyntheticGatherer:
    @pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
    @pytest.mark.parametrize("discount", [1.0, 0.7])
    @pytest.mark.parametrize("threshold", [50.0, 0.3])
    def test_probabilities(
        self,
        logger: imit_logger.HierarchicalLogger,
        temperature: float,
        discount: float,
        threshold: float,
    ) -> None:
        pairs = ref.pairs(np.random.default_rng(0), 6)
        gatherer = prefs.SyntheticGatherer(
            temperature, discount, sample=False, threshold=threshold,
            custom_logger=logger,
        )  # fmt: skip
        probs = gatherer(pairs)
        expected = [
            ref.preference_probability(
                a.rews / temperature,
                b.rews / temperature,
                discount=discount,
                threshold=threshold,
            )
            for a, b in pairs
        ]
        assert probs.dtype == np.float32
        np.testing.assert_allclose(probs, expected, rtol=1e-5)
        entropies = [ref.bernoulli_entropy(p) for p in expected]
        assert logger.name_to_value["entropy"] == pytest.approx(np.mean(entropies))

    def test_samples_have_these_probabilities(self) -> None:
        ((a, b),) = ref.pairs(np.random.default_rng(0), 1)
        p = ref.preference_probability(a.rews, b.rews)
        gatherer = prefs.SyntheticGatherer(rng=np.random.default_rng(0))
        sample = gatherer([(a, b)] * 4000)
        assert sample.dtype == np.float32 and set(sample) == {0.0, 1.0}
        assert abs(sample.mean() - p) < 4 * np.sqrt(p * (1 - p) / 4000)

    def test_temperature_zero_prefers_the_higher_return(self) -> None:
        low, high = numbered(3), numbered(3, first=1)
        gatherer = prefs.SyntheticGatherer(0, rng=np.random.default_rng(0))
        answers = gatherer([(low, high), (high, low), (low, low)])
        np.testing.assert_array_equal(answers, np.array([0, 1, 0.5], np.float32))

    def test_certain_preferences_have_no_entropy(
        self, logger: imit_logger.HierarchicalLogger
    ) -> None:
        pair = numbered(9), numbered(9, first=1000)
        gatherer = prefs.SyntheticGatherer(
            rng=np.random.default_rng(0), threshold=1e6, custom_logger=logger
        )
        assert gatherer([pair]).tolist() == [0.0]
        assert logger.name_to_value["entropy"] == 0.0

    def test_no_pairs(self) -> None:
        assert prefs.SyntheticGatherer(sample=False)([]).shape == (0,)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    @pytest.mark.parametrize("temperature", [0, 1])
    def test_rewards_that_are_not_finite(self, wrong: float, temperature: int) -> None:
        pairs = ref.pairs(np.random.default_rng(0), 2, length=3)
        for fragment in pairs[1]:
            fragment.rews[1] = wrong
        gatherer = prefs.SyntheticGatherer(temperature, rng=np.random.default_rng(0))
        with pytest.raises(DataError, match="need finite rewards, got NaN or inf"):
            gatherer(pairs)

    def test_refused(self) -> None:
        with pytest.raises(ValueError, match="If `sample` is True, then `rng` must be"):
            prefs.SyntheticGatherer()
        with pytest.raises(ConfigError, match="temperature must not be negative"):
            prefs.SyntheticGatherer(-1, sample=False)
        pairs: Any = ref.pairs(np.random.default_rng(0), 1, rewards=False)
        with pytest.raises(DataError, match="need fragments with rewards"):
            prefs.SyntheticGatherer(sample=False)(pairs)


TRAJECTORIES = [numbered(n, first=100 * n) for n in (4, 5, 6)]


class TestTrajectoryDataset:
    @pytest.mark.parametrize("steps", [0, 1, 4, 9, 11, 15])
    def test_whole_trajectories_and_no_more_than_needed(self, steps: int) -> None:
        dataset = prefs.TrajectoryDataset(TRAJECTORIES, np.random.default_rng(0))
        for _ in range(5):
            lengths = [len(t) for t in dataset.sample(steps)]
            assert sum(lengths) >= steps
            assert len(set(lengths)) == len(lengths), "without replacement"
            assert sum(lengths[:-1]) < max(steps, 1)

    def test_every_call_shuffles(self) -> None:
        dataset = prefs.TrajectoryDataset(TRAJECTORIES, np.random.default_rng(0))
        orders = {tuple(len(t) for t in dataset.sample(15)) for _ in range(60)}
        assert len(orders) == 6

    def test_too_few(self) -> None:
        dataset = prefs.TrajectoryDataset(TRAJECTORIES)
        message = "Asked for 16 transitions but only 15 available"
        with pytest.raises(RuntimeError, match=message):
            dataset.sample(16)
        dataset.train(10)  # does nothing

    def test_state(self) -> None:
        one, other = (
            prefs.TrajectoryDataset(TRAJECTORIES, np.random.default_rng(seed))
            for seed in (0, 1)
        )
        other.load_state_dict(one.state_dict())
        assert [one.sample(9) for _ in range(5)] == [other.sample(9) for _ in range(5)]


class TestSchedules:
    def test_the_documented_example(self) -> None:
        hyperbolic = prefs.QUERY_SCHEDULES["hyperbolic"]
        rounds = schedules.comparisons_by_round(hyperbolic, 5, 200, 0.1)
        assert rounds == [20, 51, 41, 34, 29, 25]

    @pytest.mark.parametrize(
        ("name", "weights"),
        [
            ("constant", [1, 1, 1]),
            ("hyperbolic", [1, 1 / 1.5, 1 / 2]),
            ("inverse_quadratic", [1, 1 / 1.25, 1 / 2]),
            ("inverse quadratic", [1, 1 / 1.25, 1 / 2]),
        ],
    )
    def test_named(self, name: str, weights: list[float]) -> None:
        schedule = schedules.schedule_of(name)
        assert [schedule(t) for t in (0, 0.5, 1)] == pytest.approx(weights)

    @settings(max_examples=50)
    @given(st.integers(1, 30), st.integers(0, 1000), st.floats(0, 1))
    def test_every_comparison_is_in_one_round(
        self, n_iterations: int, total: int, frac: float
    ) -> None:
        for name in prefs.QUERY_SCHEDULES:
            rounds = schedules.comparisons_by_round(
                schedules.schedule_of(name), n_iterations, total, frac
            )
            assert len(rounds) == n_iterations + 1
            assert sum(rounds) == total and min(rounds) >= 0
            assert rounds[0] == int(total * frac)

    @pytest.mark.parametrize("weight", [-1.0, 0.0, np.nan, np.inf])
    def test_weights_that_are_none(self, weight: float) -> None:
        with pytest.raises(ConfigError, match="weights that are not negative"):
            schedules.comparisons_by_round(lambda t: weight, 3, 10, 0.1)

    @given(st.integers(0, 10**6), st.integers(1, 100))
    def test_even_parts(self, total: int, n: int) -> None:
        parts = schedules.even_parts(total, n)
        assert sum(parts) == total and len(parts) == n
        assert max(parts) - min(parts) <= 1
