"""Recomputes the benchmark summary that release 1.0 published, from its printed rows.

Two things went wrong there. The intervals of mean and interquartile mean were printed
across each other: the array of bounds was indexed the wrong way round. And DAgger's
scores were normalized by a weaker expert than those of the other algorithms.
"""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "returns" / "published.json"
CONSISTENT = ("airl", "bc", "gail")
"""The algorithms whose runs stored the expert's own score."""


def published() -> Mapping[str, Any]:
    return json.loads(FILE.read_text("utf-8"))


def references(summary: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The random and the expert score that explain the printed rows, by environment.

    score = random + normalized · (expert − random) is a line through the printed pairs
    of the algorithms that used the same expert; it is fitted by least squares.
    """
    found = {}
    for i, env in enumerate(summary["environments"]):
        rows = [summary["algorithms"][name] for name in CONSISTENT]
        normalized = [row["normalized"][i][0] for row in rows]
        scores = [row["score"][i][0] for row in rows]
        span, random = np.polyfit(normalized, scores, 1)
        found[env] = float(random), float(random + span)
    return found


def implied_expert(
    summary: Mapping[str, Any], name: str, env: str, random: float
) -> float:
    """The expert score that an algorithm's own row was normalized by."""
    i = summary["environments"].index(env)
    row = summary["algorithms"][name]
    return random + (row["score"][i][0] - random) / row["normalized"][i][0]


def rescaled(summary: Mapping[str, Any], name: str) -> dict[str, float]:
    """An algorithm's mean scores, normalized by the same references as all others."""
    scores = summary["algorithms"][name]["score"]
    return {
        env: (scores[i][0] - random) / (expert - random)
        for i, (env, (random, expert)) in enumerate(references(summary).items())
    }


def uncrossed(row: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """The bounds of the mean and of the interquartile mean.

    Printed were, as if they were one interval, both lower bounds beside the mean and
    both upper bounds beside the interquartile mean.
    """
    (low_mean, low_iqm), (high_mean, high_iqm) = row["mean"][1], row["iqm"][1]
    return [low_mean, high_mean], [low_iqm, high_iqm]


def interval(value: float, bounds: list[float]) -> str:
    return f"{value:.3f} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def intervals_table() -> str:
    """Aggregates as printed and with their own bounds."""
    rows = []
    for name, row in published()["algorithms"].items():
        mean, iqm = uncrossed(row)
        rows.append(
            [
                name.upper(),
                *(interval(*row[key]) for key in ("mean", "iqm")),
                *(interval(row["mean"][0], mean), interval(row["iqm"][0], iqm)),
            ]
        )
    header = ["", "mean, printed", "IQM, printed", "mean, corrected", "IQM, corrected"]
    return table(header, rows)


def dagger_table() -> str:
    """DAgger's scores by its own denominators and by everybody else's."""
    summary = published()
    again = rescaled(summary, "dagger")
    printed = [pair[0] for pair in summary["algorithms"]["dagger"]["normalized"]]
    rows = []
    for (env, (random, expert)), old in zip(
        references(summary).items(), printed, strict=True
    ):
        own = implied_expert(summary, "dagger", env, random)
        numbers = [f"{n:.1f}".replace("-", "−") for n in (random, expert, own)]
        rows.append([f"`{env}`", *numbers, f"{old:.3f}", f"{again[env]:.3f}"])
    means = statistics.fmean(printed), statistics.fmean(again.values())
    rows.append(["mean", "", "", "", *(f"{mean:.3f}" for mean in means)])
    header = ["", "random", "expert", "expert in DAgger's row", "printed", "corrected"]
    return table(header, rows)
