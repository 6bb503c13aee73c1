"""The measurements of the demo: references and rows, in each environment.

Each cell runs on its own, seeded by its own settings, and leaves its result in its
directory: the returns of all episodes, and two pictures of the policy acting.
"""

import abc
import contextlib
import dataclasses
import functools
import pathlib
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.data import rollout
from imitation.envs.rendering import prepare_headless
from imitation.errors import ArtifactError, DataError
from imitation.reports import runs
from imitation.reports.animation import Film
from imitation.reports.statistics import normalized_interval
from imitation.scripts.command import stored_run
from imitation.scripts.demo import films, rows
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.scripts.ingredients.expert import get_expert_policy
from imitation.scripts.ingredients.logging import SETTINGS_FILE
from imitation.util import artifacts, seeding
from imitation.util.statistics import Interval, mean_interval

__all__ = [
    "ENVIRONMENTS",
    "Cell",
    "DemoEnvironment",
    "Learner",
    "Options",
    "Reference",
    "Result",
    "cells",
    "normalized",
]

N_COLORS = 8
"""How many colors the report has for rows."""

RESULT_FILE = "demo.json"
"""The result of a cell, written last."""


@dataclasses.dataclass(frozen=True)
class DemoEnvironment:
    """An environment of the demo."""

    name: str
    """Gymnasium's id."""

    preset: str
    """The named config of the commands."""

    about: str
    """The task and the return, in a sentence."""

    film: Callable[[rollout.AnyPolicy, EnvironmentSettings, int], Film]
    """Films a policy in an episode that begins as the seed says."""

    shown: str
    """The content of the films, in a sentence."""

    expert: str = "bundled"
    """The type of the expert's policy."""

    expert_origin: str = "bundled, trained with train_rl"
    """The origin of the expert, in a few words."""

    fast: tuple[str, ...] = ("environment.max_episode_steps=20",)
    """Words that shorten its episodes, for tests."""


