"""A whole run with a person in a browser: the agent learns what the person wants."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.labeling_app import App
from imitation.data.labels.queue import LabelQueue

pytest.importorskip("fastapi", reason="needs the extra 'apps'")
pytest.importorskip("uvicorn", reason="needs the extra 'apps'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_BROWSER = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium"
)
pytestmark = [pytest.mark.slow, NO_BROWSER]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
TARGET = 450
PATIENCE = 60_000  # milliseconds


@pytest.fixture
def training(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """``train_preference_comparisons with seals_cartpole gatherer=human``."""
    command = [
        *(sys.executable, "-m", "imitation.scripts.train_preference_comparisons"),
        *("with", "seals_cartpole", "gatherer=human", "seed=0"),
        f"logging.log_dir={tmp_path / 'run'}",
    ]
    with (tmp_path / "output.txt").open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, text=True, cwd=tmp_path
        )
        yield process
        process.kill()
        process.wait()


def answer(page: Any, queue: Any) -> bool:
    """Answers the pair that the page shows by the true returns, if it shows one."""
    if page.get_attribute("body", "data-busy") != "false":
        return False
    shown = page.inner_text("#pair-name").removeprefix("Pair ")
    if not shown:
        return False
    first, second = queue.pair(int(shown)).meta["true_returns"]
    better = "ArrowLeft" if first > second else "ArrowRight"
    page.keyboard.press("ArrowDown" if first == second else better)
    page.wait_for_function(
        "shown => document.querySelector('#pair-name').innerText !== shown",
        arg=f"Pair {shown}",
    )
    return True


def test_person_in_a_browser_trains_cartpole(
    training: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    while not (directory / "label_queue").exists():
        assert training.poll() is None, (tmp_path / "output.txt").read_text()
        time.sleep(0.2)
    app = App(directory).start()
    n_answered = 0
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(app.url)
        page.fill("#name", "Ann")
        page.keyboard.press("Enter")
        with LabelQueue(directory / "label_queue") as queue:
            while training.poll() is None:
                if answer(page, queue):
                    n_answered += 1
                else:
                    time.sleep(0.01)
        browser.close()
    app.kill()
    assert training.returncode == 0, (tmp_path / "output.txt").read_text()
    with LabelQueue(directory / "label_queue") as queue:
        assert len(queue.verdicts()) == n_answered == 500
    run = json.loads((directory / "sacred" / "run.json").read_text())
    assert run["result"]["imit_stats"]["monitor_return_mean"] >= TARGET
