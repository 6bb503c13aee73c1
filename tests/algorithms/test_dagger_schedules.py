"""Schedules of DAgger against closed forms, and their descriptions."""

import json
from typing import Any

import pytest

from imitation.algorithms import dagger
from imitation.algorithms.dagger import schedules
from imitation.errors import ConfigError


@pytest.mark.parametrize("rampdown", [1, 3, 15])
def test_linear_reaches_zero_after_rampdown_rounds(rampdown: int) -> None:
    schedule = dagger.LinearBetaSchedule(rampdown)
    betas = [schedule(n) for n in range(rampdown + 3)]
    assert betas[:rampdown] == [(rampdown - n) / rampdown for n in range(rampdown)]
    assert betas[rampdown:] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("p", [0.1, 0.7, 1.0])
def test_exponential_is_a_power(p: float) -> None:
    schedule = dagger.ExponentialBetaSchedule(p)
    product = 1.0
    for n in range(6):
        assert schedule(n) == pytest.approx(product)
        product *= p


@pytest.mark.parametrize("p", [0.0, -0.5, 1.1, float("nan")])
def test_exponential_rejects_decay_outside_range(p: Any) -> None:
    with pytest.raises(ValueError, match=r"lies outside the range \(0, 1\]"):
        dagger.ExponentialBetaSchedule(p)


@pytest.mark.parametrize("rampdown", [0, -1])
def test_linear_rejects_nonpositive_rampdown(rampdown: int) -> None:
    with pytest.raises(ValueError, match="rampdown_rounds must be at least 1"):
        dagger.LinearBetaSchedule(rampdown)


@pytest.mark.parametrize(
    "schedule", [dagger.LinearBetaSchedule(3), dagger.ExponentialBetaSchedule(0.5)]
)
def test_schedules_refuse_negative_rounds(schedule: Any) -> None:
    with pytest.raises(AssertionError):
        schedule(-1)


@pytest.mark.parametrize(
    "schedule", [dagger.LinearBetaSchedule(7), dagger.ExponentialBetaSchedule(0.7)]
)
def test_description_survives_json(schedule: Any) -> None:
    text = json.dumps(schedules.describe_schedule(schedule))
    rebuilt = schedules.schedule_from_description(json.loads(text))
    assert type(rebuilt) is type(schedule)
    assert [rebuilt(n) for n in range(9)] == [schedule(n) for n in range(9)]


def test_own_schedule_has_to_be_passed_again() -> None:
    class Halved(dagger.LinearBetaSchedule):
        def __call__(self, round_num: Any) -> Any:
            return super().__call__(round_num) / 2

    for own in (Halved(3), lambda n: 0.5):
        description = json.loads(json.dumps(schedules.describe_schedule(own)))
        with pytest.raises(ConfigError, match="pass it again as beta_schedule="):
            schedules.schedule_from_description(description)
