"""Agreement between people and with the reward model."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from imitation.data.labels.queue import LabelQueue, PairRecord
from imitation.data.labels.statistics import Agreement, krippendorff_alpha


def slow_alpha(units: list[list[float]]) -> float:
    """Alpha from all pairs of values, as its definition says."""
    units = [values for values in units if len(values) > 1]
    everything = [value for values in units for value in values]
    n = len(everything)
    observed = sum(
        (x != y) / (len(values) - 1)
        for values in units
        for x, y in itertools.permutations(values, 2)
    )
    expected = sum(x != y for x, y in itertools.permutations(everything, 2))
    return 1 - (observed / n) / (expected / (n * (n - 1)))


def test_alpha_equals_its_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        units = [
            rng.choice([0.0, 0.5, 1.0], size=rng.integers(0, 5)).tolist()
            for _ in range(12)
        ]
        assert krippendorff_alpha(units) == pytest.approx(slow_alpha(units))


def test_alpha_of_a_published_example() -> None:
    """Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), part B."""
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    units = [[float(a), float(b)] for a, b in zip(first, second, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.095, abs=5e-4)


@pytest.mark.parametrize("units", [[], [[1.0]], [[1.0, 1.0], [1.0, 1.0]]])
def test_alpha_is_undefined_without_variation(units: list[list[float]]) -> None:
    assert krippendorff_alpha(units) is None


def test_alpha_of_perfect_agreement_is_one() -> None:
    assert krippendorff_alpha([[1.0, 1.0], [0.0, 0.0]]) == 1


def test_statistics_of_a_queue(tmp_path: Path) -> None:
    probabilities = [0.9, 0.2, 0.5, None, 0.8]
    given: dict[str, list[float | None]] = {
        "ann": [1.0, 1.0, 1.0, 1.0, 0.5],
        "bob": [1.0, 0.0, 1.0, None],
        "cleo": [0.0],
    }
    with LabelQueue(tmp_path) as queue:
        queue.set_overlap(3)
        queue.add(
            [PairRecord(meta={"model_probability": value}) for value in probabilities]
        )
        for name, preferences in given.items():
            queue.lease(name, 8)
            for pair, preference in enumerate(preferences, start=1):
                queue.submit(pair, name, preference)
        queue.undo("cleo")
        queue.submit(1, "cleo", 1.0)
        found = queue.statistics()
    assert (found.pairs, found.judged, found.pending) == (5, 5, 4)
    # Pairs 1 and 2 can be compared: Ann agrees once, Bob twice, Cleo once.
    assert found.model == Agreement(4, 5)
    ann, bob, cleo = found.labelers
    assert [person.name for person in found.labelers] == ["ann", "bob", "cleo"]
    assert (ann.labels, bob.labels, bob.skips) == (5, 3, 1)
    assert (ann.model, bob.model, cleo.model) == (
        Agreement(1, 2),
        Agreement(2, 2),
        Agreement(1, 1),
    )
    # Together: pair 1 (all three agree), 2 (Ann and Bob do not), 3 (they do).
    assert (ann.others, bob.others, cleo.others) == (
        Agreement(3, 4),
        Agreement(3, 4),
        Agreement(2, 2),
    )
    assert found.people == Agreement(4, 5)


def test_statistics_of_an_empty_queue(tmp_path: Path) -> None:
    with LabelQueue(tmp_path) as queue:
        found = queue.statistics()
    assert (found.pairs, found.labelers, found.alpha) == (0, (), None)
    assert found.model == found.people == Agreement(0, 0)
