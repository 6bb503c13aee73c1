"""The programs in ``examples/`` run and learn what they say."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LEAST_RETURN = {"bc": 475.0, "dagger": 475.0, "mce_irl": 10.0}
SLOW = {
    "airl": 450.0,
    "airl_transfer": 450.0,
    "density": -250.0,
    "gaifo": 450.0,
    "gail": 475.0,
    "gail_sac": -180.0,
    "iq_learn": 450.0,
    "preference_comparisons": -250.0,
    "sqil": 475.0,
}
"""Those that train for half a minute and more."""


def test_every_example_is_tested() -> None:
    # The two of the recipes are tested in `test_recipes`.
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names - {"new_algorithm", "new_command"} == {*LEAST_RETURN, *SLOW}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        *LEAST_RETURN.items(),
        *(pytest.param(*item, marks=pytest.mark.slow) for item in SLOW.items()),
    ],
)
def test_example(
    name: str,
    least: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text("utf-8").splitlines()) <= 80
    runpy.run_path(str(path), run_name="__main__")
    (measured,) = re.findall(r"return of the \w+: (-?[\d.]+)", capsys.readouterr().out)
    assert float(measured) >= least
