"""The demo's report: what it found, first in a sentence, then in plots and tables.

It is rebuilt whenever a row starts or ends, so everything that takes time to compute or
to draw is computed once per result.
"""

import dataclasses
import functools
import importlib.metadata
import math
import platform
import shlex
from collections.abc import Sequence, Sized

from imitation.reports import animation, blocks, charts, plots, run_page, runs
from imitation.reports.blocks import Html
from imitation.reports.charts import Look
from imitation.reports.page import Report
from imitation.reports.svg import number
from imitation.scripts.demo import runner
from imitation.scripts.demo.study import (
    EXPERT,
    RANDOM,
    DemoEnvironment,
    Options,
    Result,
    normalized,
)
from imitation.util.statistics import Interval

# The normalized score that the first sentence calls nearly the expert's.
NEARLY = 0.95

# Period in which the page reloads itself while rows are missing.
RELOAD_SECONDS = 10

_LIBRARIES = ("imitation", "torch", "stable-baselines3", "gymnasium", "numpy", "seals")


@dataclasses.dataclass(frozen=True)
class Measured:
    """The results so far in one environment."""

    environment: DemoEnvironment
    """The environment."""

    results: tuple[Result, ...]
    """Of the expert, the rows and random actions, as far as they are known."""

    @property
    def learners(self) -> list[Result]:
        """The results of the rows."""
        return [result for result in self.results if result.cell.row]

    def reference(self, label: str) -> Result | None:
        """Returns the result of the expert or of random actions, if it is known."""
        return next((r for r in self.results if r.cell.label == label), None)

    def score(self, result: Result) -> Interval | None:
        """Returns the normalized score of a row, if it is known."""
        expert, random = self.reference(EXPERT), self.reference(RANDOM)
        if expert is None or random is None or result.cell.row is None:
            return None
        return normalized(result, expert, random)


def build(
    measured: Sequence[Measured],
    states: Sequence[runner.State],
    options: Options,
    seconds: float,
) -> Report:
    """Builds the report."""
    left = [state for state in states if state.status in ("waiting", "running")]
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES
    )
    made = (
        f"Made by imitation demo in {seconds:.0f} s, with Python "
        f"{platform.python_version()}, {versions}."
    )
    report = Report(
        "Imitating experts",
        _lead(measured, options),
        blocks.paragraph(blocks.text(made)),
        reload_seconds=RELOAD_SECONDS if left else 0,
    )
    if notices := _notices(states):
        report.section("Progress" if left else "Failures", *notices)
    shown = [one for one in measured if one.results]
    if shown:
        report.section("Results at a glance", *_overview(shown))
    for one in shown:
        report.section(one.environment.name, *_environment(one))
    if shown:
        report.section("Reproduce each row", *_commands(shown))
    report.section("How it was measured", *_method(options))
    return report


def _lead(measured: Sequence[Measured], options: Options) -> Html:
    """Says how many policies are nearly as good as the expert, and which are not."""
    scores = {
        f"{learner.cell.label} in {one.environment.name}": interval.value
        for one in measured
        for learner in one.learners
        if (interval := one.score(learner)) is not None
    }
    algorithms = {learner.cell.label for one in measured for learner in one.learners}
    told = f"{_count(algorithms, 'algorithm')}, {_count(measured, 'environment')}"
    if scores:
        below = {name: score for name, score in scores.items() if score < NEARLY}
        told += (
            f": {len(scores) - len(below)} of {_count(scores, 'policy', 'policies')} "
            f"come at least {NEARLY:.0%} of the way from random actions to the expert"
        )
        if 0 < len(below) <= 3:
            listed = [f"{name} {score:.0%}" for name, score in below.items()]
            told += f", {' and '.join(listed)}"
    told += "."
    if options.fast:
        told += " (Made with --fast: these numbers mean nothing.)"
    return blocks.text(told)


def _count(things: Sized, name: str, plural: str = "") -> str:
    return f"{len(things)} {name if len(things) == 1 else plural or name + 's'}"


def _notices(states: Sequence[runner.State]) -> list[Html]:
    """Lists the rows that have no result, and why."""
    names: dict[str, list[str]] = {}
    for state in states:
        names.setdefault(state.status, []).append(state.row.name)
    notices = []
    listed = [
        f"{s}: {', '.join(names[s])}" for s in ("running", "waiting") if s in names
    ]
    if listed:
        words = (
            f"{len(names.get('done', ()))} of {len(states)} rows are done. "
            f"{'; '.join(listed)}. The page reloads itself."
        )
        notices.append(blocks.notice("Work in progress", blocks.text(words)))
    for state in states:
        if state.status == "failed":
            words = f"{state.error}. {state.row.directory / runner.OUTPUT} shows more."
            heading = f"{state.row.name} has failed"
            notices.append(blocks.notice(heading, blocks.text(words)))
    return notices


