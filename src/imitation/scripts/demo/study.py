"""The measurements of the demo: references and rows, in each environment.

Each cell runs on its own, seeded by its own settings, and leaves its result in its
directory: the returns of all episodes, and two pictures of the policy acting.
"""

import contextlib
import dataclasses
import functools
import pathlib
import shlex
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

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
from imitation.scripts.settings import ConfigDict
from imitation.util import artifacts, seeding
from imitation.util.statistics import Interval, mean_interval

# Labels of the references.
EXPERT, RANDOM = "Expert", "Random"

Floats = npt.NDArray[np.float64]

# Number of colors that the report has for rows.
N_COLORS = 8

# The result of a cell, written last.
RESULT_FILE = "demo.json"


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
    """The choices of the user."""

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


@dataclasses.dataclass(frozen=True)
class Cell:
    """A policy in an environment; a row for `imitation.scripts.demo.runner`.

    The expert and random actions are measured as ``eval_policy`` does; other policies
    are trained by their command, and evaluated as the command does.
    """

    label: str
    """A short name."""

    environment: DemoEnvironment
    """The environment."""

    color: str
    """The class of its color in plots."""

    directory: pathlib.Path
    """Its run directory."""

    words: tuple[str, ...]
    """The words of its command after ``with``."""

    options: Options
    """The user's."""

    row: rows.DemoRow | None = None
    """The algorithm; None for the expert and random actions."""

    @property
    def name(self) -> str:
        """Environment and label."""
        return f"{self.environment.name}: {self.label}"

    @property
    def seconds(self) -> float:
        """An estimate of its cost."""
        return self.row.seconds if self.row else 1.0

    @property
    def statistic(self) -> str:
        """The command's name of the mean return."""
        return self.row.statistic if self.row else "return_mean"

    @property
    def command(self) -> str:
        """The shell command that gives the same number."""
        name = self.row.command if self.row else "eval_policy"
        return shlex.join(["imitation", name, "with", *self.words])

    def finished(self) -> bool:
        """Returns whether there is a result of the same command, seed included."""
        with contextlib.suppress(ArtifactError, KeyError, TypeError):
            stored = artifacts.read_json(self.directory / RESULT_FILE)
            return bool(stored["command"] == self.command)
        return False

    def run(self) -> None:
        """Measures and films the policy."""
        prepare_headless()
        measured = self._refer() if self.row is None else self._learn(self.row)
        returns, policy, origin = measured
        result = {
            "format_version": 1,
            "command": self.command,
            "returns": returns.tolist(),
            "origin": origin,
        }
        if self.row is None or self.row.animate:
            # All films begin in the same state: they have the same settings and seed.
            shared = self.options.shared_words(self.environment)
            settings = rows.resolve("eval_policy", shared)[2].environment
            film = self.environment.film(policy, settings, self.options.seed)
            (self.directory / "moving.webp").write_bytes(film.moving)
            (self.directory / "still.webp").write_bytes(film.still)
            result["film"] = [film.width, film.height]
        artifacts.write_json(self.directory / RESULT_FILE, result)

    def _refer(self) -> tuple[Floats, rollout.AnyPolicy, str]:
        """Returns the returns of the expert or of random actions, policy and origin."""
        settings = rows.resolve("eval_policy", self.words)[2]
        rng = settings.rng("evaluation")
        with make_venv(settings.environment, rng) as venv:
            policy = get_expert_policy(venv, settings.expert)
            returns = _returns(policy, venv, rng, self.options.n_episodes)
        if self.label == EXPERT:
            return returns, policy, self.environment.expert_origin
        return returns, policy, "draws from the action space"

    def _learn(self, row: rows.DemoRow) -> tuple[Floats, rollout.AnyPolicy, str]:
        """Trains; leaves a directory that ``imitation report`` can read."""
        log = (f"logging.log_dir={self.directory}", "logging.log_format_strs=['csv']")
        script, name, settings = rows.resolve(row.command, (*self.words, *log))
        script.check(settings, name)
        stored = stored_run(script.name, name, settings)
        artifacts.write_json(self.directory / SETTINGS_FILE, stored)
        # Stable-Baselines3 seeds NumPy's global generator, also when it loads an agent.
        with seeding.numpy_seeded(settings.rng("numpy")):
            result = script.commands[name](settings, _Run())
            policy = row.load(self.directory / row.policy, settings)
        run = {"status": "COMPLETED", "result": result}
        # Where Sacred would write it, and `imitation report` looks for the result.
        (self.directory / "sacred").mkdir()
        artifacts.write_json(self.directory / "sacred" / "run.json", run)
        # A new generator, not the training's: the command's evaluation has its own.
        rng = settings.rng("evaluation")
        with row.make_venv(settings.environment, rng) as venv:
            returns = _returns(policy, venv, rng, self.options.n_episodes)
        metrics = runs.read_run(self.directory).metrics
        last = {key: value for logged in metrics for key, value in logged.items()}
        origin = row.learned_from.format(s=settings, m=last)
        return returns, policy, f"learned from {origin}"


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """A measured policy; equal only to itself."""

    cell: Cell
    """The measurement."""

    returns: Floats
    """Shape (n_episodes,)."""

    origin: str
    """The origin of the policy, in a few words."""

    film: Film | None
    """The policy acting."""

    @classmethod
    def read(cls, cell: Cell) -> Self:
        """Reads the result that a cell has written."""
        stored, film = artifacts.read_json(cell.directory / RESULT_FILE), None
        if "film" in stored:
            moving = (cell.directory / "moving.webp").read_bytes()
            still = (cell.directory / "still.webp").read_bytes()
            film = Film(moving, still, *stored["film"])
        return cls(cell, np.array(stored["returns"]), stored["origin"], film)

    @functools.cached_property
    def mean(self) -> Interval:
        """The mean return with its 95% interval."""
        return mean_interval(self.returns)


