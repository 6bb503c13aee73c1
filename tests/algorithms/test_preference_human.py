"""Preferences of people: pairs go into the queue and what they say comes back."""

import contextlib
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.algorithms import preference_comparisons as prefs
from imitation.data.labels import clips
from imitation.data.labels.queue import LabelQueue, PairRecord
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from reference import preferences as ref
from reference import tiny_envs

pytest.importorskip("av", reason="needs the extra 'video'")

RNG = np.random.default_rng(0)


def pairs(n: int) -> Any:
    return ref.pairs(RNG, n, length=3)


def preferred(meta: Any) -> float:
    first, second = meta["true_returns"]
    return float(first > second)


@contextlib.contextmanager
def labeler(
    directory: Any, answer: Callable[[Any], float | None] = preferred, name: str = "Ada"
) -> Iterator[None]:
    """Somebody who answers whatever is asked, in a thread."""
    stop = threading.Event()

    def work() -> None:
        with LabelQueue(directory) as queue:
            while not stop.is_set():
                for pair in queue.lease(name):
                    queue.submit(pair.id, name, answer(pair.meta))
                time.sleep(0.002)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def label(directory: Any, n: int, answer: Any = preferred) -> None:
    """Answers some pairs at once."""
    with LabelQueue(directory) as queue:
        for pair in queue.lease("Ada", n):
            queue.submit(pair.id, "Ada", answer(pair.meta))


def expected(given: Any) -> list[float]:
    return [float(a.rews.sum() > b.rews.sum()) for a, b in given]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "imitation.algorithms.preference_comparisons.gatherers"
    monkeypatch.setattr(f"{module}.POLL_SECONDS", 0.002)
    # Encoding of videos is tested with the clips.
    write = pathlib.Path.write_bytes

    def write_clip(path: Any, frames: Any, fps: float) -> None:
        path.parent.mkdir(exist_ok=True)
        write(path, b"%d frames" % len(frames))

    monkeypatch.setattr(clips, "write_clip", write_clip)


def test_waits_for_all(tmp_path: pathlib.Path) -> None:
    gatherer = prefs.HumanGatherer(tmp_path)
    given = pairs(4)
    with labeler(tmp_path):
        returned, answers = gatherer.gather(given)
    assert list(returned) == given
    assert answers.dtype == np.float32 and answers.tolist() == expected(given)
    with labeler(tmp_path):
        assert gatherer(given).tolist() == expected(given)


def test_what_is_undone_at_the_last_moment_is_asked_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gatherer = prefs.HumanGatherer(tmp_path, mode="async", timeout=0.01)
    given = pairs(3)
    gatherer.gather(given)
    label(tmp_path, 3)
    retire = LabelQueue.retire

    def undo_first(queue: LabelQueue, *args: Any) -> Any:
        queue.undo("Ada")
        return retire(queue, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LabelQueue, "retire", undo_first)
        returned, answers = gatherer.gather([])
    assert list(returned) == given[:2] and answers.tolist() == expected(given[:2])
    label(tmp_path, 1, lambda meta: 0.5)
    returned, answers = gatherer.gather([])
    assert list(returned) == given[2:] and answers.tolist() == [0.5]


def test_what_the_queue_is_told(tmp_path: pathlib.Path) -> None:
    net = reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE)
    model = prefs.PreferenceModel(net)
    gatherer = prefs.HumanGatherer(
        tmp_path, mode="async", preference_model=model, timeout=0.01
    )
    given = pairs(2)
    gatherer.gather(given)
    probs, _ = model(given)
    with LabelQueue(tmp_path) as queue:
        for i, (first, second) in enumerate(given):
            pair = queue.pair(i + 1)
            assert pair.clip_a is not None and (tmp_path / pair.clip_a).is_file()
            assert pair.clip_b is not None and (tmp_path / pair.clip_b).is_file()
            assert pair.meta["true_returns"] == pytest.approx(
                [first.rews.sum(), second.rews.sum()]
            )
            assert pair.model_probability == pytest.approx(probs[i].item(), abs=1e-6)
            assert pair.meta["iteration"] == 0


def test_an_ensemble_tells_its_mean(tmp_path: pathlib.Path) -> None:
    members = [
        reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE) for _ in range(2)
    ]
    net = reward_nets.RewardEnsemble(ref.OBS_SPACE, ref.ACT_SPACE, members)
    model = prefs.PreferenceModel(net)
    given = pairs(1)
    prefs.HumanGatherer(
        tmp_path, mode="async", preference_model=model, timeout=0.01
    ).gather(given)
    with LabelQueue(tmp_path) as queue:
        probability = queue.pair(1).model_probability
    assert probability == pytest.approx(model(given)[0].mean().item(), abs=1e-6)


def test_a_skipped_pair_gives_no_preference(tmp_path: pathlib.Path) -> None:
    gatherer = prefs.HumanGatherer(tmp_path)
    given = pairs(3)
    answers = iter([1.0, None, 0.5] * 2)
    with labeler(tmp_path, lambda meta: next(answers)):
        returned, preferences = gatherer.gather(given)
        assert list(returned) == [given[0], given[2]]
        assert preferences.tolist() == [1.0, 0.5]
        assert gatherer(given).tolist() == [1.0, 0.5, 0.5]


