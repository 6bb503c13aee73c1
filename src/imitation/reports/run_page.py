"""The report of one run: its result, learning curves, settings and command."""

import dataclasses
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from imitation.reports import adversarial, blocks, plots, preferences
from imitation.reports.adversarial_history import is_adversarial
from imitation.reports.blocks import Html
from imitation.reports.charts import metric_charts
from imitation.reports.page import Report
from imitation.reports.runs import Episode, RunRecord
from imitation.reports.statistics import Interval
from imitation.reports.svg import number

__all__ = ["build", "leaves", "mean_with_error"]

_STATISTICS = ("n_traj", "return_", "len_", "monitor_")
"""How names of statistics start, in the order of the table."""

_WINDOW = 20
"""Episodes that a point of the curve of monitored returns averages."""

_POINTS = 500
"""About the most points of that curve: one per pixel."""


def build(run: RunRecord) -> Report:
    """Builds the report.

    Args:
        run: what its directory holds.

    Returns:
        The report, to be written.
    """
    environment = run.settings.get("environment", {}).get("gym_id", "")
    title = f"{run.command} on {environment}" if environment else run.command
    footer = blocks.paragraph(blocks.text(f"Made by imitation report from {run.path}."))
    report = Report(title, _lead(run), footer)
    if is_adversarial(run):
        _adversarial(report, run)
    elif preferences.is_preferences(run):
        report.lead = _preferences(report, run)
    elif run.script == "train_mce_irl":
        report.lead = _mce_irl(report, run)
    else:
        if run.result:
            report.section("Result", *_result(run))
        charts = metric_charts(run.metrics)
        if run.episodes:
            charts.insert(0, _episode_chart(run.episodes))
        if charts:
            report.section("While it ran", blocks.columns(*charts))
    if run.status != "COMPLETED":
        report.section("Continue it", *_resume(run))
    report.section("Settings", _settings(run.settings))
    return report


def _adversarial(report: Report, run: RunRecord) -> None:
    """Adds what there is to say about GAIL and AIRL."""
    if run.result:
        report.section("Result", *_true_result(run))
    report.section("Return and reward", *adversarial.returns(run))
    report.section("Discriminator", *adversarial.discriminator(run))
    if saved := adversarial.checkpoints(run):
        report.section("Checkpoints", *saved)
    charts = metric_charts(run.metrics, adversarial.SHOWN)
    if charts:
        words = "Metrics of the algorithm that trains the policy"
        shown = blocks.details(words, blocks.columns(*charts))
        report.section("Generator", shown)


def _preferences(report: Report, run: RunRecord) -> Html:
    """Adds what there is to say about preference comparisons; returns the lead."""
    # Imported here: it loads networks and plays episodes.
    from imitation.reports import preferences_sections as sections

    judged, missing = sections.judge(run.path, run.settings)
    parts = [_state(run), preferences.lead(run)]
    if judged is not None:
        parts.append(sections.quality_lead(judged))
    if "imit_stats" in run.result:
        report.section("Result", *_true_result(run))
    held_out: dict[str, npt.ArrayLike] = {}
    if judged is not None:
        held_out = {
            "rounds": judged.episodes.rounds,
            "true": judged.true_returns,
            "learned": judged.learned_returns,
        }
    report.section("Return and reward", *preferences.returns(run, **held_out))
    report.section("Learning the reward", *preferences.learning(run))
    if judged is None:
        note = blocks.paragraph(blocks.text(missing))
        report.section("Reward quality", note)
    else:
        report.section("Reward quality", *sections.reward_quality(judged))
        environment = run.settings.get("environment", {})
        shown = sections.fragments(judged, environment)
        report.section("Best and worst fragments", *shown)
    if saved := preferences.checkpoints(run):
        report.section("Checkpoints", *saved)
    charts = metric_charts(run.metrics, preferences.SHOWN)
    if charts:
        words = "Metrics of the algorithm that trains the policy"
        shown_charts = blocks.details(words, blocks.columns(*charts))
        report.section("Agent", shown_charts)
    return blocks.text(" ".join(part for part in parts if part))


def _mce_irl(report: Report, run: RunRecord) -> Html:
    """Adds what there is to say about MCE IRL; returns the lead."""
    # Imported here: it loads torch.
    from imitation.reports import mce_irl

    if run.result:
        returns = {k: v for k, v in run.result.items() if k != "irl_stats"}
        report.section("Result", *_result(dataclasses.replace(run, result=returns)))
    report.section("Rewards and visits", *mce_irl.maps(run))
    if charts := mce_irl.learning(run):
        report.section("While it ran", *charts)
    return blocks.text(f"{_state(run)} {mce_irl.lead(run)}".strip())


def _lead(run: RunRecord) -> Html:
    """Whether it finished, and the mean returns."""
    state = _state(run)
    if is_adversarial(run):
        return blocks.text(f"{state} {adversarial.lead(run)}".strip())
    means = ", ".join(
        f"{name} {number(stats['return_mean'], 4)}"
        for name, stats in run.result.items()
        if "return_mean" in stats
    )
    return blocks.text(f"{state} Mean return: {means}." if means else state)


