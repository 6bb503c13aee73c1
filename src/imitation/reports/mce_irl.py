"""What a report says about a reward learned in a tabular environment.

Maps of the learned reward and of the visits that it leads to, beside those of the
environment's reward and of the demonstrations.
"""

import math

import numpy as np

from imitation.algorithms.mce_irl.tables import Tables, load_tables
from imitation.envs.tabular.layouts import Array
from imitation.errors import ArtifactError
from imitation.reports import blocks, svg
from imitation.reports.axes import WIDTH
from imitation.reports.blocks import Html
from imitation.reports.charts import metric_charts
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number

__all__ = ["heat_map", "lead", "learning", "maps", "reward_maps", "visit_maps"]

MAX_STATES = 4000
"""More states than this are not drawn."""

MAX_WRITTEN = 100
"""Up to this many states, each cell holds its value."""

COLUMNS = 10
"""States side by side where they are not the cells of a grid."""

DARKEST = 0.6
"""Opacity of the largest value: text on it can still be read, on dark pages as well."""

BELOW = "c1"
"""Class of the colour of negative values beside positive ones."""


def lead(run: RunRecord) -> str:
    """Says how good policy and reward are, in a sentence; "" if that is not known.

    Args:
        run: of train_mce_irl.
    """
    irl = run.result.get("irl_stats", {})
    policy = run.result.get("imit_stats", {}).get("return_mean", math.nan)
    expert = run.result.get("expert_stats", {}).get("return_mean", math.nan)
    if not math.isfinite(policy):
        return ""
    told = f"The policy for the learned reward returns {number(policy, 4)}"
    if math.isfinite(expert):
        told += f", the demonstrations {number(expert, 4)}"
    delta = irl.get("linf_delta", math.nan)
    if not math.isfinite(delta):
        return f"{told}."
    return (
        f"{told}. No state is visited by more than {number(delta)} oftener or more "
        f"rarely than demonstrated, after {number(irl.get('iterations', math.nan))} "
        "iterations."
    )


def learning(run: RunRecord) -> list[Html]:
    """Shows how the difference of visits fell.

    Args:
        run: of train_mce_irl.
    """
    charts = metric_charts(run.metrics)
    return [blocks.columns(*charts)] if charts else []


def maps(run: RunRecord) -> list[Html]:
    """Shows rewards and visits, state by state.

    Args:
        run: of train_mce_irl; nothing is shown of one that has not finished.
    """
    try:
        tables = load_tables(run.path / "checkpoints" / "final")
    except ArtifactError:
        words = "The maps are drawn when the run has finished."
        return [blocks.paragraph(blocks.text(words))]
    if len(tables.reward) > MAX_STATES:
        words = (
            f"{number(len(tables.reward))} states are too many to draw; "
            "checkpoints/final/tables.safetensors holds their rewards and visits."
        )
        return [blocks.paragraph(blocks.text(words))]
    return [
        blocks.columns(*reward_maps(tables)),
        blocks.columns(*visit_maps(tables)),
    ]


def reward_maps(tables: Tables) -> list[Html]:
    """Shows the learned reward beside that of the environment.

    Args:
        tables: of a training.

    Returns:
        Two figures.
    """
    order = "" if tables.grid else " States are in order, row by row."
    return [
        _figure(
            tables,
            tables.reward,
            "Learned reward",
            "Any reward that leads to the same behaviour explains the demonstrations "
            f"equally well; its zero and its scale mean little.{order}",
        ),
        _figure(
            tables, tables.true_reward, "The environment's reward", "Never shown to it."
        ),
    ]


def visit_maps(tables: Tables) -> list[Html]:
    """Shows how often states are visited, by the learned policy and as demonstrated.

    Args:
        tables: of a training.

    Returns:
        Three figures; the last one is the difference of the two before.
    """
    return [
        _figure(
            tables,
            tables.occupancy,
            "Visits of the learned policy",
            "Expected number per episode, discounted as in the training.",
        ),
        _figure(
            tables,
            tables.demo_occupancy,
            "Visits demonstrated",
            "What it learned from.",
        ),
        _figure(
            tables,
            tables.occupancy - tables.demo_occupancy,
            "Difference",
            "Learned policy minus demonstrations.",
        ),
    ]


def heat_map(values: Array, title: str, colour: str = "c0") -> Html:
    """Draws a table of values as a map.

    Args:
        values: shape ``(rows, columns)``; NaN cells stay empty.
        title: what it shows.
        colour: class of the colour of the largest value; the smallest has none. Where
            values have both signs, 0 has none, and the colour of the negative ones is
            `BELOW`.
    """
    n_rows, n_columns = values.shape
    side = WIDTH / n_columns
    tall = min(side, 34.0) if values.size <= MAX_WRITTEN else side
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    signed = low < 0 < high
    zero, spread = (0.0, max(-low, high)) if signed else (low, high - low or 1.0)
    parts = []
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            continue
        x, y = column * side, row * tall
        parts.append(
            svg.element(
                "rect",
                svg.element("title", f"row {row}, column {column}: {value:.4g}"),
                x=x,
                y=y,
                width=side,
                height=tall,
                fill="currentColor",
                fill_opacity=0.02 + DARKEST * abs(float(value) - zero) / spread,
                class_=BELOW if value < zero else colour,
            )
        )
        if values.size <= MAX_WRITTEN:
            middle = {"x": x + side / 2, "y": y + tall / 2 + 4}
            words = _short(float(value), spread)
            parts.append(svg.label(words, **middle, text_anchor="middle"))
    alt = f"{title}: {n_rows} by {n_columns} cells from {low:.4g} to {high:.4g}"
    faint = "" if signed else " (faint)"
    legend = f"from {_short(low, spread, 3)}{faint} to {_short(high, spread, 3)}"
    parts.append(svg.label(legend, 0.0, n_rows * tall + 18))
    return svg.picture(parts, WIDTH, n_rows * tall + 24, alt)


def _short(value: float, spread: float, digits: int = 2) -> str:
    """A number without digits that mean nothing beside a spread of values."""
    if abs(value) < spread / 500:
        return "0"
    return number(float(f"{value:.{digits}g}"), digits)


def _figure(tables: Tables, values: Array, title: str, note: str) -> Html:
    picture = heat_map(_arranged(values, tables.grid), title)
    return blocks.figure(picture, title, blocks.text(note))


def _arranged(values: Array, grid: tuple[int, int] | None) -> Array:
    """The values of the states as the cells of a grid."""
    if grid is not None:
        return values.reshape(grid)
    columns = min(len(values), max(COLUMNS, math.isqrt(len(values))))
    n_rows = -(-len(values) // columns)
    padded = np.full(n_rows * columns, np.nan)
    padded[: len(values)] = values
    return padded.reshape(n_rows, columns)
