"""Sections of a report on a reward learned in a tabular environment.

Maps of the learned reward and of the visits that it leads to, beside those of the
environment's reward and of the demonstrations.
"""

import math

import numpy as np

from imitation.algorithms.mce_irl.tables import Tables, load_tables
from imitation.envs.tabular.layouts import Array
from imitation.errors import ArtifactError
from imitation.reports import blocks, charts, plots
from imitation.reports.blocks import Html
from imitation.reports.charts import Look
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number

# More states than this are not drawn.
MAX_STATES = 4000

# States side by side where they are not the cells of a grid.
COLUMNS = 10


def lead(run: RunRecord) -> str:
    """Returns how good policy and reward are, in a sentence; "" if not known."""
    policy = run.statistic("imit_stats", "return_mean")
    expert = run.statistic("expert_stats", "return_mean")
    if not math.isfinite(policy):
        return ""
    told = f"The policy for the learned reward returns {number(policy, 4)}"
    if math.isfinite(expert):
        told += f", the demonstrations {number(expert, 4)}"
    delta = run.statistic("irl_stats", "linf_delta")
    if not math.isfinite(delta):
        return f"{told}."
    n_iterations = number(run.statistic("irl_stats", "iterations"))
    return (
        f"{told}. Visit counts differ from the demonstrations' by at most "
        f"{number(delta)} in any state, after {n_iterations} iterations."
    )


def highlights(run: RunRecord, look: Look) -> list[Html]:
    """Draws the difference to the demonstrations, and maps of reward and visits."""
    unit, at = charts.times(run.metrics)
    words = ("linf_delta", "largest difference", look.color)
    difference = charts.figure(
        look.title("Difference to the demonstrations"),
        [charts.curve(run.metrics, at, *words)],
        unit,
        "In expected visits per episode, of the state in which the learned policy "
        "differs most.",
    )
    tables = load_tables(run.path / "checkpoints" / "final")
    return [difference, *reward_maps(tables), *visit_maps(tables)[:2]]


def maps(run: RunRecord) -> list[Html]:
    """Shows rewards and visits, state by state, once the run has finished."""
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
    """Draws the learned reward beside that of the environment: two figures."""
    order = "" if tables.grid else " States are in order, row by row."
    note = (
        "Any reward that leads to the same behavior explains the demonstrations "
        f"equally well; its zero and its scale mean little.{order}"
    )
    hidden = "Hidden from the training."
    return [
        _figure(tables, tables.reward, "Learned reward", note),
        _figure(tables, tables.true_reward, "The environment's reward", hidden),
    ]


def visit_maps(tables: Tables) -> list[Html]:
    """Draws visits of the learned policy, those demonstrated, and their difference."""
    learned, given = tables.occupancy, tables.demo_occupancy
    note = "Expected number per episode, discounted as in the training."
    data = "The data that it learned from."
    difference = "Learned policy minus demonstrations."
    return [
        _figure(tables, learned, "Visits of the learned policy", note),
        _figure(tables, given, "Visits demonstrated", data),
        _figure(tables, learned - given, "Difference", difference),
    ]


def _figure(tables: Tables, values: Array, title: str, note: str) -> Html:
    """Draws the values of the states as the cells of a grid."""
    if tables.grid is None:
        # At least COLUMNS, about square for many states; the last row has gaps.
        columns = min(len(values), max(COLUMNS, math.isqrt(len(values))))
        n_rows = -(-len(values) // columns)
        cells = np.full((n_rows, columns), np.nan)
        cells.flat[: len(values)] = values
    else:
        cells = values.reshape(tables.grid)
    return blocks.figure(plots.heat_map(cells, title), title, blocks.text(note))
