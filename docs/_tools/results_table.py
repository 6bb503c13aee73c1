"""Writes the tables of results in the README and the docs from the files of numbers.

    python docs/_tools/results_table.py

Between ``<!-- results: NAME -->`` and ``<!-- end of results -->`` a page holds what
`TABLES[NAME]` returns. A test fails while a page and the files under ``benchmarks/``
differ, so no number is typed by hand.
"""

import csv
import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import published_summary

ROOT = Path(__file__).resolve().parents[2]
SPEED = ROOT / "benchmarks" / "speed" / "results"
RETURNS = ROOT / "benchmarks" / "returns"
SECTION = re.compile(r"<!-- results: (\w+) -->\n.*?<!-- end of results -->", re.DOTALL)
RATIO = "release ÷ ours"
NAMES = {
    "adversarial": "adversarial training",
    "airl": "AIRL",
    "bc": "BC",
    "dagger": "DAgger",
    "density": "density",
    "gaifo": "GAIfO",
    "gail": "GAIL",
    "flatten": "`flatten_trajectories`",
    "imports": "import",
    "mce_irl": "MCE IRL",
    "preferences": "preference comparisons",
    "iq_learn": "IQ-Learn",
    "rewards": "`predict_processed`",
    "rollout": "`rollout`",
    "sqil": "SQIL",
    "store": "`serialize`",
}
"""What a reader calls the algorithms and the benchmarks."""


def pages() -> list[Path]:
    """The pages that hold results."""
    candidates = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in candidates if SECTION.search(page.read_text("utf-8"))]


