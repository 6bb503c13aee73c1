"""Writes the tables of results in the README and the docs from the files of numbers.

    python docs/_tools/results_table.py

Between ``<!-- results: NAME -->`` and ``<!-- end of results -->`` a page holds what
`TABLES[NAME]` returns. A test fails while a page and the files under ``benchmarks/``
differ, so no number is typed by hand.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SPEED = ROOT / "benchmarks" / "speed" / "results"
SECTION = re.compile(r"<!-- results: (\w+) -->\n.*?<!-- end of results -->", re.DOTALL)
RATIO = "release ÷ ours"


def pages() -> list[Path]:
    """The pages that hold results."""
    candidates = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in candidates if SECTION.search(page.read_text("utf-8"))]


def filled(text: str) -> str:
    """A page with its results written anew."""
    return SECTION.sub(
        lambda match: (
            f"<!-- results: {match[1]} -->\n\n{TABLES[match[1]]()}\n\n"
            "<!-- end of results -->"
        ),
        text,
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def duration(microseconds: float) -> str:
    """A time with three digits and the unit that suits it."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} µs"


def speed_records() -> list[Mapping[str, Any]]:
    return [
        json.loads(path.read_text("utf-8")) for path in sorted(SPEED.glob("*.json"))
    ]


def compared(
    records: list[Mapping[str, Any]], promised_only: bool
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yields (record, case) of the cases measured against the release."""
    for record in records:
        for case in record["cases"]:
            if RATIO in case["ratios"] and (case["target"] or not promised_only):
                yield record, case


def speed_table(records: list[Mapping[str, Any]], *, promised_only: bool) -> str:
    """Times per unit of work and the speed-up, with its range over the rounds."""
    rows = []
    for record, case in compared(records, promised_only):
        times = case["times"]
        ratio = case["ratios"][RATIO]["wall"]
        rows.append(
            [
                f"`{record['benchmark']}`: {case['case']}",
                *(
                    f"{duration(times[key]['per_unit_us']['wall'])} / {case['unit']}"
                    for key in ("release", "ours")
                ),
                f"{ratio['median']:.1f}× [{ratio['min']:.1f}, {ratio['max']:.1f}]",
            ]
        )
    return table(["", "release 1.0.1", "here", "faster by"], rows)


def circumstances(records: list[Mapping[str, Any]]) -> str:
    """Where and when the records were measured."""
    machines = sorted(
        {f"{r['machine']['processor']}, {r['machine']['cores']} cores" for r in records}
    )
    commits = sorted({str(r["commit"]["id"])[:8] for r in records})
    dates = sorted({r["date"] for r in records})
    return (
        f"Measured {' and '.join(dates)} at commit {', '.join(commits)} on "
        f"{'; '.join(machines)}, one torch thread, both in the same run: wall-clock "
        "time, median of the rounds and their range. `python "
        "benchmarks/speed/run_all.py --release-python RELEASE/bin/python` measures it "
        "again."
    )


def speed(promised_only: bool) -> str:
    records = speed_records()
    rows = speed_table(records, promised_only=promised_only)
    return f"{rows}\n\n{circumstances(records)}"


TABLES: dict[str, Callable[[], str]] = {}


def main() -> None:
    for page in pages():
        text = page.read_text("utf-8")
        if filled(text) != text:
            page.write_text(filled(text), "utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
