"""Imports point downwards only, never in a circle, and the core stays light."""

import ast
import collections
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parent.parent / "src" / "imitation"

# The order of design: a package may import itself and the rows above its own.
LAYERS = [
    {"errors", ""},
    {"util"},
    {"data"},
    {"vision"},
    {"rewards"},
    {"policies", "regularization", "envs"},
    {"training"},
    {"algorithms"},
    {"representations", "interpretability"},
    {"reports", "apps"},
    {"scripts"},
    {"testing"},
]
RANK = {package: rank for rank, row in enumerate(LAYERS) for package in row}

HEAVY = [
    "sacred",
    "datasets",
    "pyarrow",
    "matplotlib",
    "sklearn",
    "ray",
    "h5py",
    "minari",
    "pandas",
    "seals",
    "huggingface_hub",
    "wandb",
]

QUESTION = re.compile(r"(What|Whether|Who|How|Where|When)\b")

# Documented as `python -m`, and as such not in contract/documented.txt.
DOCUMENTED_COMMANDS = {
    f"imitation.scripts.{command}"
    for command in (
        "convert_trajs",
        "eval_policy",
        "train_adversarial",
        "train_imitation",
        "train_preference_comparisons",
        "train_rl",
    )
}


def imported_modules(source: str, module: str) -> Iterator[str]:
    """Yields every module that ``module`` imports, also inside its functions.

    ``from a import b`` yields both ``a`` and ``a.b``: ``b`` may be a module.
    """
    parents = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def package_of(module: str) -> str:
    """The package under ``imitation`` that a dotted name lies in, "" for the root."""
    name = module.split(".")[1] if "." in module else ""
    return name if name in RANK else ""


def upward_imports(source: str, module: str) -> list[str]:
    """The packages beside or above its own that a module imports."""
    own = package_of(module)
    targets = {
        package_of(name)
        for name in imported_modules(source, module)
        if name.split(".")[0] == "imitation"
    }
    return sorted(t for t in targets if t != own and RANK[t] >= RANK[own])


def dotted(path: Path) -> str:
    return ".".join(["imitation", *path.relative_to(SRC).with_suffix("").parts])


FILES = sorted(SRC.rglob("*.py"))


def test_every_package_has_a_layer() -> None:
    packages = {p.name for p in SRC.iterdir() if (p / "__init__.py").exists()}
    modules = {p.stem for p in SRC.glob("*.py")} - {"__init__"}
    assert packages | modules <= set(RANK)


