"""The programs in ``examples/`` run and learn what they say."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
LEAST_RETURN = {"bc": 475.0, "dagger": 475.0}


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(LEAST_RETURN)


@pytest.mark.parametrize("name", sorted(LEAST_RETURN))
def test_example(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text("utf-8").splitlines()) <= 80
    runpy.run_path(str(path), run_name="__main__")
    (measured,) = re.findall(r"return of the \w+: ([\d.]+)", capsys.readouterr().out)
    assert float(measured) >= LEAST_RETURN[name]