def test_several_people_give_their_mean(tmp_path: pathlib.Path) -> None:
    gatherer = prefs.HumanGatherer(tmp_path)
    with LabelQueue(tmp_path) as queue:
        queue.set_overlap(2)
    given = pairs(2)
    with (
        labeler(tmp_path, lambda meta: 1.0, "Ada"),
        labeler(tmp_path, lambda meta: meta["index"] * 1.0, "Bo"),
    ):
        returned, preferences = gatherer.gather(given)
    assert list(returned) == given and preferences.tolist() == [0.5, 1.0]


def test_training_goes_on_while_people_compare(tmp_path: pathlib.Path) -> None:
    gatherer = prefs.HumanGatherer(tmp_path, mode="async", timeout=0.02)
    first, second = pairs(3), pairs(2)
    returned, preferences = gatherer.gather(first)
    assert len(returned) == len(preferences) == 0
    label(tmp_path, 2)
    returned, preferences = gatherer.gather(second)
    assert list(returned) == first[:2]
    assert preferences.tolist() == expected(first[:2])
    label(tmp_path, 9)
    returned, preferences = gatherer.gather([])
    assert list(returned) == [first[2], *second]
    assert preferences.tolist() == expected(returned)
    assert len(gatherer.gather([])[0]) == 0, "each is returned once"


def test_at_first_it_waits_for_something_to_train_on(tmp_path: pathlib.Path) -> None:
    gatherer = prefs.HumanGatherer(tmp_path, mode="async", min_answers=2)
    given = pairs(3)
    answers = iter([None, 1.0, 1.0])
    with labeler(tmp_path, lambda meta: next(answers)):
        returned, _ = gatherer.gather(given)
    assert list(returned) == given[1:]
    started = time.monotonic()
    gatherer.gather(pairs(1))
    assert time.monotonic() - started < 2, "later it does not wait"


def test_time_is_up(tmp_path: pathlib.Path) -> None:
    logger = imit_logger.configure(tmp_path / "log", ["log"])
    gatherer = prefs.HumanGatherer(tmp_path, timeout=0.02, custom_logger=logger)
    given = pairs(2)
    assert gatherer.gather(given)[1].shape == (0,)
    text = (tmp_path / "log" / "log.txt").read_text()
    assert "Waiting for people to compare 2 pairs" in text
    assert "2 pairs were not compared within 0.02 s" in text
    label(tmp_path, 2)
    assert list(gatherer.gather([])[0]) == given, "late, but not lost"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_nothing_said_is_lost_or_asked_twice(tmp_path: pathlib.Path, mode: Any) -> None:
    """A training is killed after its checkpoint, and resumed."""
    before = prefs.HumanGatherer(tmp_path, mode=mode, timeout=0.02)
    label_after: Any = pairs(2)
    before.gather(label_after)
    label(tmp_path, 2)
    before.gather([])
    state = before.state_dict()
    lost = pairs(3)
    before.gather(lost)
    label(tmp_path, 1)  # the others stay open when it is killed
    if mode == "async":
        assert len(before.gather([])[0]) == 1, "used, but by a training that is gone"

    after = prefs.HumanGatherer(tmp_path, mode=mode, timeout=0.02)
    after.load_state_dict(state)
    new = pairs(4)  # the round again, with one pair more
    returned, preferences = after.gather(new)
    assert list(returned) == lost[:1] and preferences.tolist() == expected(lost[:1])
    with LabelQueue(tmp_path) as queue:
        assert queue.pending() == 3, "two of the old ones and one new one"
    label(tmp_path, 9)
    returned, _ = after.gather([])
    assert list(returned) == [*lost[1:], new[3]]


def test_pairs_of_others_in_the_queue_are_left_alone(tmp_path: pathlib.Path) -> None:
    with LabelQueue(tmp_path) as queue:
        queue.add([PairRecord()])
    gatherer = prefs.HumanGatherer(tmp_path, mode="async", timeout=0.02)
    given = pairs(1)
    gatherer.gather(given)
    label(tmp_path, 2, lambda meta: 1.0)
    assert list(gatherer.gather([])[0]) == given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "later"}, "mode must be 'sync' or 'async', got 'later'"),
        ({"fps": 0}, "fps must be positive"),
        ({"min_answers": 0}, "min_answers must be positive"),
    ],
)
def test_wrong_settings(tmp_path: pathlib.Path, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prefs.HumanGatherer(tmp_path, **options)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_whole_training(tmp_path: pathlib.Path, mode: Any) -> None:
    th.manual_seed(0)
    venv = tiny_envs.make_venv()
    net = reward_nets.BasicRewardNet(venv.observation_space, venv.action_space)
    rng = np.random.default_rng(0)
    generator = prefs.TrajectoryDataset(tiny_envs.expert_trajectories(20), rng)
    trainer = prefs.PreferenceComparisons(
        generator,
        net,
        num_iterations=3,
        fragment_length=4,
        preference_gatherer=prefs.HumanGatherer(tmp_path / "queue", mode=mode),
        initial_epoch_multiplier=2,
        rng=rng,
        custom_logger=imit_logger.configure(tmp_path, ["csv"]),
    )
    with labeler(tmp_path / "queue", lambda meta: 1.0):
        trainer.train(0, 12)
    assert 1 <= len(trainer.dataset) <= 12
    if mode == "sync":
        assert len(trainer.dataset) == 12
    header = (tmp_path / "progress.csv").read_text().splitlines()[0].split(",")
    assert "mean/preferences/answered" in header
