"""A real browser: thirty pairs by keyboard, with the app killed under the page."""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.labeling_app import App
from imitation.data.labels.queue import LabelQueue

pytest.importorskip("fastapi", reason="needs the extra 'apps'")
pytest.importorskip("uvicorn", reason="needs the extra 'apps'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium"
)

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
N_PAIRS = 30
KEYS = {"ArrowLeft": 1.0, "ArrowRight": 0.0, "ArrowDown": 0.5, "s": None}
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages of one person; what goes wrong on them fails the test."""
    wrong: list[str] = []
    contexts = []

    def open_(app: App, name: str = "Ann", **settings: Any) -> Any:
        context = browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(app.url)
        page.fill("#name", name)
        page.keyboard.press("Enter")
        wait_for_pair(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def wait_for_pair(page: Any, other_than: int | None = None) -> int:
    """Waits until the page takes answers; returns its pair's number, 0 for none."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        page.wait_for_selector("body[data-busy=false]")
        shown = page.inner_text("#pair-name").removeprefix("Pair ")
        if (pair := int(shown or 0)) != other_than:
            return pair
        time.sleep(0.02)
    raise AssertionError(f"the page still shows pair {other_than}")


def test_thirty_pairs_by_keyboard_with_undo_skip_and_killed_app(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    queue = make_queue(N_PAIRS)
    app = run_app(queue)
    page = open_page(app)
    rng = random.Random(0)
    expected: dict[int, float | None] = {}
    pair = 1
    for step in range(N_PAIRS):
        assert wait_for_pair(page) == pair == step + 1
        if step == 12:
            app.kill()  # the answer is given to an app that is gone
        key = rng.choice(list(KEYS))
        page.keyboard.press(key)
        if step == 12:
            page.wait_for_selector("#notice.trouble")
            assert len(queue.verdicts()) == 12
            app.start()
        expected[pair] = KEYS[key]
        pair = wait_for_pair(page, other_than=pair)
        if step == 20:
            app.kill()  # between two answers
            app.start()
        if step % 7 == 3:
            page.keyboard.press("u")
            assert wait_for_pair(page, other_than=pair) == step + 1
            assert step + 1 not in {v.pair_id for v in queue.verdicts()}
            key = rng.choice(list(KEYS))
            page.keyboard.press(key)
            expected[step + 1] = KEYS[key]
            pair = wait_for_pair(page, other_than=step + 1)
    assert pair == 0
    page.wait_for_selector("#waiting:not([hidden])")
    stored = [(v.pair_id, v.preference) for v in queue.verdicts("Ann")]
    assert stored == list(expected.items())
    assert {None, 0.5} <= set(expected.values()), "skips and ties were among them"
    queue.add([queue.pair(1)])
    assert wait_for_pair(page, other_than=0) == N_PAIRS + 1, (
        "new pairs come by themselves"
    )


def test_answer_that_a_closed_page_had_not_sent_is_sent_later(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    queue = make_queue(3)
    app = run_app(queue)
    page = open_page(app)
    app.kill()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#notice.trouble")
    page.close(run_before_unload=False)
    app.start()
    page = page.context.new_page()
    page.goto(f"http://127.0.0.1:{app.port}/")  # the cookie is still good
    assert wait_for_pair(page, other_than=0) == 2
    assert [(a.pair_id, a.preference) for a in queue.answers()] == [(1, 0.0)]


def test_who_leaves_comes_back_to_the_same_pair(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    queue = make_queue(8)
    app = run_app(queue)
    ann = open_page(app, "Ann")
    ann.keyboard.press("ArrowLeft")
    assert wait_for_pair(ann, other_than=1) == 2
    bob = open_page(app, "Bob")
    assert wait_for_pair(bob) == 5, "Ann holds the next ones"
    ann.reload()
    assert wait_for_pair(ann, other_than=0) == 2
    assert ann.inner_text("#who") == "Labeling as Ann"


def test_both_clips_play_in_step(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    page = open_page(run_app(make_queue(1)))
    times = "[...document.querySelectorAll('video')].map((v) => v.currentTime)"
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.inner_text("#speed") == "¼×"
    page.keyboard.press(" ")
    seen: set[float] = set()
    end = time.monotonic() + PATIENCE / 1000
    while len(seen) < 4 and time.monotonic() < end:
        first, second = page.evaluate(times)
        seen.add(first)
        assert abs(first - second) < 0.3
    assert len(seen) >= 4, "the clips move"


def test_page_fits_wide_and_narrow_screens(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    """No sideways scrolling, and the clips and every button are on the first screen."""
    page = open_page(run_app(make_queue(5)))
    for width, height in [(1280, 860), (390, 844), (320, 568)]:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("first", "equal", "second", "undo", "skip", "replay", "slower"):
            box = page.locator(f"#{name}").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["height"] >= 40, "large enough for a thumb"
            assert box["y"] + box["height"] <= height
        a, b = (page.locator(f"#card-{n}").bounding_box() for n in ("first", "second"))
        assert (a["y"] == b["y"]) == (width > 700), "side by side, or stacked"
        if folder := os.environ.get("LABEL_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"label-{width}x{height}.png")


def test_buttons_and_history_do_what_keys_do(
    make_queue: Callable[..., LabelQueue],
    run_app: Callable[..., App],
    open_page: Callable[..., Any],
) -> None:
    queue = make_queue(5)
    page = open_page(run_app(queue), has_touch=True, is_mobile=True)
    pair = 1
    for name in ("first", "second", "equal", "skip"):
        page.tap(f"#{name}")
        pair = wait_for_pair(page, other_than=pair)
    assert [v.preference for v in queue.verdicts()] == [1.0, 0.0, 0.5, None]
    page.tap("#history-box summary")
    page.tap("#history li:nth-child(3) button")  # the second answer
    assert wait_for_pair(page, other_than=5) == 2
    page.tap("#first")
    assert wait_for_pair(page, other_than=2) == 5
    assert [(v.pair_id, v.preference) for v in queue.verdicts()] == [
        (1, 1.0),
        (3, 0.5),
        (4, None),
        (2, 1.0),
    ]
