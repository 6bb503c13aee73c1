"""The demo's report: what it found, first in a sentence, then in plots and tables."""

import dataclasses
import html
import importlib.metadata
import math
import platform
from collections.abc import Iterable, Mapping, Sequence, Sized

from imitation.reports import animation, blocks, plots
from imitation.reports.blocks import Html
from imitation.reports.page import Report
from imitation.reports.statistics import Interval
from imitation.reports.svg import number
from imitation.scripts.demo import rows
from imitation.scripts.demo.study import EnvironmentResult, Options, Result

__all__ = ["Films", "build"]

Films = Mapping[str, animation.Film]
"""Animations by the policy's label."""

NEARLY = 0.95
"""The normalised score that the first sentence calls nearly the expert's."""

_LIBRARIES = ("imitation", "torch", "stable-baselines3", "gymnasium", "numpy", "seals")


def build(
    results: Sequence[EnvironmentResult],
    films: Mapping[str, Films],
    options: Options,
    seconds: float,
) -> Report:
    """Builds the report.

    Args:
        results: one per environment.
        films: animations by environment.
        options: the user's.
        seconds: how long the demo took.

    Returns:
        The report, to be written.
    """
    report = Report("Imitating experts", _lead(results, options), _footer(seconds))
    report.section("Results at a glance", *_overview(results, options))
    for result in results:
        name = result.environment.name
        report.section(name, *_environment(result, films[name]))
    report.section("Reproduce each row", *_commands(results))
    report.section("How it was measured", *_method(results, options))
    return report


def _lead(results: Sequence[EnvironmentResult], options: Options) -> Html:
    """How many policies are nearly as good as the expert, and which are not."""
    scores = {
        f"{learner.label} in {result.environment.name}": interval.value
        for result in results
        for learner in result.learners
        if (interval := result.normalised(learner)) is not None
    }
    algorithms = {learner.label for r in results for learner in r.learners}
    sentences = [f"{_count(algorithms, 'algorithm')}, {_count(results, 'environment')}"]
    if scores:
        below = {name: score for name, score in scores.items() if score < NEARLY}
        sentences[0] += (
            f": {len(scores) - len(below)} of {_count(scores, 'policy', 'policies')} "
            f"come at least {NEARLY:.0%} of the way from random actions to the expert"
        )
        if 0 < len(below) <= 3:
            listed = [f"{name} {score:.0%}" for name, score in below.items()]
            sentences[0] += f", {' and '.join(listed)}"
    sentences[0] += "."
    if options.fast:
        sentences.append("(Made with --fast: these numbers mean nothing.)")
    return blocks.text(" ".join(sentences))


def _count(things: Sized, name: str, plural: str = "") -> str:
    """How many there are, with their name."""
    return f"{len(things)} {name if len(things) == 1 else plural or name + 's'}"


def _overview(results: Sequence[EnvironmentResult], options: Options) -> list[Html]:
    """The normalised scores of all rows, as a plot and in a table with the returns."""
    points = [
        plots.Row(learner.label, interval, learner.colour, result.environment.name)
        for result in results
        for learner in result.learners
        if (interval := result.normalised(learner)) is not None
    ]
    figures = []
    if points:
        alt = "Normalised scores with 95% intervals: " + "; ".join(
            f"{p.label} on {p.group} {_range_words(p.interval)}" for p in points
        )
        plot = plots.forest(
            points,
            x_label="normalised score",
            alt=alt,
            levels=(plots.Level("random", 0.0), plots.Level("expert", 1.0)),
        )
        figures.append(blocks.figure(plot, "How much of the expert's skill is learnt"))
    summaries = {
        learner.label: learner.summary
        for result in results
        for learner in result.learners
    }
    explained = blocks.bullets([blocks.text(text) for text in summaries.values()])
    return [
        blocks.columns(*figures, explained),
        *(_table(result, options) for result in results),
    ]


def _table(result: EnvironmentResult, options: Options) -> Html:
    lines = []
    for policy in result.everyone:
        normalised = result.normalised(policy)
        lines.append(
            [
                Html(
                    f'<span class="key {policy.colour}"></span>{_e(policy.label)} '
                    f'<span class="note">{_e(policy.origin)}</span>'
                ),
                _estimate(policy.mean),
                _definition(policy, result)
                if normalised is None
                else _estimate(normalised),
            ]
        )
    return blocks.table(
        f"{result.environment.name}: mean and 95% interval of "
        f"{_episodes(result.everyone)}",
        ["Policy", "Return", "Normalised"],
        lines,
        numeric=(1, 2),
    )


def _episodes(policies: Iterable[Result]) -> str:
    """How many episodes each policy was measured with."""
    numbers = {len(policy.returns) for policy in policies}
    at_least = "at least " if len(numbers) > 1 else ""
    return f"{at_least}{min(numbers)} episodes"


def _definition(policy: Result, result: EnvironmentResult) -> Html:
    """The normalised score of a reference."""
    if policy not in (result.expert, result.random):
        return blocks.text("–")
    value = 1 if policy is result.expert else 0
    return Html(f'{value} <span class="range">(by definition)</span>')


