"""The page about the command line agrees with the settings classes and the console."""

import importlib.util
import pathlib
from typing import Any

import pytest

from imitation.scripts import console

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "guide" / "cli.md"


@pytest.fixture(scope="module")
def reference() -> Any:
    path = DOCS / "_tools" / "cli_reference.py"
    spec: Any = importlib.util.spec_from_file_location("cli_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(reference: Any) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == reference.page(text), "run python docs/_tools/cli_reference.py"


def test_every_setting_and_preset_is_on_the_page(reference: Any) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for script in reference.scripts():
        for name in script.presets():
            assert f"`{name}`" in text


def test_every_command_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in console.COMMANDS:
        assert f"`imitation {name}`" in text
