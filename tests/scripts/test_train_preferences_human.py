"""train_preference_comparisons with people: a whole run through the label queue."""

import contextlib
import os
import pathlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest

from imitation.algorithms import preference_comparisons as prefs
from imitation.algorithms.preference_comparisons import gatherers
from imitation.data import serialize, types
from imitation.data.labels.queue import LabelQueue, PairRecord
from imitation.envs.rendering import RenderImageInfoWrapper
from imitation.scripts import console, label
from imitation.scripts import train_preference_comparisons as script
from imitation.scripts.ingredients import preference_people
from imitation.scripts.ingredients.environment import EnvironmentSettings

av = pytest.importorskip("av", reason="needs the extra 'video'")

EX = script.train_preference_comparisons_ex


class Unseen(gym.Env):
    """Five steps an episode, and nothing to look at."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observe(), float(action), False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


gym.register("tests/Unseen-v0", cast("Any", Unseen))

FAST = ["seals_cartpole", "environment.fast", "policy_evaluation.fast", "fast"]
SMALL = {
    "logging.log_format_strs": ["csv"],
    "logging.log_dir": "run",
    "seed": 0,
    "gatherer": "human",
    "total_comparisons": 6,
    "save_preferences": True,
    "human.frame_size": 60,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatherers, "POLL_SECONDS", 0.002)
    monkeypatch.setattr(label, "_WAIT_SECONDS", 0.05)


class Lines:
    """Standard input of somebody who always says the same, until told to stop."""

    def __init__(self, line: Any) -> None:
        self.line = line

    def isatty(self) -> bool:
        return False

    def readline(self) -> Any:
        return self.line


@contextlib.contextmanager
def somebody(monkeypatch: pytest.MonkeyPatch, line: str = "left") -> Iterator[Any]:
    """``imitation label run --terminal --wait`` in a thread."""
    lines = Lines(f"{line}\n")
    monkeypatch.setattr(sys, "stdin", lines)
    arguments = ["run", "--terminal", "--wait", "--labeler", "Ada"]
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(label.main(arguments)))
    thread.start()
    try:
        yield
    finally:
        lines.line = ""  # the end of the input
        with LabelQueue("run/label_queue") as queue:
            while thread.is_alive():  # it reads on when there is a pair to judge
                queue.add([PairRecord(None, None, {})])
                thread.join(0.1)
    assert statuses == [0]


def answers() -> Any:
    with LabelQueue("run/label_queue", create=False) as queue:
        return queue.answers()


def clip(pair_id: int = 1, side: int = 0) -> Any:
    with LabelQueue("run/label_queue", create=False) as queue:
        path = queue.clip_path(pair_id, side)
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def saved() -> Any:
    return prefs.PreferenceDataset.load("run/preferences.pkl")


def test_a_run_whose_preferences_come_from_a_terminal(
    workdir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The labeler is there first.
    with somebody(monkeypatch):
        result = EX.run(named_configs=FAST, config_updates=SMALL).result
    assert result["reward_loss"] > 0 and "imit_stats" in result
    out = capsys.readouterr().out
    assert "Waiting for a run in run" in out
    line = "To compare clips, type in another terminal: imitation label run"
    assert out.splitlines().count(line) == 1
    assert label.find_queue(pathlib.Path("run")) == pathlib.Path("run/label_queue")
    assert saved().preferences.tolist() == [1.0] * 6
    assert [a.labeler for a in answers()] == ["Ada"] * 6


def test_clips_show_what_the_environment_renders(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody(monkeypatch, "down"):
        EX.run(named_configs=FAST, config_updates=SMALL)
    assert saved().preferences.tolist() == [0.5] * 6
    for pair_id in (1, 6):  # before and after the agent was trained
        frames = clip(pair_id)
        assert len(frames) == 2  # of two steps, as rendered after each
        # 400 × 600 is reduced to 40 × 60, and enlarged to be watched.
        assert frames[0].shape == (240, 360, 3)
        assert frames[0].mean() > 200, "a cart on white"


def test_a_run_without_a_display_asks_for_none(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    settings = EnvironmentSettings(gym_id="tests/Unseen-v0")
    preference_people.rendered(settings, preference_people.PeopleSettings())
    if sys.platform.startswith("linux"):
        assert os.environ["SDL_VIDEODRIVER"] == "dummy"


def test_training_is_not_rendered(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = []
    render = RenderImageInfoWrapper._picture

    def noting(self: Any) -> Any:
        rendered.append(self)
        return render(self)

    monkeypatch.setattr(RenderImageInfoWrapper, "_picture", noting)
    with somebody(monkeypatch):
        EX.run(named_configs=FAST, config_updates={**SMALL, "total_timesteps": 400})
    # Whole episodes of five steps are sampled for 6 pairs of 2 × 2 steps.
    assert 24 <= len(rendered) <= 3 * 2 * 5 + 24


def test_an_environment_that_does_not_render_is_plotted(
    workdir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    updates = {**SMALL, "environment.gym_id": "tests/Unseen-v0"}
    with somebody(monkeypatch):
        EX.run(named_configs=FAST[1:], config_updates=updates)
    assert "tests/Unseen-v0 does not render pictures here" in caplog.text
    assert len(clip()) == 3  # of three observations
    assert saved().preferences.tolist() == [1.0] * 6


def test_trajectories_of_somebody_else_need_no_rewards(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    made = [
        types.Trajectory(
            rng.normal(size=(9, 2)).astype(np.float32), np.zeros(8, int), None, True
        )
        for _ in range(4)
    ]
    serialize.save("demos", made)
    updates = {
        **SMALL,
        "environment.gym_id": "tests/Unseen-v0",
        "trajectory_path": "demos",
    }
    with somebody(monkeypatch, "right"):
        result = EX.run(named_configs=FAST[1:], config_updates=updates).result
    assert result.keys() == {"reward_loss", "reward_accuracy"}
    assert saved().preferences.tolist() == [0.0] * 6


def test_async_goes_on_with_what_is_there(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = {**SMALL, "human.mode": "async", "human.min_answers": 1}
    with somebody(monkeypatch):
        EX.run(named_configs=FAST, config_updates=updates)
    assert 1 <= len(saved()) <= 6


def test_nobody_answers_in_time(
    workdir: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    EX.run(named_configs=FAST, config_updates={**SMALL, "human.timeout": 0.01})
    assert "Nobody compared anything" in caplog.text
    assert len(saved()) == 0


def test_answers_outlive_an_interrupted_run(
    workdir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Killed while it waits: nobody is asked again about what was answered."""

    def answer_some_and_stop(seconds: Any) -> None:
        del seconds
        with LabelQueue("run/label_queue") as queue:
            n_answered = len(queue.answers())
            if n_answered == 4:
                raise KeyboardInterrupt
            (pair,) = queue.lease("Ada")
            queue.submit(pair.id, "Ada", 0.0)

    monkeypatch.setattr("time.sleep", answer_some_and_stop)
    with pytest.raises(KeyboardInterrupt):
        EX.run(named_configs=FAST, config_updates=SMALL)
    assert len(answers()) == 4
    monkeypatch.undo()
    monkeypatch.chdir(workdir)
    with somebody(monkeypatch, "left"):
        EX.run(config_updates={"resume": "run"})
    assert sorted(saved().preferences.tolist()) == [0.0] * 4 + [1.0] * 2
    assert len(answers()) == 6


@pytest.mark.slow
def test_processes_render_too(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = {**SMALL, "environment.parallel": True}
    with somebody(monkeypatch):
        EX.run(named_configs=FAST, config_updates=updates)
    assert clip(6)[0].shape == (240, 360, 3)


def test_without_pyav_nothing_begins(
    workdir: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert console.run(["train_preference_comparisons", "with", "gatherer=human"]) == 2
    error = capsys.readouterr().err
    assert error == (
        "imitation: av is not installed; run: pip install 'imitation[apps]'\n"
    )
    assert list(workdir.iterdir()) == []
