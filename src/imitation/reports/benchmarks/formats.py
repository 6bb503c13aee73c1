"""Writing a summary as Markdown, LaTeX, HTML, or its runs as CSV."""

import csv
import io
import pathlib
from collections.abc import Callable, Mapping

import numpy as np

from imitation import __version__
from imitation.errors import ConfigError
from imitation.reports import blocks, charts, plots
from imitation.reports.benchmarks.summary import Algorithm, Summary
from imitation.reports.benchmarks.tables import INTRODUCTION, sections
from imitation.reports.page import Report
from imitation.util import artifacts

_TITLE = "Benchmark Summary"


def to_csv(summary: Summary) -> str:
    """Writes one row per run: algorithm, environment, score and expert's score.

    Returns:
        CSV with a header; the columns ``algo``, ``env``, ``score`` and
        ``expert_score`` (empty if unknown) come first, then ``normalized_score`` and
        ``seed``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("algo", "env", "score", "expert_score", "normalized_score", "seed")
    writer.writerow(columns)
    for run in summary.runs:
        reference = summary.references[run.env]
        assert run.score is not None, "summaries hold runs with scores"
        scaled = reference.normalize(run.score) if reference.complete else None
        cells = (run.algorithm, run.env, run.score, run.expert_score, scaled, run.seed)
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def to_markdown(summary: Summary) -> str:
    """Writes a page of Markdown tables."""
    parts = [f"# {_TITLE}", f"## Scores\n\n{INTRODUCTION}"]
    for section in sections(summary):
        parts.append(f"### {section.heading}")
        if section.note:
            parts.append(section.note)
        for table in section.tables:
            if len(section.tables) > 1:
                parts.append(f"#### {table.caption}")
            lines = [table.headers, ["---"] * len(table.headers), *table.rows]
            escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in escaped))
    return "\n\n".join(parts) + "\n"


def to_latex(summary: Summary) -> str:
    """Writes tables for a LaTeX document that uses the package booktabs."""
    parts = [f"% {_TITLE}; needs \\usepackage{{booktabs}}", f"% {INTRODUCTION}"]
    pairs = (
        (section, table) for section in sections(summary) for table in section.tables
    )
    for section, table in pairs:
        alignment = "l" * table.n_text + "r" * (len(table.headers) - table.n_text)
        rows = [" & ".join(map(_latex_text, row)) + r" \\" for row in table.rows]
        lines = [
            r"\begin{table}",
            rf"\caption{{{_latex_text(f'{section.heading}: {table.caption}')}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            " & ".join(map(_latex_text, table.headers)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def to_html(summary: Summary) -> str:
    """Writes a self-contained page with plots."""
    n_envs = len({run.env for run in summary.runs})
    lead = (
        f"{len(summary.runs)} runs of {len(summary.algorithms)} algorithms in "
        f"{n_envs} environments. {INTRODUCTION}"
    )
    footer = blocks.text(f"Made by imitation benchmark_summary, version {__version__}.")
    report = Report(_TITLE, blocks.text(lead), blocks.paragraph(footer))
    scaled = [a for a in summary.algorithms if a.mean and a.iqm]
    if scaled:
        report.section("Aggregates", blocks.columns(*_plots(scaled)))
    for section in sections(summary):
        tables = [
            blocks.table(
                table.caption,
                table.headers,
                [[blocks.text(cell) for cell in row] for row in table.rows],
                numeric=range(table.n_text, len(table.headers)),
            )
            for table in section.tables
        ]
        note = [blocks.paragraph(blocks.text(section.note))] if section.note else []
        report.section(section.heading, *note, *tables)
    return report.to_html()


# Writers of a summary, by the suffix of the file.
FORMATS: Mapping[str, Callable[[Summary], str]] = {
    ".csv": to_csv,
    ".html": to_html,
    ".md": to_markdown,
    ".tex": to_latex,
}


def check_suffix(path: pathlib.Path) -> None:
    """Raises a `ConfigError` unless a file's suffix names a format."""
    if path.suffix not in FORMATS:
        raise ConfigError(
            f"--output {path}: expected a file ending in {', '.join(FORMATS)}"
        )


def write(summary: Summary, path: pathlib.Path) -> None:
    """Writes a summary in the format that a file's suffix names, atomically.

    Raises:
        ConfigError: the suffix names no format.
    """
    check_suffix(path)
    content = FORMATS[path.suffix](summary)
    with artifacts.replacing_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _latex_text(text: str) -> str:
    """Escapes what LaTeX would take for commands."""
    text = text.replace("\\", r"\textbackslash ")
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text.replace("~", r"\textasciitilde ").replace(">", r"\textgreater ")


def _plots(algorithms: list[Algorithm]) -> list[blocks.Html]:
    """The aggregates with their intervals, and the profiles."""
    rows, curves = [], []
    for i, algorithm in enumerate(algorithms):
        color = f"c{i % 6}"
        assert algorithm.mean is not None and algorithm.iqm is not None
        for name, interval in (("mean", algorithm.mean), ("IQM", algorithm.iqm)):
            rows.append(plots.Row(algorithm.name, interval, color, name))
        profile = algorithm.profile
        assert profile is not None
        taus, share = profile.thresholds.tolist(), profile.fraction.tolist()
        low = high = None
        if not np.isnan(profile.low).any():  # single runs have no bounds
            low, high = profile.low.tolist(), profile.high.tolist()
        curves.append(plots.Series(algorithm.name, taus, share, color, low, high))
    rows.sort(key=lambda row: row.group)
    label = "normalized score"
    forest = charts.estimates("Aggregate scores", rows, label)
    alt = "Share of runs above each normalized score, by algorithm"
    profiles = plots.graph(curves, x_label=label, y_label="share of runs", alt=alt)
    return [forest, blocks.figure(profiles, "Performance profiles")]
