"""What the demo measures: references and rows, in each environment."""

import contextlib
import dataclasses
import functools
import pathlib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import rollout
from imitation.errors import DataError
from imitation.reports.animation import Film
from imitation.reports.blocks import Html
from imitation.reports.statistics import Interval, mean_interval, normalised_interval
from imitation.scripts.demo import frames, grid, rows
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.scripts.ingredients.expert import get_expert_policy
from imitation.util import seeding
from imitation.util.progress import progress_bar

__all__ = [
    "ENVIRONMENTS",
    "DemoEnvironment",
    "EnvironmentResult",
    "Options",
    "Result",
    "run",
]

N_COLOURS = 8
"""How many colours the report has for rows."""


@dataclasses.dataclass(frozen=True)
class DemoEnvironment:
    """An environment of the demo."""

    name: str
    """Gymnasium's id."""

    preset: str
    """The named config of the commands."""

    about: str
    """What one does there and what the return is, in a sentence."""

    film: Callable[[rollout.AnyPolicy, EnvironmentSettings, int], Film]
    """Films a policy in an episode that begins as the seed says."""

    shown: str
    """What the films show, in a sentence."""

    expert: str = "bundled"
    """The type of the expert's policy."""

    expert_origin: str = "bundled, trained with train_rl"
    """Where the expert comes from, in a few words."""

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
            frames.film, shot=frames.Shot(2.5, still_second=1.0, slow_motion=2)
        ),
        shown="The start of an episode, at half its speed.",
    ),
    DemoEnvironment(
        "Pendulum-v1",
        "pendulum",
        "Swing a pendulum up and hold it there with little torque: each of 200 steps "
        "costs up to 16 points for being away from the top, for speed and for torque.",
        film=functools.partial(frames.film, shot=frames.Shot(6.5, still_second=5.0)),
        shown="The start of an episode.",
    ),
    DemoEnvironment(
        "seals/CliffWorld7x4XY-v0",
        "cliff_world",
        "Walk around a cliff, diagonally, while a wind blows towards it: of 40 steps, "
        "each costs a point on plain ground and ten on the cliff (red), and earns ten "
        "at the goal (green).",
        film=functools.partial(grid.film, n_steps=24),
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
    """A policy and what it scored; equal only to itself."""

    label: str
    """A short name."""

    summary: str
    """What the algorithm does, in a sentence; "" for a reference."""

    colour: str
    """The class of its colour in plots."""

    command: str
    """The shell command that gives the same number."""

    returns: npt.NDArray[np.float64]
    """Shape (n_episodes,)."""

    policy: rollout.AnyPolicy
    """The policy itself."""

    origin: str
    """Where it comes from, in a few words."""

    statistic: str = "return_mean"
    """What the command calls the mean of `returns`."""

    charts: tuple[rows.Chart, ...] = ()
    """Learning curves."""

    figures: tuple[Html, ...] = ()
    """What else the report shows of it."""

    animate: bool = True
    """Whether to show it in motion."""

    @property
    def mean(self) -> Interval:
        """The mean return with its 95% interval."""
        return mean_interval(self.returns)


@dataclasses.dataclass(frozen=True)
class EnvironmentResult:
    """All policies in one environment."""

    environment: DemoEnvironment
    """The environment."""

    settings: EnvironmentSettings
    """How it was built for evaluation."""

    expert: Result
    """The expert."""

    learners: tuple[Result, ...]
    """The rows."""

    random: Result
    """Random actions."""

    @property
    def everyone(self) -> tuple[Result, ...]:
        """The expert, the rows, random actions."""
        return (self.expert, *self.learners, self.random)

    def normalised(self, result: Result) -> Interval | None:
        """The share of the way from random actions to the expert, with its interval.

        None for the two references, which are 1 and 0 by definition, and where they do
        not differ.
        """
        if result in (self.expert, self.random):
            return None
        try:
            return normalised_interval(
                result.returns, self.expert.returns, self.random.returns
            )
        except DataError:
            return None


def run(
    options: Options,
    environments: Sequence[DemoEnvironment],
    learners: Sequence[rows.DemoRow],
    stage: Callable[[str], None],
) -> Iterator[EnvironmentResult]:
    """Measures everything.

    Args:
        options: the user's.
        environments: where.
        learners: the rows; those with settings for an environment run there.
        stage: told what starts now.

    Yields:
        The results in one environment.
    """
    for environment in environments:
        stage(f"{environment.name}: expert")
        settings, expert = _reference(options, environment, environment.expert)
        results = []
        for number, row in enumerate(learners):
            if environment.name in row.settings:
                stage(f"{environment.name}: {row.label}")
                results.append(
                    _learner(options, environment, row, f"c{number % N_COLOURS}")
                )
        stage(f"{environment.name}: random actions")
        _, random = _reference(options, environment, "random")
        yield EnvironmentResult(environment, settings, expert, tuple(results), random)


def evaluate(
    policy: Callable[[VecEnv], Any],
    made: contextlib.AbstractContextManager[VecEnv],
    rng: np.random.Generator,
    n_episodes: int,
) -> tuple[npt.NDArray[np.float64], rollout.AnyPolicy]:
    """Rolls a policy out, sampling its actions, with a progress bar.

    Args:
        policy: makes the policy for the environments.
        made: the environments, which are closed at the end.
        rng: seeds the policy's sampling and the order of the episodes.
        n_episodes: at least so many.

    Returns:
        The returns, shape (n,), and the policy.
    """
    with (
        made as venv,
        progress_bar(n_episodes, "evaluation", "episode") as bar,
    ):

        def enough(trajectories: Sequence[Any]) -> bool:
            bar.update(len(trajectories) - bar.n)
            return len(trajectories) >= n_episodes

        acting = policy(venv)
        trajectories = rollout.generate_trajectories(acting, venv, enough, rng)
    return np.array([float(np.sum(t.rews)) for t in trajectories]), acting


def _reference(
    options: Options, environment: DemoEnvironment, policy_type: str
) -> tuple[EnvironmentSettings, Result]:
    """Measures the expert or random actions as ``eval_policy`` does."""
    words = (
        *options.shared_words(environment),
        f"expert.policy_type={policy_type}",
        f"eval_n_episodes={options.n_episodes}",
        f"seed={options.seed}",
    )
    settings = rows.resolve("eval_policy", words)[2]
    rng = settings.rng("evaluation")
    returns, policy = evaluate(
        lambda venv: get_expert_policy(venv, settings.expert),
        make_venv(settings.environment, rng),
        rng,
        options.n_episodes,
    )
    is_expert = policy_type == environment.expert
    result = Result(
        label="Expert" if is_expert else "Random",
        summary="",
        colour="muted",
        command=_shell("eval_policy", words),
        returns=returns,
        policy=policy,
        origin=environment.expert_origin
        if is_expert
        else "draws from the action space",
    )
    return settings.environment, result


def _learner(
    options: Options, environment: DemoEnvironment, row: rows.DemoRow, colour: str
) -> Result:
    """Trains a row by its command and evaluates it as the command does."""
    words = (
        *options.shared_words(environment),
        *((f"expert.policy_type={environment.expert}",) if row.asks_expert else ()),
        *_overridden(row.settings[environment.name], row.fast if options.fast else ()),
        *(("policy_evaluation.n_episodes_eval=5",) if options.fast else ()),
        f"seed={options.seed}",
    )
    directory = options.out / "runs" / environment.preset / row.command
    task = rows.Task(row.command, words, directory, colour)
    settings = rows.resolve(row.command, words)[2]
    # Stable-Baselines3 seeds NumPy's global generator, which is the caller's.
    with seeding.numpy_seeded(settings.rng("numpy")):
        trained = row.train(task)
    rng = settings.rng("evaluation")
    returns, _ = evaluate(
        lambda _: trained.policy,
        row.make_venv(settings.environment, rng),
        rng,
        options.n_episodes,
    )
    return Result(
        label=row.label,
        summary=row.summary,
        colour=colour,
        command=_shell(row.command, words),
        returns=returns,
        policy=trained.policy,
        origin=f"learnt from {trained.learnt_from}",
        statistic=row.statistic,
        charts=trained.charts,
        figures=trained.figures,
        animate=row.animate,
    )


def _overridden(words: Sequence[str], changes: Sequence[str]) -> list[str]:
    """The words with those replaced that set the same key as a change."""
    merged: Mapping[str, str] = {
        word.partition("=")[0]: word for word in (*words, *changes)
    }
    return list(merged.values())


def _shell(command: str, words: Sequence[str]) -> str:
    """The command line for a shell."""
    return shlex.join(["imitation", command, "with", *words])