def _state(run: RunRecord) -> str:
    """Whether it finished, in a sentence."""
    state = {
        "COMPLETED": "Completed.",
        "RUNNING": "Still running, or killed.",
        "INTERRUPTED": "Interrupted.",
        "FAILED": "Failed.",
    }.get(run.status, "It is not known whether it finished.")
    if run.n_resumed:
        times = "once" if run.n_resumed == 1 else f"{run.n_resumed} times"
        state = f"{state[:-1]}, resumed {times}."
    return state


def _result(
    run: RunRecord, measure: str = "return", title: str = "Return"
) -> list[Html]:
    """The returns of each policy as a plot, and all statistics in a table.

    Args:
        run: a run with a result.
        measure: how the names of the statistics start that are plotted.
        title: of the plot.
    """
    points = [
        plots.Row(name, interval, f"c{i % 6}")
        for i, (name, stats) in enumerate(run.result.items())
        if math.isfinite((interval := mean_with_error(stats, measure)).value)
    ]
    parts: list[Html] = []
    if points:
        alt = "Mean returns: " + "; ".join(
            f"{p.label} {number(p.interval.value, 4)}" for p in points
        )
        plot = plots.forest(points, x_label="mean return", alt=alt)
        note = blocks.text("Bars are 1.96 standard errors of the mean to each side.")
        parts.append(blocks.columns(blocks.figure(plot, title, note)))
    names = sorted({key for s in run.result.values() for key in s}, key=_rank)
    rows = [
        [
            blocks.text(name),
            *(
                blocks.text(number(stats.get(name, math.nan), 5))
                for stats in run.result.values()
            ),
        ]
        for name in names
    ]
    numeric = range(1, len(run.result) + 1)
    headers = ["Statistic", *run.result]
    return [*parts, blocks.table("All statistics", headers, rows, numeric=numeric)]


def _true_result(run: RunRecord) -> list[Html]:
    """The true returns as a plot, and all statistics to open."""
    words = (
        "return_ is of the learned reward for imit_stats and of the environment's "
        "for expert_stats, monitor_return_ always of the environment's."
    )
    *plot, table = _result(run, "monitor_return", "True return")
    note = blocks.paragraph(blocks.text(words))
    return [*plot, blocks.details("All statistics", blocks.join(note, table))]


def _rank(name: str) -> tuple[int, str]:
    """Where a statistic belongs in the table."""
    ranks = [i for i, start in enumerate(_STATISTICS) if name.startswith(start)]
    return min(ranks, default=len(_STATISTICS)), name


def mean_with_error(stats: Mapping[str, float], measure: str) -> Interval:
    """Computes a mean and 1.96 standard errors to each side; NaN where it is not known.

    Args:
        stats: statistics of a result.
        measure: how their names start, such as "return".
    """
    mean, n = stats.get(f"{measure}_mean", math.nan), stats.get("n_traj", 0)
    if n < 2:
        return Interval(mean, math.nan, math.nan)
    # rollout_stats has the standard deviation of the population.
    error = 1.96 * stats.get(f"{measure}_std", math.nan) / math.sqrt(n - 1)
    return Interval(mean, mean - error, mean + error)


def _episode_chart(episodes: Sequence[Episode]) -> Html:
    """The returns of the monitored episodes, averaged over a window."""
    window = max(1, min(_WINDOW, len(episodes) // 5))
    returns = [episode.episode_return for episode in episodes]
    ends = range(window, len(episodes) + 1, math.ceil(len(episodes) / _POINTS))
    curve = plots.Series(
        "return",
        list(ends),
        [sum(returns[end - window : end]) / window for end in ends],
        "c0",
    )
    mean = sum(returns) / len(returns)
    words = f"{len(returns):,} episodes with a mean return of {number(mean, 4)}"
    plot = plots.curves(
        [curve], x_label="episodes", y_label="", alt=f"Returns of {words}."
    )
    note = blocks.text(f"{words}; each point is the mean of {window}.")
    return blocks.figure(plot, "Return of the monitored episodes", note)


def _resume(run: RunRecord) -> list[Html]:
    """How to continue the run."""
    resume = ["imitation", run.command, "with", f"resume={run.path}"]
    words = blocks.text("This command goes on where the run has stopped:")
    return [
        blocks.paragraph(words),
        Html(f"<pre>{blocks.code(shlex.join(resume))}</pre>"),
    ]


def _settings(settings: Mapping[str, Any]) -> Html:
    rows = [
        [blocks.code(name), blocks.code(repr(value))]
        for name, value in leaves(settings, "")
    ]
    return blocks.table("Every setting with its value", ["Setting", "Value"], rows)


def leaves(settings: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Finds the settings in nested mappings.

    Args:
        settings: nested mappings.
        path: where they belong, put before the names; "" for nowhere.

    Yields:
        The dotted name and the value of each leaf.
    """
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, name)
        else:
            yield name, value
