"""Schedules by which the expert's share of the actions falls, round by round.

Ross, Gordon and Bagnell, "A Reduction of Imitation Learning and Structured Prediction
to No-Regret Online Learning" (https://arxiv.org/abs/1011.0686), section 3: in round n
each action comes from the expert with probability beta_n, from the novice otherwise.
Their guarantee needs the mean of beta_1..beta_N to vanish, as it does for both
schedules here (with a decay below 1).
"""

import abc
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from imitation.errors import ConfigError


class BetaSchedule(abc.ABC):
    """Computes beta, the share of actions taken by the expert, from the round."""

    @abc.abstractmethod
    def __call__(self, round_num: int) -> float:
        """Computes beta.

        Args:
            round_num: the number of finished rounds, 0 in the first.

        Returns:
            The probability, in [0, 1], that the expert's action is executed.
        """


class LinearBetaSchedule(BetaSchedule):
    """Falls linearly from 1 in round 0 to 0 in round `rampdown_rounds`.

    Args:
        rampdown_rounds: the first round in which only the novice acts; at least 1.

    Raises:
        ConfigError: `rampdown_rounds` is not positive.
    """

    def __init__(self, rampdown_rounds: int) -> None:
        if rampdown_rounds <= 0:
            raise ConfigError(
                f"rampdown_rounds must be at least 1, got {rampdown_rounds}; pass "
                "beta_schedule=lambda _: 0.0 to let the novice act from the start"
            )
        self.rampdown_rounds = rampdown_rounds

    @override
    def __call__(self, round_num: int) -> float:
        """Returns min(1, max(0, (R − n) / R)) with R = `rampdown_rounds`."""
        assert round_num >= 0
        rest = (self.rampdown_rounds - round_num) / self.rampdown_rounds
        return min(1.0, max(0.0, rest))


class ExponentialBetaSchedule(BetaSchedule):
    """Falls by the same factor each round.

    Args:
        decay_probability: the factor, in (0, 1].

    Raises:
        ConfigError: `decay_probability` is outside (0, 1].
    """

    def __init__(self, decay_probability: float) -> None:
        if not 0 < decay_probability <= 1:
            raise ConfigError(
                "decay_probability lies outside the range (0, 1]. "
                f"Got {decay_probability}."
            )
        self.decay_probability = decay_probability

    @override
    def __call__(self, round_num: int) -> float:
        """Returns p ** n with p = `decay_probability`."""
        assert round_num >= 0
        return float(self.decay_probability**round_num)


def describe_schedule(schedule: Callable[[int], float]) -> dict[str, Any]:
    """Describes a schedule in JSON values, so that a checkpoint can hold it.

    Args:
        schedule: one of this module, or any function of the round.

    Returns:
        What `schedule_from_description` takes. A function of yours is only named in
        it: code is not stored.
    """
    if type(schedule) is LinearBetaSchedule:
        return {"kind": "linear", "rampdown_rounds": schedule.rampdown_rounds}
    if type(schedule) is ExponentialBetaSchedule:
        return {"kind": "exponential", "decay_probability": schedule.decay_probability}
    name = getattr(schedule, "__qualname__", type(schedule).__qualname__)
    return {"kind": "custom", "name": name}


def schedule_from_description(description: Mapping[str, Any]) -> BetaSchedule:
    """Builds the schedule that `describe_schedule` described.

    Raises:
        ConfigError: it was a function of yours, which has to be passed again.
    """
    if description["kind"] == "linear":
        return LinearBetaSchedule(description["rampdown_rounds"])
    if description["kind"] == "exponential":
        return ExponentialBetaSchedule(description["decay_probability"])
    raise ConfigError(
        f"the run used a beta_schedule of its own ({description.get('name')}), which a "
        "checkpoint cannot hold; pass it again as beta_schedule="
    )