def _overview(measured: Sequence[Measured]) -> list[Html]:
    """Shows the normalized scores of all rows in a plot, and all returns in tables."""
    points = [
        plots.Row(
            learner.cell.label, interval, learner.cell.color, one.environment.name
        )
        for one in measured
        for learner in one.learners
        if (interval := one.score(learner)) is not None
    ]
    parts = []
    if points:
        title = "How much of the expert's skill is learned"
        levels = [plots.Level("random", 0.0), plots.Level("expert", 1.0)]
        words = (title, points, "normalized score", "", levels)
        parts.append(charts.estimates(*words))
    summaries = {
        cell.label: cell.row.summary
        for one in measured
        for learner in one.learners
        if (cell := learner.cell).row
    }
    parts.append(blocks.bullets([blocks.text(text) for text in summaries.values()]))
    return [blocks.columns(*parts), *map(_table, measured)]


def _table(one: Measured) -> Html:
    lines = []
    for result in one.results:
        score = one.score(result)
        if score is not None:
            shown = _estimate(score)
        elif result.cell.row is None:
            value = 1 if result.cell.label == EXPERT else 0
            shown = Html(f'{value} <span class="range">(by definition)</span>')
        else:
            shown = blocks.text("–")
        label = blocks.text(result.cell.label)
        name = Html(
            f'<span class="key {result.cell.color}"></span>{label} '
            f'<span class="note">{blocks.text(result.origin)}</span>'
        )
        lines.append([name, _estimate(result.mean), shown])
    n_episodes = {len(result.returns) for result in one.results}
    at_least = "at least " if len(n_episodes) > 1 else ""
    caption = (
        f"{one.environment.name}: mean and 95% interval of {at_least}"
        f"{min(n_episodes)} episodes"
    )
    headers = ["Policy", "Return", "Normalized"]
    return blocks.table(caption, headers, lines, numeric=(1, 2))


def _estimate(interval: Interval) -> Html:
    """Writes a value and its interval."""
    values = (interval.value, interval.low, interval.high)
    digits = 1 if any(abs(value) >= 10 for value in values) else 2
    # The minus sign is as wide as a digit, unlike the hyphen.
    value, low, high = (f"{v:,.{digits}f}".replace("-", "−") for v in values)
    if not math.isfinite(interval.low):
        return blocks.text(value)
    return Html(f'{value} <span class="range">({low} to {high})</span>')


def _environment(one: Measured) -> list[Html]:
    """Shows policies in motion, their returns, and how they learned."""
    films = [
        (
            f"{result.cell.label}: {number(result.mean.value)}",
            f"{result.cell.label} acting in {one.environment.name}; its mean return is "
            f"{number(result.mean.value)}.",
            result.film,
        )
        for result in one.results
        if result.film is not None
    ]
    returns = [plots.Row(r.cell.label, r.mean, r.cell.color) for r in one.results]
    note = "The dot is the mean of all episodes, the bar its interval."
    figures = [charts.estimates("Return", returns, "mean return", note)]
    references = one.reference(EXPERT), one.reference(RANDOM)
    for learner in one.learners:
        figures += _highlights(learner, *references)
    words = (
        f"{one.environment.shown} All begin in the same state and sample their "
        "actions. Below each, its mean return over all episodes."
    )
    return [
        blocks.paragraph(blocks.text(one.environment.about)),
        blocks.paragraph(blocks.text(words)),
        animation.films(films, "Pause"),
        blocks.columns(*figures),
    ]


# Once per result: the page is rebuilt whenever a row starts or ends.
@functools.cache
def _highlights(
    learner: Result, expert: Result | None, random: Result | None
) -> list[Html]:
    """Draws what ``imitation report`` would, beside the returns of the references."""
    known = (("expert", expert), ("random", random))
    levels = [plots.Level(name, r.mean.value) for name, r in known if r is not None]
    look = Look(learner.cell.color, learner.cell.label, tuple(levels))
    return run_page.highlights(runs.read_run(learner.cell.directory), look)


def _commands(measured: Sequence[Measured]) -> list[Html]:
    cells = [result.cell for one in measured for result in one.learners]
    names = dict.fromkeys(c.label for c in cells if c.statistic != "return_mean")
    others = ""
    if names:
        others = (
            f" (for {', '.join(names)}, whose return_mean is of the reward that they "
            "have learned, as monitor_return_mean)"
        )
    words = (
        "Each command gives the mean return of its row, digit for digit on the same "
        f"machine: as return_mean, for what was learned of imit_stats{others}. The "
        "runs of this report lie beside it, in runs/; imitation report runs/… shows "
        "more of each."
    )
    parts = [blocks.paragraph(blocks.text(words))]
    for one in measured:
        commands = {r.cell.label: shlex.split(r.cell.command) for r in one.results}
        parts.append(Html(f"<h3>{blocks.text(one.environment.name)}</h3>"))
        parts.append(blocks.commands(commands))
    return parts


def _method(options: Options) -> list[Html]:
    notes = [
        f"Every policy, the expert included, is measured with at least "
        f"{options.n_episodes} episodes in "
        "as many environments side by side as its command says; equally many have the "
        "same seeds for all policies (in CliffWorld for all but MCE IRL, which sees "
        "states). Actions are sampled from the policy's distribution, as the "
        "documented evaluation does, not its mode.",
        "Intervals are 95% percentile bootstrap intervals over episodes (9,999 "
        "resamples). They say how well this policy's mean is known, not what another "
        "training seed would give.",
        "The normalized score is (return − random) / (expert − random): random actions "
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