ENVIRONMENTS = (
    DemoEnvironment(
        "seals/CartPole-v0",
        "seals_cartpole",
        "Balance a pole on a cart: one point for each of 500 steps in which the pole "
        "stands and the cart is on the track. The episode goes on after a fall, so its "
        "length gives nothing away.",
        # Random actions drive the cart off the picture in two seconds.
        film=functools.partial(
            films.film, shot=films.Shot(2.5, still_second=1.0, slow_motion=2)
        ),
        shown="The start of an episode, at half its speed.",
    ),
    DemoEnvironment(
        "Pendulum-v1",
        "pendulum",
        "Swing a pendulum up and hold it there with little torque: each of 200 steps "
        "costs up to 16 points for being away from the top, for speed and for torque.",
        film=functools.partial(films.film, shot=films.Shot(6.5, still_second=5.0)),
        shown="The start of an episode.",
    ),
    DemoEnvironment(
        "seals/CliffWorld7x4XY-v0",
        "cliff_world",
        "Walk around a cliff, diagonally, while a wind blows towards it: of 40 steps, "
        "each costs a point on plain ground and ten on the cliff (red), and earns ten "
        "at the goal (green).",
        film=functools.partial(films.film_grid, n_steps=24),
        shown="The first 24 steps of an episode, three in a second.",
        expert="soft-optimal",
        expert_origin="planned from the true reward, with some randomness",
        fast=(),
    ),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What the user chose."""

    seed: int
    """Seed of every command."""

    out: pathlib.Path
    """Directory of the report."""

    fast: bool
    """Seconds instead of minutes, for tests: the numbers mean nothing."""

    @property
    def n_episodes(self) -> int:
        """Episodes that each policy is evaluated with."""
        return 5 if self.fast else 50

    def shared_words(self, environment: DemoEnvironment) -> tuple[str, ...]:
        """The words of every command in an environment."""
        # 5 divides 50, so that exactly 50 episodes of equal length end together.
        words = (environment.preset, "environment.num_vec=5")
        return (*words, *environment.fast) if self.fast else words


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """A measured policy; equal only to itself."""

    cell: "Cell"
    """The measurement."""

    returns: npt.NDArray[np.float64]
    """Shape (n_episodes,)."""

    origin: str
    """The origin of the policy, in a few words."""

    film: Film | None
    """The policy acting."""

    @functools.cached_property
    def mean(self) -> Interval:
        """The mean return with its 95% interval."""
        return mean_interval(self.returns)


@functools.cache
def normalized(result: Result, expert: Result, random: Result) -> Interval | None:
    """Returns the share of the way from random actions to the expert.

    Computed once: it is asked for whenever the report is rewritten.

    Returns:
        The share with its interval; None if the two references do not differ.
    """
    try:
        return normalized_interval(result.returns, expert.returns, random.returns)
    except DataError:
        return None


@dataclasses.dataclass(frozen=True)
class Cell(abc.ABC):
    """A policy in an environment; a row for `imitation.scripts.demo.runner`."""

    options: Options
    """The user's."""

    environment: DemoEnvironment
    """The environment."""

    color: str
    """The class of its color in plots."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """A short name."""

    @property
    @abc.abstractmethod
    def seconds(self) -> float:
        """An estimate of its cost."""

    @property
    @abc.abstractmethod
    def command(self) -> str:
        """The shell command that gives the same number."""

    @property
    @abc.abstractmethod
    def directory(self) -> pathlib.Path:
        """Its run directory."""

    @property
    def statistic(self) -> str:
        """The command's name of the mean return."""
        return "return_mean"

    @abc.abstractmethod
    def _measure(self) -> tuple[npt.NDArray[np.float64], rollout.AnyPolicy, str]:
        """Returns the returns, the policy, and the origin of the policy."""

    @property
    def name(self) -> str:
        """Environment and label."""
        return f"{self.environment.name}: {self.label}"

    def finished(self) -> bool:
        """Returns whether there is a result of the same command, seed included."""
        with contextlib.suppress(ArtifactError, KeyError, TypeError):
            stored = artifacts.read_json(self.directory / RESULT_FILE)
            return bool(stored["command"] == self.command)
        return False

    def run(self) -> None:
        """Measures and films the policy."""
        prepare_headless()
        returns, policy, origin = self._measure()
        result = {
            "format_version": 1,
            "command": self.command,
            "returns": returns.tolist(),
            "origin": origin,
        }
        if not isinstance(self, Learner) or self.row.animate:
            # All films begin in the same state: they have the same settings and seed.
            shared = self.options.shared_words(self.environment)
            settings = rows.resolve("eval_policy", shared)[2].environment
            film = self.environment.film(policy, settings, self.options.seed)
            (self.directory / "moving.webp").write_bytes(film.moving)
            (self.directory / "still.webp").write_bytes(film.still)
            result["film"] = [film.width, film.height]
        artifacts.write_json(self.directory / RESULT_FILE, result)

    def read(self) -> Result:
        """Reads the result."""
        stored = artifacts.read_json(self.directory / RESULT_FILE)
        film = None
        if "film" in stored:
            moving = (self.directory / "moving.webp").read_bytes()
            still = (self.directory / "still.webp").read_bytes()
            film = Film(moving, still, *stored["film"])
        return Result(self, np.array(stored["returns"]), stored["origin"], film)


@dataclasses.dataclass(frozen=True)
class Reference(Cell):
    """The expert or random actions, measured as ``eval_policy`` does."""

    is_expert: bool

    seconds = 1.0

    @property
    @override
    def label(self) -> str:
        return "Expert" if self.is_expert else "Random"

    @property
    @override
    def directory(self) -> pathlib.Path:
        runs_of = self.options.out / "runs" / self.environment.preset
        return runs_of / self.label.lower()

    @property
    def _words(self) -> tuple[str, ...]:
        kind = self.environment.expert if self.is_expert else "random"
        return (
            *self.options.shared_words(self.environment),
            f"expert.policy_type={kind}",
            f"eval_n_episodes={self.options.n_episodes}",
            f"seed={self.options.seed}",
        )

    @property
    @override
    def command(self) -> str:
        return shlex.join(["imitation", "eval_policy", "with", *self._words])

    @override
    def _measure(self) -> tuple[npt.NDArray[np.float64], rollout.AnyPolicy, str]:
        settings = rows.resolve("eval_policy", self._words)[2]
        rng = settings.rng("evaluation")
        with make_venv(settings.environment, rng) as venv:
            policy = get_expert_policy(venv, settings.expert)
            returns = _returns(policy, venv, rng, self.options.n_episodes)
        origin = "draws from the action space"
        return (
            returns,
            policy,
            self.environment.expert_origin if self.is_expert else (origin),
        )


@dataclasses.dataclass(frozen=True)
class Learner(Cell):
    """A row of the demo: trained by its command, evaluated as the command does."""

    row: rows.DemoRow

    @property
    @override
    def label(self) -> str:
        return self.row.label

    @property
    @override
    def seconds(self) -> float:
        return self.row.seconds

    @property
    @override
    def statistic(self) -> str:
        return self.row.statistic

    @property
    @override
    def directory(self) -> pathlib.Path:
        runs_of = self.options.out / "runs" / self.environment.preset
        return runs_of / self.row.command

    @property
    def words(self) -> tuple[str, ...]:
        """Everything after ``with``."""
        own = self.row.settings[self.environment.name]
        if self.options.fast:
            own += self.row.fast
        expert = f"expert.policy_type={self.environment.expert}"
        # Of words that set the same key the last one counts, in the place of the first.
        merged = {word.partition("=")[0]: word for word in own}
        return (
            *self.options.shared_words(self.environment),
            *((expert,) if self.row.asks_expert else ()),
            *merged.values(),
            *(("policy_evaluation.n_episodes_eval=5",) if self.options.fast else ()),
            f"seed={self.options.seed}",
        )

    @property
    @override
    def command(self) -> str:
        return shlex.join(["imitation", self.row.command, "with", *self.words])

    @override
    def _measure(self) -> tuple[npt.NDArray[np.float64], rollout.AnyPolicy, str]:
        settings = rows.resolve(self.row.command, self.words)[2]
        # Stable-Baselines3 seeds NumPy's global generator, also when it loads an agent.
        with seeding.numpy_seeded(settings.rng("numpy")):
            self._train()
            policy = self.row.load(self.directory / self.row.policy, settings)
        # A new generator, not the training's: the command's evaluation has its own.
        rng = settings.rng("evaluation")
        with self.row.make_venv(settings.environment, rng) as venv:
            returns = _returns(policy, venv, rng, self.options.n_episodes)
        last = {
            k: v
            for row in runs.read_run(self.directory).metrics
            for k, v in row.items()
        }
        origin = self.row.learned_from.format(s=settings, m=last)
        return returns, policy, f"learned from {origin}"

    def _train(self) -> None:
        """Runs the command; leaves a directory that ``imitation report`` can read."""
        log = (f"logging.log_dir={self.directory}", "logging.log_format_strs=['csv']")
        words = (*self.words, *log)
        script, name, settings = rows.resolve(self.row.command, words)
        settings.check(name)
        stored = stored_run(script.name, name, settings)
        artifacts.write_json(self.directory / SETTINGS_FILE, stored)
        result = script.commands[name](settings, _Run())
        (self.directory / "sacred").mkdir()
        artifacts.write_json(
            self.directory / "sacred" / "run.json",
            {"status": "COMPLETED", "result": result},
        )


class _Run:
    """A run without observers: the demo keeps its own record."""

    def __init__(self) -> None:
        self.observers: Sequence[Any] = ()
        self.info: dict[str, Any] = {}

    def log_scalar(self, name: str, value: float, step: int | None = None) -> None:
        del name, value, step


def cells(
    options: Options,
    environments: Sequence[DemoEnvironment],
    learners: Sequence[rows.DemoRow],
) -> list[Cell]:
    """Lists the cells: by environment the expert, the rows that run there, random."""
    found: list[Cell] = []
    for environment in environments:
        found.append(Reference(options, environment, "muted", is_expert=True))
        for number, row in enumerate(learners):
            if environment.name in row.settings:
                color = f"c{number % N_COLORS}"
                found.append(Learner(options, environment, color, row))
        found.append(Reference(options, environment, "muted", is_expert=False))
    return found


def _returns(
    policy: rollout.AnyPolicy, venv: VecEnv, rng: np.random.Generator, n_episodes: int
) -> npt.NDArray[np.float64]:
    """Samples at least so many episodes, as the commands do; shape (n,)."""
    enough = rollout.make_min_episodes(n_episodes)
    trajectories = rollout.generate_trajectories(policy, venv, enough, rng)
    return np.array([float(np.sum(t.rews)) for t in trajectories])
