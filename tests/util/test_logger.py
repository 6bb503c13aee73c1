"""Tests of the hierarchical logger: what goes where, and that files are closed."""

import contextlib
import csv
import doctest
import gc
import json
import pathlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from stable_baselines3.common import logger as sb_logger

from imitation.util import logger as imit_logger


@pytest.fixture
def logger(tmp_path: pathlib.Path) -> Iterator[imit_logger.HierarchicalLogger]:
    made = imit_logger.configure(tmp_path, ["csv"])
    yield made
    made.close()


def rows(directory: pathlib.Path) -> list[dict[str, float]]:
    """Reads a progress file; empty cells are left out."""
    with open(directory / "progress.csv", newline="") as file:
        return [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def test_docstring_example() -> None:
    results = doctest.testmod(imit_logger)
    assert results.attempted == 2
    assert results.failed == 0


def test_without_context_it_is_an_ordinary_logger(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    logger.record("a", 1)
    logger.record("a", 2)
    logger.record_mean("b", 1)
    logger.record_mean("b", 2)
    assert logger.name_to_value == {"a": 2, "b": 1.5}
    logger.dump(1)
    assert not logger.name_to_value
    assert rows(tmp_path) == [{"a": 2, "b": 1.5}]
    assert logger.get_dir() == str(tmp_path)


def test_means_and_raw_values(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    logger.record("before", 0)
    with logger.accumulate_means("disc"):
        logger.record("loss", 1.0)
        logger.record_mean("direct", 7)
        assert logger.get_dir() == str(tmp_path / "raw" / "disc")
        assert logger.name_to_value == {"raw/disc/loss": 1.0}
        logger.dump(10)
        logger.record("loss", 2.0)
        logger.dump(20)
    assert logger.get_dir() == str(tmp_path)
    assert rows(tmp_path) == []
    logger.dump(1)
    assert rows(tmp_path) == [{"before": 0, "mean/disc/loss": 1.5, "direct": 7}]
    raw = rows(tmp_path / "raw" / "disc")
    assert raw == [{"raw/disc/loss": 1.0}, {"raw/disc/loss": 2.0}]


def test_entering_again_appends(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    for value in range(3):
        with logger.accumulate_means("gen"):
            logger.record("x", value)
            logger.dump(value)
    logger.dump(0)
    assert rows(tmp_path) == [{"mean/gen/x": 1.0}]
    assert [row["raw/gen/x"] for row in rows(tmp_path / "raw" / "gen")] == [0, 1, 2]


def test_prefixes(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    assert logger.get_accumulate_prefixes() == ""
    with logger.add_accumulate_prefix("foo"), logger.add_accumulate_prefix("bar"):
        assert logger.get_accumulate_prefixes() == "foo/bar/"
        with logger.accumulate_means("name"):
            with logger.add_key_prefix("k1"), logger.add_key_prefix("k2"):
                logger.record("x", 1.0)
            logger.record("x", 2.0)
            logger.dump(0)
    assert logger.get_accumulate_prefixes() == ""
    logger.dump(0)
    path = "foo/bar/name"
    expected = {f"{path}/k1/k2/x": 1.0, f"{path}/x": 2.0}
    assert rows(tmp_path) == [{f"mean/{key}": v for key, v in expected.items()}]
    raw_dir = tmp_path / "raw" / "foo" / "bar" / "name"
    assert rows(raw_dir) == [{f"raw/{key}": v for key, v in expected.items()}]


def test_contexts_end_at_exceptions(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    with (
        contextlib.suppress(KeyError),
        logger.add_accumulate_prefix("foo"),
        logger.accumulate_means("bar"),
        logger.add_key_prefix("k"),
    ):
        raise KeyError
    assert logger.current_logger is None
    with logger.accumulate_means("bar"):
        logger.record("x", 1)
        assert logger.name_to_value == {"raw/bar/x": 1}


def test_misuse_of_contexts(logger: imit_logger.HierarchicalLogger) -> None:
    with pytest.raises(RuntimeError, match="context is not active"):
        logger.add_key_prefix("x").__enter__()
    with logger.accumulate_means("a"):
        with pytest.raises(RuntimeError, match="Nested `accumulate_means` context"):
            logger.accumulate_means("b").__enter__()
        with pytest.raises(RuntimeError, match="Cannot add prefix"):
            logger.add_accumulate_prefix("x").__enter__()
        logger.record("x", 1)
        assert logger.name_to_value == {"raw/a/x": 1}


def test_excluded_formats(
    logger: imit_logger.HierarchicalLogger, tmp_path: pathlib.Path
) -> None:
    with logger.accumulate_means("a"):
        logger.record("x", 1, exclude="csv")
        logger.record("y", 2)
        logger.dump(0)
    logger.dump(0)
    assert rows(tmp_path) == [{"mean/a/y": 2}]
    assert rows(tmp_path / "raw" / "a") == [{"raw/a/y": 2}]


def test_text_and_level(tmp_path: pathlib.Path) -> None:
    logger = imit_logger.configure(tmp_path, ["log"])
    logger.info("shown", 1)
    with logger.accumulate_means("a"):
        logger.set_level(sb_logger.DISABLED)
        logger.log("hidden")
        logger.record("x", 1)
        logger.dump()
    logger.close()
    assert (tmp_path / "log.txt").read_text() == "shown 1\n"
    assert (tmp_path / "raw" / "a" / "log.txt").read_text() == ""
    assert logger.level == logger.default_logger.level == sb_logger.DISABLED


def test_default_logger_without_directory(capsys: pytest.CaptureFixture[str]) -> None:
    default = sb_logger.Logger(folder=None, output_formats=[])
    logger = imit_logger.HierarchicalLogger(default)
    with logger.accumulate_means("a"):
        logger.record("x", 1.0)
        logger.dump(0)
    assert "raw/" in capsys.readouterr().out
    assert logger.name_to_value == {"mean/a/x": 1.0}
    assert logger.get_dir() is None


def test_configure_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    logger = imit_logger.configure()
    (directory,) = tmp_path.iterdir()
    assert directory.name.startswith("imitation-")
    assert {path.name for path in directory.iterdir()} == {"log.txt", "progress.csv"}
    assert tuple(logger.format_strs) == ("stdout", "log", "csv")
    logger.close()
    logger.close()  # once more is harmless


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_files_are_closed_when_the_logger_is_forgotten(tmp_path: pathlib.Path) -> None:
    logger: Any = imit_logger.configure(tmp_path, ["log", "csv", "json"])
    with logger.accumulate_means("a"):
        raw: Any = logger.output_formats
    files = [writer.file for writer in [*raw, *logger.output_formats]]
    logger.me = logger  # a cycle, as between an algorithm and its callbacks
    del logger, raw
    gc.collect()
    assert len(files) == 6
    assert all(file.closed for file in files)


def test_default_logger_stays_open_while_somebody_has_it(
    tmp_path: pathlib.Path,
) -> None:
    default = imit_logger.configure(tmp_path, ["csv"]).default_logger
    gc.collect()
    default.record("x", 1)
    default.dump()
    assert rows(tmp_path) == [{"x": 1}]


@pytest.mark.parametrize(
    ("format_str", "file_name"),
    [("log", "log_x.txt"), ("csv", "progress_x.csv"), ("json", "progress_x.json")],
)
def test_make_output_format(
    format_str: str, file_name: str, tmp_path: pathlib.Path
) -> None:
    writer = imit_logger.make_output_format(format_str, str(tmp_path / "new"), "_x")
    writer.write({"key": 3.0}, {"key": ()}, step=1)
    writer.close()
    assert "3" in (tmp_path / "new" / file_name).read_text()


def test_json_lines(tmp_path: pathlib.Path) -> None:
    logger = imit_logger.configure(tmp_path, ["json"])
    for step in range(2):
        logger.record("x", step)
        logger.dump(step)
    logger.close()
    lines = (tmp_path / "progress.json").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"x": 0}, {"x": 1}]


def test_keys_are_cut_to_max_length(tmp_path: pathlib.Path) -> None:
    kwargs: Any
    for kwargs, length in (({}, 50), ({"max_length": 10}, 10)):
        writer = imit_logger.make_output_format("log", str(tmp_path), **kwargs)
        writer.write({"k" * 100: 1}, {"k" * 100: ()})
        writer.close()
        text = (tmp_path / "log.txt").read_text()
        assert "k" * (length - 3) + "..." in text
        assert "k" * (length - 2) not in text


@pytest.mark.parametrize("bad", ["excel", "", "STDOUT"])
def test_unknown_format(bad: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=f"Unknown format specified: {bad}"):
        imit_logger.make_output_format(bad, str(tmp_path))
    with pytest.raises(ValueError, match="Unknown format specified"):
        imit_logger.configure(tmp_path, [bad])


def test_wandb_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    message = "Trying to log data with `WandbOutputFormat` but `wandb` not installed"
    with pytest.raises(ModuleNotFoundError, match=message):
        imit_logger.make_output_format("wandb", str(tmp_path))


def test_wandb_gets_means_but_not_raw_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    calls: Any = []
    stub: Any = types.ModuleType("wandb")
    stub.log = lambda metrics, step: calls.append((metrics, step))
    stub.finish = lambda: calls.append("finish")
    monkeypatch.setitem(sys.modules, "wandb", stub)
    logger = imit_logger.configure(tmp_path, ["wandb", "csv"])
    with logger.accumulate_means("a"):
        logger.record("x", 1.0)
        logger.dump(1000)
    logger.record("hidden", 1, exclude="wandb")
    logger.dump(3)
    assert calls == [({"mean/a/x": 1.0}, 3)]
    logger.close()
    assert calls[1:] == ["finish"]
    assert rows(tmp_path / "raw" / "a") == [{"raw/a/x": 1.0}]


def test_forgetting_a_logger_leaves_the_wandb_run_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    calls = []
    stub: Any = types.ModuleType("wandb")
    stub.finish = lambda: calls.append("finish")
    monkeypatch.setitem(sys.modules, "wandb", stub)
    imit_logger.configure(tmp_path, ["wandb"])
    gc.collect()
    assert calls == []
