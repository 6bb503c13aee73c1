"""Progress of labeling, and agreement between people and with the reward model.

A verdict *agrees* with the reward model if it prefers the clip that the model preferred
when the pair was queued; ties and skips do not count. Two people agree about a pair if
they gave the same preference; skips do not count.
"""

import dataclasses
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

# So many of the latest verdicts tell how far people agree with the current model.
RECENT = 100

_VERDICTS = """
SELECT v.labeler, v.preference, v.time,
    CASE WHEN v.preference IS NULL OR v.preference = 0.5
        OR p.model_probability IS NULL OR p.model_probability = 0.5 THEN NULL
        ELSE (v.preference = 1) = (p.model_probability > 0.5) END AS agrees
FROM verdicts v JOIN pairs p ON p.id = v.pair_id
WHERE v.undone = 0
"""

_LABELERS = f"""
SELECT labeler, count(*) - count(preference) AS skips, count(preference) AS labels,
    max(time) AS latest, total(agrees) AS agree, count(agrees) AS comparable
FROM ({_VERDICTS}) GROUP BY labeler ORDER BY labels DESC, labeler
"""

_RECENT = f"""
SELECT total(agrees) AS agree, count(agrees) AS comparable FROM (
    SELECT agrees FROM ({_VERDICTS} ORDER BY v.id DESC) WHERE agrees IS NOT NULL
    LIMIT {RECENT}
)
"""

_SEVERAL = """
SELECT v.pair_id, v.labeler, v.preference FROM verdicts v
WHERE v.undone = 0 AND v.preference IS NOT NULL AND v.pair_id IN (
    SELECT p.id FROM pairs p WHERE p.n_verdicts > 1
) ORDER BY v.pair_id
"""

_PROGRESS = """
SELECT count(*) AS pairs,
    total(retired = 0 AND n_verdicts < :overlap) AS pending,
    total(n_verdicts > 0) AS judged
FROM pairs
"""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """A count of agreements."""

    agree: int
    """Times they did."""

    of: int
    """Times they could have."""


@dataclasses.dataclass(frozen=True)
class LabelerStatistics:
    """The work of one person."""

    name: str
    """The person's name."""

    labels: int
    """Preferences given, ties included."""

    skips: int
    """Pairs skipped."""

    latest: float
    """Time of the last verdict, in seconds since 1970."""

    model: Agreement
    """With the reward model."""

    others: Agreement
    """With other people, over all pairs that both judged."""


@dataclasses.dataclass(frozen=True)
class QueueStatistics:
    """Progress and agreement of a whole queue."""

    pairs: int
    """Pairs ever added."""

    judged: int
    """Pairs with a verdict."""

    pending: int
    """Pairs that want one."""

    model: Agreement
    """With the reward model, over the latest `RECENT` verdicts that can be compared."""

    people: Agreement
    """Between people, over all pairs of people and pairs of clips."""

    alpha: float | None
    """Krippendorff's alpha of all people; None where it is not defined."""

    labelers: tuple[LabelerStatistics, ...]
    """Everybody with a verdict, the most diligent first."""


def read_statistics(connection: sqlite3.Connection, overlap: int) -> QueueStatistics:
    """Computes the statistics of a queue.

    Args:
        connection: in a transaction.
        overlap: how many people shall judge each pair.

    Returns:
        The statistics.
    """
    progress = connection.execute(_PROGRESS, {"overlap": overlap}).fetchone()
    recent = connection.execute(_RECENT).fetchone()
    judgements: dict[int, dict[str, float]] = {}
    for row in connection.execute(_SEVERAL):
        judgements.setdefault(row["pair_id"], {})[row["labeler"]] = row["preference"]
    agree: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for judgement in judgements.values():
        for (a, x), (b, y) in itertools.combinations(judgement.items(), 2):
            of.update((a, b))
            if x == y:
                agree.update((a, b))
    # Each person's agreement with everybody else.
    with_others = {name: Agreement(agree[name], of[name]) for name in of}
    both = list(with_others.values())
    labelers = tuple(
        LabelerStatistics(
            name=row["labeler"],
            labels=row["labels"],
            skips=row["skips"],
            latest=row["latest"],
            model=Agreement(int(row["agree"]), row["comparable"]),
            others=with_others.get(row["labeler"], Agreement(0, 0)),
        )
        for row in connection.execute(_LABELERS)
    )
    return QueueStatistics(
        pairs=progress["pairs"],
        judged=int(progress["judged"]),
        pending=int(progress["pending"]),
        model=Agreement(int(recent["agree"]), recent["comparable"]),
        # Each comparison of two people was counted for both.
        people=Agreement(sum(a.agree for a in both) // 2, sum(a.of for a in both) // 2),
        alpha=krippendorff_alpha([list(j.values()) for j in judgements.values()]),
        labelers=labelers,
    )


def krippendorff_alpha(units: Iterable[Sequence[float]]) -> float | None:
    """Agreement beyond chance: 1 is perfect, 0 is chance, below is disagreement.

    Krippendorff, "Content Analysis" (2004), section 11.3, for nominal values:
    alpha = 1 - D_o / D_e, where D_o is the share of unequal values among all ordered
    pairs of values of one unit (each unit of m values weighted by 1 / (m - 1)), and D_e
    the same among all values.

    Args:
        units: for each unit (a pair of clips) the values that people gave.

    Returns:
        Alpha, or None if no unit has two values or all values are equal.
    """
    total: Counter[float] = Counter()
    unequal = 0.0
    for values in units:
        m = len(values)
        if m < 2:
            continue
        counts = Counter(values)
        total.update(counts)
        unequal += (m * m - sum(c * c for c in counts.values())) / (m - 1)
    n = sum(total.values())
    chance = n * n - sum(c * c for c in total.values())
    return None if chance == 0 else 1 - unequal * (n - 1) / chance