def filled(text: str) -> str:
    """A page with its results written anew."""
    return SECTION.sub(
        lambda match: (
            f"<!-- results: {match[1]} -->\n\n{TABLES[match[1]]()}".rstrip()
            + "\n\n<!-- end of results -->"
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


def times_as_fast(ratio: float) -> str:
    if ratio < 1:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def ratio_of(case: Mapping[str, Any], name: str, sign: str = "") -> str:
    """A ratio of times with its range over the rounds: "1.23× [1.20, 1.30]"."""
    ratio = case["ratios"][name]["wall"]
    spread = f"[{ratio['min']:.2f}, {ratio['max']:.2f}]"
    return f"{ratio['median']:.2f}{sign} {spread}"


def times_of(case: Mapping[str, Any], *implementations: str) -> list[str]:
    """Times per unit of work, for people."""
    return [
        f"{duration(case['times'][key]['per_unit_us']['wall'])} / {case['unit']}"
        for key in implementations
    ]


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
        ratio = case["ratios"][RATIO]["wall"]
        rows.append(
            [
                f"{NAMES[record['benchmark']]}: {case['case']}",
                *times_of(case, "release", "ours"),
                f"{times_as_fast(ratio['median'])}× "
                f"[{times_as_fast(ratio['min'])}, {times_as_fast(ratio['max'])}]",
            ]
        )
    return table(["", "release 1.0.1", "here", "faster by"], rows)


def source(commit: Mapping[str, Any]) -> str:
    """The code that was measured; that of no commit where it had been changed."""
    changed = " with uncommitted changes" if commit["src_changed"] else ""
    return f"{str(commit['id'])[:8]}{changed}"


def circumstances(records: list[Mapping[str, Any]]) -> str:
    """Where and when the records were measured."""
    machines = sorted(
        {f"{r['machine']['processor']}, {r['machine']['cores']} cores" for r in records}
    )
    commits = sorted({source(r["commit"]) for r in records})
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
    if not records:
        return ""
    rows = speed_table(records, promised_only=promised_only)
    return f"{rows}\n\n{circumstances(records)}"


def threads() -> str:
    """Times per batch with default threads and with one, while a core is busy."""
    record = json.loads((SPEED / "threads.json").read_text("utf-8"))
    (case,) = record["cases"]
    rows = []
    for name, key in (("release 1.0.1", "release"), ("here", "ours")):
        times = [
            duration(case["times"][f"{key} {which}"]["per_unit_us"]["wall"])
            for which in ("one thread", "default threads")
        ]
        ratio = ratio_of(case, f"{key}, default ÷ one thread", "×")
        rows.append([name, *times, ratio])
    header = ["", "one thread", "default threads", "default ÷ one thread"]
    return table(header, rows)


def shares(benchmark: str, ratio: str, over: str, header: list[str]) -> str:
    """Times of ours beside another measurement of the same cases, and their ratio.

    Args:
        benchmark: name of the file.
        ratio: name of the ratio.
        over: the other measurement.
        header: of the four columns.
    """
    path = SPEED / f"{benchmark}.json"
    if not path.exists():
        return ""
    rows = []
    for case in json.loads(path.read_text("utf-8"))["cases"]:
        if ratio not in case["ratios"]:
            continue
        times = times_of(case, over, "ours")
        rows.append([case["case"], *times, ratio_of(case, ratio)])
    return table(header, rows)


def beside_ppo() -> str:
    """Adversarial training beside the PPO inside it."""
    header = ["", "bare PPO", "here", "steps per second, PPO = 1"]
    return shares("adversarial", "bare ÷ ours", "bare", header)


def beside_one_net() -> str:
    """An ensemble of five reward networks beside one of them."""
    header = ["", "one network", "ensemble", "time, one network = 1"]
    return shares("rewards", "five nets ÷ one", "ours one net", header)


def return_records() -> list[Mapping[str, Any]]:
    """What trained policies scored; files of other shapes are about experts."""
    loaded = [json.loads(p.read_text("utf-8")) for p in sorted(RETURNS.glob("*.json"))]
    return [
        record
        for record in loaded
        if isinstance(record, dict)
        and "rows" in record
        # These have tables of their own.
        and record["benchmark"] not in ("mce_irl", "preference_selection")
    ]


def interval(result: Mapping[str, Any]) -> str:
    """A mean return with its interval: "-157.5 [-168.4, -146.8]"."""
    low, high = result["return_ci95"]
    return f"{result['return_mean']:.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")


def budget(row: Mapping[str, Any]) -> str:
    """What the algorithm could learn from."""
    steps = f"{row['total_timesteps']:,} steps" if "total_timesteps" in row else ""
    if "total_comparisons" in row:
        return f"{row['total_comparisons']:,} comparisons, {steps}"
    if "n_demonstrations" not in row:
        return f"{steps}, the expert asked in each"
    if row.get("total_timesteps") == 0:
        steps = "no steps of its own"
    episodes = f"{row['n_demonstrations']} episodes of the expert"
    if row.get("state_only"):
        episodes += " without actions"
    return f"{episodes}, {steps}" if steps else episodes


def learner(row: Mapping[str, Any]) -> str:
    """The algorithm, with its generator where that is another than usual."""
    generator = row.get("generator", row.get("agent", row.get("learner", "ppo")))
    generator = generator.removeprefix("iq_")
    usual = generator in ("ppo", "soft_q")
    suffix = "" if usual else f" with {generator.upper()}"
    return f"{NAMES[row['algorithm']]}{suffix}"


def scored(record: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields (learner, budget, row) of every kind of policy that was measured."""
    for row in record["rows"]:
        yield learner(row), budget(row), row
        if "retrained" in row:
            steps = f"{row['retrain_timesteps']:,} steps"
            again = {**row, **row["retrained"]}
            yield f"fresh policy on {learner(row)}'s reward", steps, again


def returns_table(*algorithms: str) -> str:
    """Mean return with its interval, beside the expert's from equal initial states.

    Args:
        *algorithms: which; none is all.
    """
    found = [
        (record["command"], *found)
        for record in return_records()
        for found in scored(record)
        if not algorithms or found[-1]["algorithm"] in algorithms
    ]
    if not found:
        return ""
    rows = [
        [
            name,
            f"`{row['env_name']}`",
            learned_from,
            interval(row),
            f"{min(row['return_mean_by_seed']):.1f}".replace("-", "−"),
            interval(row["expert"]),
        ]
        for _, name, learned_from, row in found
    ]
    commands = [f"`{command}`" for command, *_ in found]
    n_seeds = {len(row["seeds"]) for *_, row in found}
    n_episodes = {row["n_episodes"] for *_, row in found}
    header = ["", "task", "learns from", "mean return", "worst seed", "expert"]
    return (
        f"{table(header, rows)}\n\n"
        f"{', '.join(map(str, sorted(n_seeds)))} seeds, "
        f"{', '.join(map(str, sorted(n_episodes)))} episodes each, deterministic "
        "actions; 95% bootstrap intervals over seeds and episodes. "
        f"Again: {', '.join(dict.fromkeys(commands))}."
    )


def rows_table(
    benchmark: str,
    header: list[str],
    cells: Callable[[Mapping[str, Any]], Iterator[list[str]]],
    about: str,
    options: str = "",
) -> str:
    """A table made of the rows of one file, or nothing where that is missing.

    Args:
        benchmark: name of the file.
        header: of the columns.
        cells: yields the lines of the table that one row makes.
        about: what the numbers are; ``{n_seeds}`` stands for the number of seeds.
        options: what is added to the command that measured them.
    """
    path = RETURNS / f"{benchmark}.json"
    if not path.exists():
        return ""
    record = json.loads(path.read_text("utf-8"))
    lines = [line for row in record["rows"] for line in cells(row)]
    about = about.format(n_seeds=len(record["rows"][0]["seeds"]))
    return f"{table(header, lines)}\n\n{about} Again: `{record['command']}{options}`."


def preference_accuracy() -> str:
    """How often learned rewards prefer the better of two held-out fragments."""

    def cells(row: Mapping[str, Any]) -> Iterator[list[str]]:
        values = [seed["accuracy"] for seed in row["held_out_by_seed"]]
        yield [
            f"`{row['env_name']}`",
            f"{row['total_comparisons']:,}",
            f"{statistics.fmean(values):.3f}",
            f"{min(values):.3f}",
            interval(row["last_agent"]),
        ]

    return rows_table(
        "preferences",
        [
            "task",
            "comparisons",
            "held-out accuracy",
            "worst seed",
            "the last agent, not the best",
        ],
        cells,
        "Of 1,000 pairs of fragments of what the agent did after each round, those of "
        "equal true return left out.",
    )


def preference_selection() -> str:
    """Comparisons that active and random selection need."""

    def cells(row: Mapping[str, Any]) -> Iterator[list[str]]:
        needed = row["comparisons_needed"]
        low, high = row["saved_ci95"]
        yield [
            f"`{row['env_name']}`",
            f"{statistics.fmean(needed['random']):.0f}",
            f"{statistics.fmean(needed['active']):.0f}",
            f"{row['saved_mean']:.0f} [{low:.0f}, {high:.0f}]".replace("-", "−"),
            f"{row['final_accuracy']['random']:.3f}",
            f"{row['final_accuracy']['active']:.3f}",
        ]

    return rows_table(
        "preference_selection",
        [
            "task",
            "random pairs",
            "active selection",
            "saved by it",
            "random, in the end",
            "active, in the end",
        ],
        cells,
        "Mean number of comparisons until 90% of held-out pairs are ranked right, over "
        "{n_seeds} seeds, with a 95% bootstrap interval of the difference; then the "
        "accuracy in the end.",
    )


def mce_irl() -> str:
    """What MCE IRL learns in CliffWorld, and what release 1.0.1 does from the same."""

    def cells(row: Mapping[str, Any]) -> Iterator[list[str]]:
        for key, name in (("release", "release 1.0.1"), ("ours", "here")):
            if key not in row:
                continue
            values = {k.removesuffix("_by_seed"): v for k, v in row[key].items()}
            exact, sampled = values["expected_return"], values["sampled_return_mean"]
            yield [
                f"{row['demonstrations']}: {name}",
                f"{statistics.fmean(exact):.2f} [{min(exact):.2f}, {max(exact):.2f}]",
                f"{statistics.fmean(sampled):.1f}",
                *(
                    f"{statistics.fmean(values[k]):.4f} (worst {max(values[k]):.4f})"
                    for k in ("linf_at_500", "linf_to_expert")
                ),
                f"{statistics.median(values['training_s']):.1f} s",
            ]

    return rows_table(
        "mce_irl",
        [
            "learns from",
            "expected return",
            "128 episodes",
            "`linf_delta` at 500",
            "distance to the expert",
            "time",
        ],
        cells,
        "Means over {n_seeds} seeds, which draw the demonstrations and the network's "
        "weights, and the range or the worst of them; the expert's expected return is "
        "325.82, and a policy's is computed, not sampled, but for the second column.",
        options=" --release-python RELEASE/bin/python",
    )


def run_all() -> str:
    """Scores of the cells of run_all, by algorithm and environment."""
    path = RETURNS / "run_all.csv"
    if not path.exists():
        return ""
    scores: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            scores.setdefault((row["algo"], row["env"]), []).append(row)
    rows = []
    for (algo, env), runs in sorted(scores.items()):
        returns = sorted(float(run["score"]) for run in runs)
        scaled = statistics.fmean(float(run["normalized_score"]) for run in runs)
        rows.append(
            [
                NAMES.get(algo, algo),
                f"`{env}`",
                ", ".join(f"{value:.1f}" for value in returns).replace("-", "−"),
                f"{scaled:.3f}".replace("-", "−"),
            ]
        )
    header = ["", "task", "mean return of each seed", "normalized, mean"]
    return (
        f"{table(header, rows)}\n\nThe presets' settings as they are, sampled actions, "
        "20 episodes of the expert or 500 noisy synthetic comparisons: `python "
        "benchmarks/returns/run_all.py --out runs`, killed and continued several times."
    )


TABLES: dict[str, Callable[[], str]] = {
    "readme": lambda: f"{returns_table()}\n\n{speed(promised_only=True)}",
    "returns": returns_table,
    "speed": lambda: speed(promised_only=False),
    "threads": threads,
    "bc": lambda: returns_table("bc"),
    "dagger": lambda: returns_table("dagger"),
    "density": lambda: returns_table("density"),
    "mce_irl": mce_irl,
    "preference_accuracy": preference_accuracy,
    "preference_selection": preference_selection,
    "gail": lambda: returns_table("gail", "gaifo"),
    "airl": lambda: returns_table("airl"),
    "sqil": lambda: returns_table("sqil"),
    "iq_learn": lambda: returns_table("iq_learn"),
    "preferences": lambda: returns_table("preferences"),
    "preferences_speed": lambda: speed_table(
        [r for r in speed_records() if r["benchmark"] == "preferences"],
        promised_only=False,
    ),
    "beside_ppo": beside_ppo,
    "run_all": run_all,
    "published_dagger": published_summary.dagger_table,
    "published_intervals": published_summary.intervals_table,
    "beside_one_net": beside_one_net,
}


def main() -> None:
    for page in pages():
        text = page.read_text("utf-8")
        if filled(text) != text:
            page.write_text(filled(text), "utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
