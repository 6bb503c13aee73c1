"""Running commands in a directory of their own."""

import pathlib

import pytest


@pytest.fixture
def workdir(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
