"""The report of several runs: their returns, what differs between them, their curves.

For runs of one command with different seeds, or with different settings.
"""

import math
from collections.abc import Mapping, Sequence

from imitation.errors import ConfigError
from imitation.reports import blocks, charts, plots
from imitation.reports.adversarial import true_return
from imitation.reports.blocks import Html
from imitation.reports.page import Report
from imitation.reports.run_page import leaves, mean_with_error
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number
from imitation.util.statistics import Interval, mean_interval

# Prefixes of the settings that say where a run writes, not what it does.
_SAME = ("logging.", "resume")


def build(runs: Sequence[RunRecord]) -> Report:
    """Builds the report of at least two runs, to be written.

    Raises:
        ConfigError: a directory is named twice.
    """
    parts = [run.path.absolute().parts for run in runs]
    # Parents are added until labels differ, as those of seed_0/run and seed_1/run.
    for depth in range(1, max(map(len, parts)) + 1):
        labels = ["/".join(part[-depth:]) for part in parts]
        if len(set(labels)) == len(labels):
            break
    else:
        raise ConfigError("the same run directory is named twice; name each one once")
    envs = (run.setting("environment", "gym_id") for run in runs)
    kinds = dict.fromkeys(
        f"{run.command} on {env}" if env else run.command
        for run, env in zip(runs, envs, strict=True)
    )
    title = f"{len(runs)} runs of {', '.join(kinds)}"
    paths = ", ".join(str(run.path) for run in runs)
    footer = blocks.paragraph(blocks.text(f"Made by imitation report from {paths}."))
    report = Report(title, _lead(runs), footer)
    report.section("Returns", *_returns(runs, labels))
    if differences := _differences(runs, labels):
        report.section("What differs", differences)
    logs = {label: run.metrics for label, run in zip(labels, runs, strict=True)}
    returns, others = charts.compared_charts(logs)
    if returns or others:
        words = "Everything else that was logged"
        rest = blocks.details(words, blocks.columns(*others))
        report.section("While they ran", blocks.columns(*returns), rest)
    return report


def _lead(runs: Sequence[RunRecord]) -> Html:
    """Returns the mean over runs, whose interval says what another seed may change."""
    means = [interval.value for interval in map(_return, runs)]
    known = [mean for mean in means if math.isfinite(mean)]
    if not known:
        return blocks.text("None of them has a result yet.")
    mean = mean_interval(known)
    words = f"Mean return of {len(known)} runs: {number(mean.value, 4)}"
    if math.isfinite(mean.low):
        low, high = number(mean.low, 4), number(mean.high, 4)
        words += f" (95% bootstrap interval over runs: {low} to {high})"
    missing = len(runs) - len(known)
    return blocks.text(f"{words}; {missing} without a result." if missing else words)


def _return(run: RunRecord) -> Interval:
    """Returns the true return of a run's learner; NaN if it has no result."""
    learner = next(iter(run.result.values()), {})
    # Where a reward was learned, return_mean is of that reward.
    measure = "monitor_return" if "monitor_return_mean" in learner else "return"
    return mean_with_error(learner, measure)


def _returns(runs: Sequence[RunRecord], labels: Sequence[str]) -> list[Html]:
    """Shows the return of each run, as a plot and in a table."""
    returns = [_return(run) for run in runs]
    points = [
        plots.Row(label, interval, f"c{i % 6}")
        for i, (label, interval) in enumerate(zip(labels, returns, strict=True))
        if math.isfinite(interval.value)
    ]
    parts: list[Html] = []
    if points:
        experts = {true_return(run, "expert_stats") for run in runs}
        # One line for all, if they share their expert.
        (expert,) = experts if len(experts) == 1 else (math.nan,)
        levels = [plots.Level("expert", expert)] if math.isfinite(expert) else []
        note = "Bars are 1.96 standard errors of the mean over episodes to each side."
        words = ("True return", points, "mean return", note, levels)
        parts.append(blocks.columns(charts.estimates(*words)))
    rows = [
        [
            Html(
                f'<span class="key c{i % 6}"></span>{blocks.text(label)}'
                f'<span class="note">{blocks.text(run.status.lower())}</span>'
            ),
            blocks.text(number(interval.value, 4)),
            blocks.text(number(true_return(run, "expert_stats"), 4)),
        ]
        for i, (run, label, interval) in enumerate(
            zip(runs, labels, returns, strict=True)
        )
    ]
    headers = ["Run", "Return", "Expert's return"]
    table = blocks.table("Mean true returns", headers, rows, numeric=(1, 2))
    return [*parts, table]


def _differences(runs: Sequence[RunRecord], labels: Sequence[str]) -> Html | None:
    """Lists the settings that are not the same in all runs."""
    settings: list[Mapping[str, object]] = [dict(leaves(r.settings, "")) for r in runs]
    names = dict.fromkeys(name for values in settings for name in values)
    rows = []
    for name in names:
        values = [repr(one[name]) if name in one else "–" for one in settings]
        if len(set(values)) > 1 and not name.startswith(_SAME):
            rows.append([blocks.code(name), *map(blocks.code, values)])
    if not rows:
        return None
    return blocks.table("Settings that differ", ["Setting", *labels], rows)
