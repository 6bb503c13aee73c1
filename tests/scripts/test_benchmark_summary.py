"""Benchmark summaries: collecting, normalizing, writing, malformed folders."""

import csv
import io
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from imitation.errors import ArtifactError, DataError
from imitation.reports.benchmarks import collect, formats, references
from imitation.reports.benchmarks.summary import summarize
from imitation.scripts import benchmark_summary, probability_of_improvement
from imitation.testing.html_checks import check_page


def store(
    root: Any,
    name: Any,
    command: Any,
    env: Any,
    score: Any,
    *,
    expert_score: Any = 500.0,
    status: str = "COMPLETED",
    **config: Any,
) -> Any:
    """A Sacred run directory as the file observer leaves it."""
    directory = root / name
    directory.mkdir(parents=True)
    result: Any = {"imit_stats": {"monitor_return_mean": score, "return_mean": -1.0}}
    if command == "eval_policy":
        result = {"monitor_return_mean": score, "n_traj": 5}
    elif expert_score is not None:
        result["expert_stats"] = {"monitor_return_mean": expert_score}
    run = {"command": command, "status": status, "result": result}
    if status != "COMPLETED":
        run |= {"result": None, "fail_trace": ["Traceback", "ValueError: broken\n"]}
    config = {"environment": {"gym_id": env}, "seed": 0, **config}
    (directory / "run.json").write_text(json.dumps(run))
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Any:
    """Two algorithms in two environments, three runs each."""
    root = tmp_path / "runs"
    for env, top in (("seals/CartPole-v0", 500.0), ("Pendulum-v1", -150.0)):
        for seed, share in enumerate((0.9, 1.0, 0.8)):
            for command, factor in (("bc", 1.0), ("gail", 0.5)):
                name = f"{command}/{env}/{seed}"
                low = references.bundled()[env]
                score = low + (top - low) * share * factor
                store(root, name, command, env, score, expert_score=top, seed=seed)
    return root


def summary_of(*roots: Any, given: Any = None) -> Any:
    runs = collect.read_runs(*roots)
    scale = references.find_references(runs, given)
    return summarize(runs, scale, n_resamples=200)


def test_scores_are_normalized_per_environment(folder: Any) -> None:
    bc, gail = summary_of(folder).algorithms
    assert (bc.name, gail.name) == ("bc", "gail")
    for score in bc.scores:
        assert score.normalized == pytest.approx((0.9, 1.0, 0.8))
    assert bc.mean.value == pytest.approx(0.9)
    assert gail.mean.value == pytest.approx(0.45)
    assert bc.mean.low < bc.mean.value < bc.mean.high


def test_deviation_is_that_of_the_runs(folder: Any) -> None:
    score = summary_of(folder).algorithms[0].scores[1]
    assert score.env == "seals/CartPole-v0"
    span = 500 - references.bundled()[score.env]
    assert score.std == pytest.approx(span * (0.02 / 3) ** 0.5)


def test_all_runs_of_an_environment_share_the_denominator(folder: Any) -> None:
    # The expert scores stored by DAgger of release 1.0 were those of a mixture.
    for seed in range(5):
        name = f"dagger/{seed}"
        store(folder, name, "dagger", "seals/CartPole-v0", 480.0, expert_score=400.0)
    summary = summary_of(folder)
    assert summary.references["seals/CartPole-v0"].expert == 500
    dagger = next(a for a in summary.algorithms if a.name == "dagger")
    assert dagger.mean.value < 1


def test_dagger_alone_provides_its_expert(tmp_path: pathlib.Path) -> None:
    store(tmp_path, "1", "dagger", "CartPole-v1", 400.0, expert_score=410.0)
    assert summary_of(tmp_path).references["CartPole-v1"].expert == 410