@pytest.mark.parametrize(
    "package", sorted({path.relative_to(SRC).parts[0] for path in FILES})
)
def test_imports_point_downwards(package: str) -> None:
    found = {
        str(path.relative_to(SRC)): upward
        for path in FILES
        if path.relative_to(SRC).parts[0] == package
        and (upward := upward_imports(path.read_text("utf-8"), dotted(path)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "statement",
    [
        "import imitation.scripts.train_rl",
        "from imitation.scripts import train_rl",
        "from imitation import scripts",
        "from ..scripts.train_rl import main",
        "from .. import scripts",
        "def f():\n    from imitation.scripts import train_rl",
        "if TYPE_CHECKING:\n    from imitation.scripts import train_rl",
    ],
)
def test_upward_import_is_seen_however_it_is_written(statement: str) -> None:
    assert upward_imports(statement, "imitation.data.rollout") == ["scripts"]
    assert upward_imports(statement, "imitation.testing.checks") == []


def is_face(module: str, source: str) -> bool:
    """Whether a package's ``__init__`` holds nothing but imports and ``__all__``."""
    return module.endswith(".__init__") and all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in ast.parse(source).body
    )


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Maps each module to those it imports, by the names that `dotted` gives.

    Imports for type checking and inside functions count. Faces are left out: a package
    and its parts form no circle by being a package.
    """
    own = {name for name, source in sources.items() if not is_face(name, source)}

    def modules_of(name: str) -> set[str]:
        """The module that a dotted name is, or lies in."""
        while name:
            if found := {name, f"{name}.__init__"} & sources.keys():
                return found & own
            name = name.rpartition(".")[0]
        return set()

    graph: dict[str, set[str]] = {}
    for module in own:
        names = set(imported_modules(sources[module], module))
        # Of `from a import b` only a.b counts, which may be another module than a.
        names = {n for n in names if not any(m.startswith(f"{n}.") for m in names)}
        graph[module] = set().union(*map(modules_of, names)) - {module}
    return graph


def circle_in(sources: Mapping[str, str]) -> list[str]:
    """Returns the modules of one circle of imports, [] if there is none."""
    try:
        graphlib.TopologicalSorter(import_graph(sources)).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_import_circles() -> None:
    sources = {dotted(path): path.read_text("utf-8") for path in FILES}
    assert sum(map(len, import_graph(sources).values())) > 500
    assert circle_in(sources) == []


PLANTED = {
    "imitation.a.__init__": '"""A face."""\nfrom .b import f\n__all__ = ["f"]',
    "imitation.a.b": "from imitation.a import c",
    "imitation.a.c": "from .d import g",
    "imitation.a.d": "",
    "imitation.e": "from imitation.a import f",
}


@pytest.mark.parametrize(
    "closing",
    [
        "import imitation.a.b",
        "from .b import f",
        "from . import b",
        "from imitation.a import b",
        "def f():\n    from imitation.a.b import f",
        "if TYPE_CHECKING:\n    from imitation.a.b import f",
    ],
)
def test_a_circle_is_found_however_it_is_closed(closing: str) -> None:
    assert circle_in(PLANTED) == []
    for module, members in [("imitation.a.d", "bcd"), ("imitation.a.c", "bc")]:
        found = circle_in(PLANTED | {module: closing + "\nfrom .d import g"})
        assert set(found) == {f"imitation.a.{name}" for name in members}


def test_a_package_that_does_more_than_re_export_is_part_of_circles() -> None:
    package = {"imitation.a.__init__": "from .d import g\ndef f(): ..."}
    assert circle_in(PLANTED | package) == []
    found = circle_in(PLANTED | package | {"imitation.a.d": "from . import f"})
    assert set(found) == {"imitation.a.__init__", "imitation.a.d"}


def question_docstrings(source: str) -> list[str]:
    """Returns the first lines of docstrings that open like a question."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first_lines = [
        (ast.get_docstring(node) or "").partition("\n")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented)
    ]
    return [line for line in first_lines if QUESTION.match(line)]


def test_docstrings_open_with_verbs_or_nouns() -> None:
    found = {
        dotted(path): lines
        for path in FILES
        if (lines := question_docstrings(path.read_text("utf-8")))
    }
    assert found == {}


def test_docstring_that_opens_like_a_question_is_found() -> None:
    assert question_docstrings('def f():\n    """Whether it is."""') == [
        "Whether it is."
    ]
    assert question_docstrings('"""Whenever it is."""') == []


def crowded_folders(modules: list[str], documented: set[str]) -> dict[str, int]:
    """Returns the packages with more than 16 modules beside the documented ones."""
    counts = collections.Counter(
        module.rpartition(".")[0]
        for module in modules
        if module not in documented and not module.endswith("__init__")
    )
    return {package: count for package, count in counts.items() if count > 16}


def test_folders_are_small() -> None:
    text = (Path(__file__).parent / "contract" / "documented.txt").read_text("utf-8")
    documented = {*re.findall(r"(?m)^\[([\w.]+)\]$", text), *DOCUMENTED_COMMANDS}
    assert crowded_folders([dotted(path) for path in FILES], documented) == {}


def test_crowded_folder_is_found() -> None:
    modules = [f"imitation.data.m{i}" for i in range(17)] + ["imitation.data.__init__"]
    assert crowded_folders(modules, set()) == {"imitation.data": 17}
    assert crowded_folders(modules, {"imitation.data.m3"}) == {}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_behavioural_cloning_imports_nothing_heavy() -> None:
    loaded = modules_after("import imitation.algorithms.bc")
    assert "torch" in loaded
    assert loaded & set(HEAVY) == set()


def test_package_imports_nothing_heavy() -> None:
    assert modules_after("import imitation") & {*HEAVY, "torch", "numpy"} == set()
