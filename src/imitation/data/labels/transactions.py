"""The steps of a label queue, each inside a writing transaction of its store.

A lease is *live* until it expires. A pair has *room* for a labeler while its verdicts
and the live leases of others are fewer than the overlap.
"""

import sqlite3
from collections.abc import Iterable

from imitation.data.labels.records import Verdict
from imitation.errors import LabelConflictError, UnknownPairError

_OTHERS = """(
    SELECT count(*) FROM leases l
    WHERE l.pair_id = p.id AND l.labeler != :labeler AND l.expires > :now
)"""

_HELD = f"""
SELECT p.* FROM leases mine JOIN pairs p ON p.id = mine.pair_id
WHERE mine.labeler = :labeler AND p.retired = 0 AND p.n_verdicts < :overlap
AND (mine.expires > :now OR p.n_verdicts + {_OTHERS} < :overlap)
ORDER BY mine.rank LIMIT :n
"""

_FREE = f"""
SELECT p.* FROM pairs p
WHERE p.retired = 0 AND p.n_verdicts < :overlap
AND NOT EXISTS (
    SELECT 1 FROM leases l WHERE l.pair_id = p.id AND l.labeler = :labeler
)
AND NOT EXISTS (
    SELECT 1 FROM verdicts v
    WHERE v.pair_id = p.id AND v.labeler = :labeler AND v.undone = 0
)
AND p.n_verdicts + {_OTHERS} < :overlap
ORDER BY p.id LIMIT :n
"""

_LEASE = """
INSERT INTO leases (pair_id, labeler, expires, rank) VALUES (?, ?, ?, ?)
ON CONFLICT (pair_id, labeler) DO UPDATE SET expires = excluded.expires
"""


def overlap(connection: sqlite3.Connection) -> int:
    """Returns how many people shall judge each pair."""
    query = "SELECT value FROM settings WHERE name = 'overlap'"
    return int(connection.execute(query).fetchone()[0])


def hand_out(
    connection: sqlite3.Connection, labeler: str, n: int, now: float, expires: float
) -> list[sqlite3.Row]:
    """Leases up to n pairs: those that the labeler holds already, then free ones.

    Times are in seconds since 1970. Returns the pairs' rows, in the order to judge.
    """
    values = {"labeler": labeler, "now": now, "overlap": overlap(connection), "n": n}
    pairs = connection.execute(_HELD, values).fetchall()
    values["n"] = n - len(pairs)
    pairs += connection.execute(_FREE, values).fetchall()
    # Ranked by number: everybody sees the oldest pairs first.
    leases = [(pair["id"], labeler, expires, pair["id"]) for pair in pairs]
    connection.executemany(_LEASE, leases)
    return pairs


def store_verdict(
    connection: sqlite3.Connection, verdict: Verdict, key: str | None
) -> Verdict:
    """Stores a verdict on a pair that was handed to its labeler; returns it as stored.

    The key identifies the decision. With the key of a stored verdict, this is a repeat
    of the same request and changes nothing. The id of the given verdict is ignored.

    Raises:
        UnknownPairError: there is no such pair.
        LabelConflictError: the pair was judged, retired, or is in other hands.
    """
    known = _with_key(connection, verdict, key)
    if known is not None:
        return known
    query = "SELECT * FROM pairs WHERE id = ?"
    pair = connection.execute(query, (verdict.pair_id,)).fetchone()
    if pair is None:
        raise UnknownPairError(f"the queue holds no pair {verdict.pair_id}")
    problem = _problem(connection, pair, verdict)
    if problem is not None:
        raise LabelConflictError(f"pair {verdict.pair_id} {problem}")
    mine = (verdict.pair_id, verdict.labeler)
    connection.execute("DELETE FROM leases WHERE pair_id = ? AND labeler = ?", mine)
    # The unique index refuses a second verdict, should two requests race.
    cursor = connection.execute(
        "INSERT INTO verdicts (pair_id, labeler, preference, time, key) "
        "VALUES (?, ?, ?, ?, ?)",
        (*mine, verdict.preference, verdict.time, key),
    )
    _count_verdict(connection, verdict.pair_id, 1)
    return _read_verdict(connection, cursor.lastrowid)