def test_random_runs_in_the_folder_win_over_bundled_scores(folder: Any) -> None:
    random: dict[str, Any] = {"expert": {"policy_type": "random"}}
    store(folder, "random", "eval_policy", "Pendulum-v1", -1000.0, **random)
    reference = summary_of(folder).references["Pendulum-v1"]
    assert (reference.random, reference.random_source) == (-1000, "runs")
    given = {"Pendulum-v1": references.Reference(random=-900.0)}
    assert summary_of(folder, given=given).references["Pendulum-v1"].random == -900


def test_an_environment_without_a_scale_is_named_and_left_out(folder: Any) -> None:
    store(folder, "own", "bc", "Mine-v0", 3.0)
    summary = summary_of(folder)
    assert summary.unscaled == ["Mine-v0"]
    assert summary.algorithms[0].mean.value == pytest.approx(0.9)
    assert "no scale for Mine-v0" in formats.to_markdown(summary)


def test_runs_of_release_1_are_read(tmp_path: pathlib.Path) -> None:
    stored = {"py/object": "numpy.float64", "value": 321.5}
    store(tmp_path, "1", "train_bc", "CartPole-v1", stored)
    (run,) = collect.read_runs(tmp_path)
    assert (run.algorithm, run.score) == ("bc", 321.5)


def test_of_a_resumed_run_the_last_part_counts(tmp_path: pathlib.Path) -> None:
    for number, (status, resume) in enumerate(
        [("RUNNING", None), ("INTERRUPTED", "out/1"), ("COMPLETED", "out/1")]
    ):
        directory = store(
            tmp_path,
            str(number),
            "bc",
            "CartPole-v1",
            400.0,
            status=status,
            resume=resume,
            logging={"log_dir": "out/1"},
        )
        run = json.loads((directory / "run.json").read_text())
        run["start_time"] = f"2026-01-01T00:00:0{number}.0"
        (directory / "run.json").write_text(json.dumps(run))
    store(tmp_path, "other", "bc", "CartPole-v1", 300.0)
    runs = collect.read_runs(tmp_path)
    assert [run.path.name for run in runs] == ["2", "other"]


def test_status_table_counts_every_run(folder: Any) -> None:
    store(folder, "a", "bc", "Pendulum-v1", 0.0, status="FAILED")
    store(folder, "b", "bc", "Pendulum-v1", 0.0, status="INTERRUPTED")
    (folder / "a" / "run.json").with_name("cout.txt").write_text("")
    summary = summary_of(folder)
    counts = summary.statuses["bc", "Pendulum-v1"]
    assert counts == {"COMPLETED": 3, "FAILED": 1, "INTERRUPTED": 1}
    text = formats.to_markdown(summary)
    assert "| bc | Pendulum-v1 | 3 | 1 | 1 |" in text
    assert "ValueError: broken" in text


def test_probabilities_of_improvement_of_both_orders(folder: Any) -> None:
    summary = summary_of(folder)
    found = {(c.algorithm, c.baseline): c.probability for c in summary.comparisons}
    assert found["bc", "gail"].value == 1
    assert found["gail", "bc"].value == 0


def test_csv_has_the_documented_columns_first(folder: Any) -> None:
    rows = list(csv.reader(io.StringIO(formats.to_csv(summary_of(folder)))))
    assert rows[0][:4] == ["algo", "env", "score", "expert_score"]
    assert len(rows) == 1 + 12
    assert rows[1][:2] == ["bc", "Pendulum-v1"]
    assert float(rows[1][3]) == -150


def test_markdown_has_the_documented_layout(folder: Any) -> None:
    text = formats.to_markdown(summary_of(folder))
    assert text.startswith("# Benchmark Summary\n\n## Scores\n")
    header = "| Environment | Score (mean/std) | Normalized Score (mean/std) | N |"
    assert f"### BC\n\n#### Scores\n\n{header}" in text
    assert re.search(
        r"\| Pendulum-v1 \| -255\.75\d / 86\.3\d+ \| 0\.900 / 0\.082 \| 3 \|", text
    )
    assert "| IQM | 0.900 | [" in text
    widths = {line.count("|") for line in text.splitlines() if "Mean |" in line}
    assert widths == {4}