def _environment(result: EnvironmentResult, films: Films) -> list[Html]:
    """What it looks like, what it scores, how it was learnt."""
    shown = [policy for policy in result.everyone if policy.label in films]
    items = [
        (
            f"{policy.label}: {number(policy.mean.value)}",
            f"{policy.label} acting in {result.environment.name}; its mean return is "
            f"{number(policy.mean.value)}.",
            films[policy.label],
        )
        for policy in shown
    ]
    returns = [plots.Row(p.label, p.mean, p.colour) for p in result.everyone]
    alt = "Mean returns with 95% intervals: " + "; ".join(
        f"{row.label} {_range_words(row.interval)}" for row in returns
    )
    figures = [
        blocks.figure(
            plots.forest(returns, x_label="mean return", alt=alt),
            "Return",
            blocks.text("The dot is the mean of all episodes, the bar its interval."),
        )
    ]
    for learner in result.learners:
        figures += [_chart(chart, learner, result) for chart in learner.charts]
        figures += learner.figures
    return [
        blocks.paragraph(blocks.text(result.environment.about)),
        blocks.paragraph(
            blocks.text(
                f"{result.environment.shown} All begin in the same state and sample "
                "their actions. Below each, its mean return over all episodes."
            )
        ),
        animation.films(items, "Pause"),
        blocks.columns(*figures),
    ]


def _chart(chart: rows.Chart, learner: Result, result: EnvironmentResult) -> Html:
    curves = [curve for curve in chart.curves if any(map(math.isfinite, curve.y))]
    levels: tuple[plots.Level, ...] = ()
    if chart.is_return:
        levels = (
            plots.Level("expert", result.expert.mean.value),
            plots.Level("random", result.random.mean.value),
        )
        if chart.final_x is not None and curves:
            curves[0] = _extended(curves[0], chart.final_x, learner)
    if not curves:
        note = blocks.text("Nothing was logged.")
        return blocks.figure(Html(""), chart.title, note)
    ends = "; ".join(
        f"{curve.label} goes from {number(curve.y[0])} to {number(curve.y[-1])}"
        for curve in curves
    )
    alt = f"{chart.y_label} against {chart.x_label}: {ends}."
    plot = plots.curves(
        curves,
        x_label=chart.x_label,
        y_label=chart.y_label,
        alt=alt,
        levels=levels,
        shown=(0.0, 1.0) if chart.is_share else (),
    )
    return blocks.figure(plot, chart.title, blocks.text(chart.note))


def _extended(curve: plots.Series, x: float, learner: Result) -> plots.Series:
    """A curve with the final policy's evaluation as its last point."""
    returns = learner.returns
    low, high = curve.low, curve.high
    return dataclasses.replace(
        curve,
        x=[*curve.x, x],
        y=[*curve.y, float(returns.mean())],
        low=None if low is None else [*low, float(returns.min())],
        high=None if high is None else [*high, float(returns.max())],
    )


def _commands(results: Sequence[EnvironmentResult]) -> list[Html]:
    parts = [
        blocks.paragraph(
            blocks.text(
                "Each command gives the mean return of its row, digit for digit on the "
                "same machine: as return_mean, for what was learnt of imit_stats"
                f"{_other_statistics(results)}. What the runs of this report have "
                "written lies beside it, in runs/; imitation report runs/… shows more "
                "of each."
            )
        )
    ]
    for result in results:
        entries = "".join(
            f"<dt>{_e(policy.label)}</dt><dd>{blocks.code(policy.command)}</dd>"
            for policy in result.everyone
        )
        parts.append(Html(f"<h3>{_e(result.environment.name)}</h3>"))
        parts.append(Html(f'<dl class="commands">{entries}</dl>'))
    return parts


def _other_statistics(results: Sequence[EnvironmentResult]) -> str:
    """Says which rows have their return under another name; "" if none has."""
    learners = [learner for result in results for learner in result.learners]
    names = {x.label: None for x in learners if x.statistic != "return_mean"}
    if not names:
        return ""
    *others, last = names
    listed = f"{', '.join(others)} and {last}" if others else last
    return (
        f" (for {listed}, whose return_mean is of the reward that they have learned, "
        "as monitor_return_mean)"
    )


def _method(results: Sequence[EnvironmentResult], options: Options) -> list[Html]:
    notes = [
        "Every policy, the expert included, is measured with "
        f"{_episodes(policy for result in results for policy in result.everyone)} in "
        "as many environments side by side as its command says; equally many have the "
        "same seeds for all policies (in CliffWorld for all but MCE IRL, which sees "
        "states). Actions are sampled from the policy's distribution, as the "
        "documented evaluation does, not its mode.",
        "Intervals are 95% percentile bootstrap intervals over episodes (9,999 "
        "resamples). They say how well this policy's mean is known, not what another "
        "training seed would give.",
        "The normalised score is (return − random) / (expert − random): random actions "
        "are 0, the expert is 1. All three groups of episodes are resampled.",
        "The bundled experts come with the package; they were trained by reinforcement "
        "learning with the command train_rl. In CliffWorld, whose rules are known as "
        "tables, the expert is planned instead: of all policies the one with the "
        "largest sum of return and entropy, which is the demonstrator that MCE IRL "
        "assumes.",
        f"Everything derives from the seed {options.seed}; imitation demo --seed N "
        "repeats it with another.",
    ]
    return [blocks.bullets([blocks.text(note) for note in notes])]


def _footer(seconds: float) -> Html:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES
    )
    return blocks.paragraph(
        blocks.text(
            f"Made by imitation demo in {seconds:.0f} s, with Python "
            f"{platform.python_version()}, {versions}."
        )
    )


def _estimate(interval: Interval) -> Html:
    """A value and its interval."""
    values = (interval.value, interval.low, interval.high)
    digits = 1 if any(abs(value) >= 10 for value in values) else 2
    value, low, high = (f"{v:,.{digits}f}".replace("-", "−") for v in values)
    if not math.isfinite(interval.low):
        return blocks.text(value)
    return Html(f'{value} <span class="range">({low} to {high})</span>')


def _range_words(interval: Interval) -> str:
    return (
        f"{number(interval.value)} (from {number(interval.low)} to "
        f"{number(interval.high)})"
    )


def _e(words: str) -> str:
    return html.escape(words)