@functools.cache  # it is asked for whenever the report is rewritten
def normalized(result: Result, expert: Result, random: Result) -> Interval | None:
    """Returns the share of the way from random actions to the expert.

    Returns:
        The share with its interval; None if the two references do not differ.
    """
    try:
        return normalized_interval(result.returns, expert.returns, random.returns)
    except DataError:
        return None


def cells(
    options: Options,
    environments: Sequence[DemoEnvironment],
    learners: Sequence[rows.DemoRow],
) -> list[Cell]:
    """Lists the cells: by environment the expert, the rows that run there, random."""
    found: list[Cell] = []
    for environment in environments:
        directory = options.out / "runs" / environment.preset
        found.append(_reference(EXPERT, environment, options))
        for number, row in enumerate(learners):
            if environment.name not in row.settings:
                continue
            own = row.settings[environment.name] + (row.fast if options.fast else ())
            words = list(options.shared_words(environment))
            if row.asks_expert:
                words.append(f"expert.policy_type={environment.expert}")
            # Of words that set the same key the last one counts.
            words += {word.partition("=")[0]: word for word in own}.values()
            if options.fast:
                words.append("policy_evaluation.n_episodes_eval=5")
            words.append(f"seed={options.seed}")
            where = f"c{number % N_COLORS}", directory / row.command
            cell = Cell(row.label, environment, *where, tuple(words), options, row)
            found.append(cell)
        found.append(_reference(RANDOM, environment, options))
    return found


def _reference(label: str, environment: DemoEnvironment, options: Options) -> Cell:
    words = (
        *options.shared_words(environment),
        f"expert.policy_type={environment.expert if label == EXPERT else 'random'}",
        f"eval_n_episodes={options.n_episodes}",
        f"seed={options.seed}",
    )
    directory = options.out / "runs" / environment.preset / label.lower()
    return Cell(label, environment, "muted", directory, words, options)


class _Run:
    """A run without observers: the demo keeps its own record."""

    def __init__(self) -> None:
        self.observers: Sequence[object] = ()
        self.info: ConfigDict = {}

    def log_scalar(self, name: str, value: float, step: int | None = None) -> None:
        del name, value, step


def _returns(
    policy: rollout.AnyPolicy, venv: VecEnv, rng: np.random.Generator, n_episodes: int
) -> Floats:
    """Samples at least so many episodes, as the commands do; shape (n,)."""
    enough = rollout.make_min_episodes(n_episodes)
    trajectories = rollout.generate_trajectories(policy, venv, enough, rng)
    return np.array([float(np.sum(t.rews)) for t in trajectories])
