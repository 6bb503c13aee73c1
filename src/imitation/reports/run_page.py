"""The report of one run: its result, learning curves, settings and command."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from imitation.reports import adversarial, blocks, charts, plots
from imitation.reports.blocks import Html
from imitation.reports.charts import Look
from imitation.reports.page import Report
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number
from imitation.util.statistics import Interval

# Prefixes of the statistics, in the order of the table.
_STATISTICS = ("n_traj", "return_", "len_", "monitor_")

# Episodes that a point of the curve of monitored returns averages.
_WINDOW = 20

# About the most points of that curve: one per pixel.
_POINTS = 500


def build(run: RunRecord) -> Report:
    """Builds the report of a run, to be written."""
    environment = run.setting("environment", "gym_id")
    title = f"{run.command} on {environment}" if environment else run.command
    footer = blocks.paragraph(blocks.text(f"Made by imitation report from {run.path}."))
    report = Report(title, Html(""), footer)
    if adversarial.is_adversarial(run):
        if run.result:
            report.section("Result", *_true_result(run))
        report.section("Return and reward", *adversarial.returns(run))
        report.section("Discriminator", *adversarial.discriminator(run))
        if saved := adversarial.checkpoint_list(run):
            report.section("Checkpoints", *saved)
        _rest(report, "Generator", run, adversarial.SHOWN)
        lead = adversarial.lead(run)
    elif is_preferences(run):
        lead = _preferences(report, run)
    elif run.script == "train_mce_irl":
        lead = _mce_irl(report, run)
    else:
        lead = _other(report, run)
    report.lead = blocks.text(f"{_state(run)} {lead}".strip())
    if run.status != "COMPLETED":
        resume = ["imitation", run.command, "with", f"resume={run.path}"]
        words = "This command continues the run:"
        report.section("Continue it", blocks.commands({words: resume}))
    rows = [
        [blocks.code(name), blocks.code(repr(value))]
        for name, value in leaves(run.settings, "")
    ]
    table = blocks.table("Every setting with its value", ["Setting", "Value"], rows)
    report.section("Settings", table)
    return report


def highlights(run: RunRecord, look: Look) -> list[Html]:
    """Draws the few figures that say most about a run, finished or not."""
    if adversarial.is_adversarial(run):
        accuracy = adversarial.accuracy(run, look)
        return [adversarial.return_figure(run, look), accuracy]
    if is_preferences(run):
        from imitation.reports import preferences

        return preferences.highlights(run, look)
    if run.script == "train_mce_irl":
        from imitation.reports import mce_irl

        return mce_irl.highlights(run, look)
    return charts.return_figures(run, look)


def is_preferences(run: RunRecord) -> bool:
    """Returns whether a run has learned a reward from preferences."""
    return run.script == "train_preference_comparisons"


def _preferences(report: Report, run: RunRecord) -> str:
    """Adds the sections of preference comparisons; returns the lead."""
    # Imported here: it loads networks and plays episodes.
    from imitation.reports import preferences
    from imitation.reports.preferences import judgment

    judged, missing = judgment.judge(run)
    parts = [preferences.lead(run)]
    if judged is not None:
        parts.append(judgment.lead(judged))
    if "imit_stats" in run.result:
        report.section("Result", *_true_result(run))
    held_out = preferences.HeldOut() if judged is None else judged.held_out
    report.section("Return and reward", *preferences.returns(run, held_out))
    report.section("Learning the reward", *preferences.learning(run))
    if judged is None:
        note = blocks.paragraph(blocks.text(missing))
        report.section("Reward quality", note)
    else:
        report.section("Reward quality", *judgment.reward_quality(judged))
        shown = judgment.fragments(judged, run.settings.get("environment", {}))
        report.section("Best and worst fragments", *shown)
    if saved := preferences.checkpoint_list(run):
        report.section("Checkpoints", *saved)
    _rest(report, "Agent", run, preferences.SHOWN)
    return " ".join(part for part in parts if part)


def _mce_irl(report: Report, run: RunRecord) -> str:
    """Adds the sections of MCE IRL; returns the lead."""
    # Imported here: it loads torch.
    from imitation.reports import mce_irl

    if run.result:
        # irl_stats are of the optimization and have no returns.
        returns = {k: v for k, v in run.result.items() if k != "irl_stats"}
        report.section("Result", *_result(dataclasses.replace(run, result=returns)))
    report.section("Rewards and visits", *mce_irl.maps(run))
    if shown := charts.metric_charts(run.metrics):
        report.section("While it ran", blocks.columns(*shown))
    return mce_irl.lead(run)


def _other(report: Report, run: RunRecord) -> str:
    """Adds the result and a chart of every metric; returns the lead."""
    if run.result:
        report.section("Result", *_result(run))
    shown = charts.metric_charts(run.metrics)
    if returns := [episode.episode_return for episode in run.episodes]:
        # Short runs get at least five points, long ones about a point per pixel.
        window = max(1, min(_WINDOW, len(returns) // 5))
        ends = range(window, len(returns) + 1, math.ceil(len(returns) / _POINTS))
        means = [sum(returns[end - window : end]) / window for end in ends]
        line = plots.Series("return", list(ends), means, "c0")
        note = (
            f"{len(returns):,} episodes with a mean return of "
            f"{number(sum(returns) / len(returns), 4)}; each point is the mean of "
            f"{window}."
        )
        title = "Return of the monitored episodes"
        # Above all metrics: monitors record it whatever the logger does.
        shown.insert(0, charts.figure(title, [line], "episodes", note))
    if shown:
        report.section("While it ran", blocks.columns(*shown))
    told = ", ".join(
        f"{name} {number(stats['return_mean'], 4)}"
        for name, stats in run.result.items()
        if "return_mean" in stats
    )
    return f"Mean return: {told}." if told else ""


def _rest(report: Report, name: str, run: RunRecord, shown: tuple[str, ...]) -> None:
    """Adds the metrics that other sections have not shown, to open."""
    if left := charts.metric_charts(run.metrics, shown):
        words = "Metrics of the algorithm that trains the policy"
        report.section(name, blocks.details(words, blocks.columns(*left)))


def _state(run: RunRecord) -> str:
    """Returns the state of the run, in a sentence."""
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
    """Draws the statistics of each policy that start with `measure`; lists all."""
    points = [
        plots.Row(name, interval, f"c{i % 6}")
        for i, (name, stats) in enumerate(run.result.items())
        if math.isfinite((interval := mean_with_error(stats, measure)).value)
    ]
    parts: list[Html] = []
    if points:
        note = "Bars are 1.96 standard errors of the mean to each side."
        shown = charts.estimates(title, points, "mean return", note)
        parts.append(blocks.columns(shown))

    def rank(name: str) -> tuple[int, str]:
        ranks = [i for i, start in enumerate(_STATISTICS) if name.startswith(start)]
        return min(ranks, default=len(_STATISTICS)), name

    rows = [
        [
            blocks.text(name),
            *(
                blocks.text(number(stats.get(name, math.nan), 5))
                for stats in run.result.values()
            ),
        ]
        for name in sorted({k for s in run.result.values() for k in s}, key=rank)
    ]
    numeric = range(1, len(run.result) + 1)
    headers = ["Statistic", *run.result]
    return [*parts, blocks.table("All statistics", headers, rows, numeric=numeric)]


def _true_result(run: RunRecord) -> list[Html]:
    """Draws the true returns; lists all statistics, to open."""
    words = (
        "return_ is of the learned reward for imit_stats and of the environment's "
        "for expert_stats, monitor_return_ always of the environment's."
    )
    *plot, table = _result(run, "monitor_return", "True return")
    note = blocks.paragraph(blocks.text(words))
    return [*plot, blocks.details("All statistics", blocks.join(note, table))]


def mean_with_error(stats: Mapping[str, float], measure: str) -> Interval:
    """Computes a mean and 1.96 standard errors to each side; NaN where not known.

    Args:
        stats: statistics of a result.
        measure: their prefix, such as "return".
    """
    mean, n = stats.get(f"{measure}_mean", math.nan), stats.get("n_traj", 0)
    if n < 2:
        return Interval(mean, math.nan, math.nan)
    # rollout_stats has the standard deviation of the population: hence n - 1.
    error = 1.96 * stats.get(f"{measure}_std", math.nan) / math.sqrt(n - 1)
    return Interval(mean, mean - error, mean + error)


def leaves(settings: Mapping[str, object], path: str) -> Iterator[tuple[str, Any]]:
    """Yields the dotted name, below `path`, and the value of each nested setting."""
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, name)
        else:
            yield name, value
