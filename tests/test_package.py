"""The package as a whole: metadata, pins, extras, sizes, nothing of one machine."""

import ast
import dataclasses
import importlib
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import imitation

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SOURCES = sorted((ROOT / "src" / "imitation").rglob("*.py"))


def test_version_is_the_one_installed() -> None:
    assert metadata.version("imitation") == imitation.__version__ == PROJECT["version"]


@pytest.mark.parametrize("name", sorted(PROJECT["scripts"]))
def test_console_script_exists(name: str) -> None:
    (entry,) = metadata.entry_points(group="console_scripts", name=name)
    assert callable(entry.load())


def pinned() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(x) for x in lines if x and not x.startswith("#")]
    return {canonicalize_name(r.name) for r in requirements}


@pytest.mark.parametrize("extra", ["", *sorted(EXTRAS)])
def test_every_dependency_is_pinned(extra: str) -> None:
    lines = EXTRAS[extra] if extra else PROJECT["dependencies"]
    wanted = {canonicalize_name(Requirement(line).name) for line in lines}
    assert wanted - {"imitation"} <= pinned()


def missing_extra_calls() -> list[tuple[str, str, str]]:
    """Every ``missing_extra(package, extra)`` in the source, with where it stands."""
    return [
        (
            str(path.relative_to(ROOT)),
            *[ast.literal_eval(argument) for argument in node.args],
        )
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "missing_extra"
        and all(isinstance(argument, ast.Constant) for argument in node.args)
    ]


def test_a_missing_extra_is_named_right() -> None:
    calls = missing_extra_calls()
    assert calls
    wrong = [
        call
        for call in calls
        for package, extra in [call[1:]]
        if not any(
            canonicalize_name(Requirement(line).name) == canonicalize_name(package)
            for line in EXTRAS.get(extra, [])
        )
    ]
    assert wrong == []


def test_modules_are_short() -> None:
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in SOURCES}
    assert {str(p): n for p, n in lengths.items() if n > 500} == {}


MACHINE_PATH = re.compile(rb"/(?:home|root|Users|work|farm|mnt)/\w")


def test_nothing_names_a_place_on_one_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    files = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in files
        if path.is_file() and (match := MACHINE_PATH.search(path.read_bytes()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "name",
    [
        *("bc", "demonstrations", "environment", "expert", "logging", "policy"),
        *("policy_evaluation", "reward", "rl", "sqil", "wb"),
    ],
)
def test_documented_ingredients_keep_their_path(name: str) -> None:
    ingredient = importlib.import_module(f"imitation.scripts.ingredients.{name}")
    # It holds a class of settings, declared there.
    assert any(
        dataclasses.is_dataclass(value) and value.__module__ == ingredient.__name__
        for value in vars(ingredient).values()
    )