def undo_verdict(
    connection: sqlite3.Connection,
    labeler: str,
    verdict_id: int | None,
    expires: float,
) -> Verdict:
    """Takes a verdict back and hands its pair to the labeler again, as the next.

    Without an id it is the labeler's latest. One that is undone already stays so.

    Raises:
        UnknownPairError: this labeler gave no such verdict.
        LabelConflictError: the verdict is used for training.
    """
    latest = "SELECT max(id) FROM verdicts WHERE labeler = ? AND undone = 0"
    if verdict_id is None:
        verdict_id = connection.execute(latest, (labeler,)).fetchone()[0]
    if verdict_id is None:
        raise UnknownPairError(f"{labeler} gave no verdict yet")
    row = connection.execute(
        "SELECT v.undone, p.retired FROM verdicts v JOIN pairs p ON p.id = v.pair_id "
        "WHERE v.id = ? AND v.labeler = ?",
        (verdict_id, labeler),
    ).fetchone()
    if row is None:
        raise UnknownPairError(f"{labeler} gave no verdict {verdict_id}")
    verdict = _read_verdict(connection, verdict_id)
    if row["undone"]:
        return verdict
    if row["retired"]:
        raise LabelConflictError(
            f"the verdict on pair {verdict.pair_id} is used for training already"
        )
    connection.execute("UPDATE verdicts SET undone = 1 WHERE id = ?", (verdict_id,))
    _count_verdict(connection, verdict.pair_id, -1)
    # Before every pair that is ranked by its number, the one undone last first.
    connection.execute(_LEASE, (verdict.pair_id, labeler, expires, -expires))
    return verdict


def retire(
    connection: sqlite3.Connection, ids: Iterable[int], n_verdicts: int
) -> list[int]:
    """Retires pairs, so that nobody is handed them; returns those retired now.

    Pairs with fewer verdicts than `n_verdicts` stay, unless retired before.
    """
    query = "SELECT id FROM pairs WHERE id = ? AND (retired = 1 OR n_verdicts >= ?)"
    rows = [
        (row["id"],)
        for pair_id in ids
        for row in connection.execute(query, (pair_id, n_verdicts))
    ]
    connection.executemany("UPDATE pairs SET retired = 1 WHERE id = ?", rows)
    connection.executemany("DELETE FROM leases WHERE pair_id = ?", rows)
    return [pair_id for (pair_id,) in rows]


def _with_key(
    connection: sqlite3.Connection, verdict: Verdict, key: str | None
) -> Verdict | None:
    """Returns the verdict that was stored with a key, if it is the same decision."""
    if key is None:
        return None
    query = "SELECT * FROM verdicts WHERE key = ?"
    row = connection.execute(query, (key,)).fetchone()
    if row is None:
        return None
    stored = (row["pair_id"], row["labeler"], row["preference"], row["undone"])
    if stored != (verdict.pair_id, verdict.labeler, verdict.preference, 0):
        raise LabelConflictError(
            "this decision was stored with other content, or was undone since"
        )
    return _read_verdict(connection, row["id"])


def _problem(
    connection: sqlite3.Connection, pair: sqlite3.Row, verdict: Verdict
) -> str | None:
    """Returns the reason that forbids a labeler to judge a pair now, or None."""
    values = {"id": pair["id"], "labeler": verdict.labeler, "now": verdict.time}
    if pair["retired"]:
        return "is no longer wanted"
    judged = (
        "SELECT 1 FROM verdicts "
        "WHERE pair_id = :id AND labeler = :labeler AND undone = 0"
    )
    if connection.execute(judged, values).fetchone():
        return f"was judged by {verdict.labeler} before; undo that to change it"
    lease = connection.execute(
        "SELECT expires FROM leases WHERE pair_id = :id AND labeler = :labeler",
        values,
    ).fetchone()
    if lease is None:
        return f"was not handed to {verdict.labeler}"
    room = f"SELECT p.n_verdicts + {_OTHERS} FROM pairs p WHERE p.id = :id"
    taken = connection.execute(room, values).fetchone()[0]
    wanted = overlap(connection)
    live = lease["expires"] > verdict.time
    if pair["n_verdicts"] >= wanted or (not live and taken >= wanted):
        return "was handed to someone else meanwhile"
    return None


def _count_verdict(
    connection: sqlite3.Connection, pair_id: int, difference: int
) -> None:
    query = "UPDATE pairs SET n_verdicts = n_verdicts + ? WHERE id = ?"
    connection.execute(query, (difference, pair_id))


def _read_verdict(connection: sqlite3.Connection, verdict_id: int | None) -> Verdict:
    query = "SELECT pair_id, preference, labeler, time, id FROM verdicts WHERE id = ?"
    return Verdict(*connection.execute(query, (verdict_id,)).fetchone())