def test_latex_is_escaped_and_balanced(folder: Any) -> None:
    store(folder, "a&b_c", "bc", "Pendulum-v1", 0.0, status="FAILED")
    text = formats.to_latex(summary_of(folder))
    assert r"a\&b\_c" in text
    for environment in ("table", "tabular"):
        begins = text.count(rf"\begin{{{environment}}}")
        assert begins == text.count(rf"\end{{{environment}}}") > 4
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert all("$" not in row and "_" not in row.replace(r"\_", "") for row in rows)


def test_html_page_is_sound(folder: Any) -> None:
    store(folder, "<b>", "bc", "Pendulum-v1", 0.0, status="FAILED")
    page = formats.to_html(summary_of(folder))
    check_page(page)
    assert "Performance profiles" in page and page.count("<svg") == 2


def test_single_runs_have_no_intervals(tmp_path: pathlib.Path) -> None:
    store(tmp_path, "1", "bc", "CartPole-v1", 400.0)
    summary = summary_of(tmp_path)
    assert "nan" not in formats.to_markdown(summary).lower()
    check_page(formats.to_html(summary))


@pytest.mark.parametrize("suffix", [".csv", ".md", ".tex", ".html"])
def test_command_writes_each_format(
    folder: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    path = tmp_path / f"summary{suffix}"
    words = [str(folder), "--output", str(path), "--bootstrap-reps", "50"]
    assert benchmark_summary.main(words) == 0
    assert path.stat().st_size > 300
    assert str(path) in capsys.readouterr().out


def failing(capsys: pytest.CaptureFixture[str], main: Any, *words: Any) -> Any:
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert captured.out == ""
    return lines


def test_empty_folder(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = failing(capsys, benchmark_summary.main, tmp_path)
    assert "holds no runs" in line and "run.json and config.json" in line


def test_missing_folder(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = failing(capsys, benchmark_summary.main, tmp_path / "nowhere")
    assert "expected a folder of runs" in line


@pytest.mark.parametrize("content", ["{", "[]", "", "\x00"])
def test_corrupt_run_is_one_line_and_the_rest_counts(
    folder: Any, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    damaged = store(folder, "zzz", "bc", "Pendulum-v1", 0.0)
    (damaged / "run.json").write_text(content)
    assert benchmark_summary.main([str(folder), "--bootstrap-reps", "50"]) == 0
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert "left out" in line and str(damaged / "run.json") in line
    assert "| ? | ? | 0 | 1 |" in captured.out


def test_only_corrupt_runs(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = store(tmp_path, "1", "bc", "Pendulum-v1", 0.0)
    (damaged / "run.json").write_text("{")
    *_, line = failing(capsys, benchmark_summary.main, tmp_path)
    assert "none of 1 runs is completed" in line and "run.json" in line


def test_unknown_suffix_writes_nothing(
    folder: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "summary.docx"
    (line,) = failing(capsys, benchmark_summary.main, folder, "--output", path)
    assert ".csv, .html, .md, .tex" in line
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        *("[]", '{"CartPole-v1": 5}', '{"CartPole-v1": {"best": 5}}', "{"),
        *('{"CartPole-v1": {"random": NaN}}', '{"CartPole-v1": {"expert": true}}'),
    ],
)
def test_malformed_references(
    folder: Any,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    content: Any,
) -> None:
    path = tmp_path / "references.json"
    path.write_text(content)
    (line,) = failing(capsys, benchmark_summary.main, folder, "--references", path)
    assert str(path) in line


def test_probability_of_improvement_of_one_folder_over_another(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [folder / "bc", folder / "gail", "--bootstrap-reps", "100"]
    assert probability_of_improvement.main([str(word) for word in words]) == 0
    out = capsys.readouterr().out
    assert "bc improves on gail: 1.000, 95% interval [1.000, 1.000]" in out
    assert "Pendulum-v1: 3 runs against 3" in out


def test_mixed_algorithms_must_be_chosen_from(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main = probability_of_improvement.main
    (line,) = failing(capsys, main, folder, folder / "gail")
    assert "holds runs of bc, gail; choose one with --algo" in line
    (line,) = failing(capsys, main, folder / "bc", folder, "--baseline-algo", "airl")
    assert "--baseline-algo airl: the folder holds runs of bc, gail only" in line
    words = [folder, folder, "--algo", "bc", "--baseline-algo", "gail"]
    assert main([str(w) for w in words]) == 0


def test_damaged_run_is_named_where_folders_are_compared(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = store(folder / "bc", "zzz", "bc", "Pendulum-v1", 0.0)
    (damaged / "run.json").write_text("{")
    words = [str(folder / "bc"), str(folder / "gail"), "--bootstrap-reps", "50"]
    assert probability_of_improvement.main(words) == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "left out" in line and str(damaged / "run.json") in line


@pytest.mark.parametrize("env", [None, 5, ["CartPole-v1"]])
def test_a_run_without_an_environment_is_left_out(
    folder: Any, env: int | list[str] | None
) -> None:
    store(folder, "odd", "bc", env, 3.0)
    summary = summary_of(folder)
    assert [run.path.name for run in summary.failures] == ["odd"]
    assert "| COMPLETED | no environment |" in formats.to_markdown(summary)


def test_arrays_of_a_file_are_an_environment_of_their_own(
    tmp_path: pathlib.Path,
) -> None:
    where: dict[str, Any] = {
        "environment": {"gym_id": "seals/CliffWorld7x4XY-v0", "path": "a/m.npz"}
    }
    store(tmp_path, "1", "train_mce_irl", "", 3.0, **where)
    assert [run.env for run in collect.read_runs(tmp_path)] == ["m"]


@pytest.mark.parametrize("command", collect.HOUSEKEEPING)
def test_runs_that_read_or_start_others_do_not_count(folder: Any, command: Any) -> None:
    store(folder, "own", command, "", None, status="RUNNING")
    assert summary_of(folder).failures == ()


def test_no_environment_in_common(
    folder: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path / "other", "1", "airl", "Acrobot-v1", -80.0)
    words = folder / "bc", tmp_path / "other"
    (line,) = failing(capsys, probability_of_improvement.main, *words)
    assert "no environment in common" in line and "Acrobot-v1" in line


def test_partial_overlap_is_said(
    folder: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path / "other", "1", "airl", "Pendulum-v1", -900.0)
    store(tmp_path / "other", "2", "airl", "Acrobot-v1", -80.0)
    words = [str(folder / "bc"), str(tmp_path / "other")]
    assert probability_of_improvement.main(words) == 0
    err = capsys.readouterr().err
    assert "only one of the two ran in Acrobot-v1, seals/CartPole-v0" in err


def test_library_errors_are_typed(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="holds no runs"):
        collect.read_runs(tmp_path)
    store(tmp_path, "1", "bc", "CartPole-v1", 0.0, status="RUNNING")
    with pytest.raises(DataError, match="1 RUNNING"):
        summary_of(tmp_path)


@pytest.mark.parametrize(
    ("script", "n_folders"),
    [
        ("sacred_output_to_csv", 1),
        ("sacred_output_to_markdown_summary", 1),
        ("compute_probability_of_improvement", 2),
    ],
)
@pytest.mark.slow
def test_documented_scripts(
    folder: Any, request: pytest.FixtureRequest, script: str, n_folders: int
) -> None:
    path = request.config.rootpath / "benchmarking" / f"{script}.py"
    folders = [str(folder / "bc"), str(folder / "gail")][:n_folders]
    words = [sys.executable, str(path), *folders]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "gail" in done.stdout or "bc" in done.stdout
