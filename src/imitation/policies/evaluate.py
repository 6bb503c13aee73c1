"""Measuring a policy: the mean return of whole episodes, with its interval.

The module itself can be called, so that both of these do the same::

    imitation.policies.evaluate(policy, venv, 50)
    imitation.policies.evaluate.evaluate(policy, venv, 50)
"""

import dataclasses
import sys
import types

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.type_aliases import PolicyPredictor
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecMonitor,
    VecTransposeImage,
    is_vecenv_wrapped,
)

from imitation.data.acting import (
    AnyPolicy,
    PolicyCallable,
    State,
    VecObs,
    evaluating,
    policy_to_callable,
)
from imitation.errors import ConfigError, DataError
from imitation.util import seeding
from imitation.util.statistics import mean_interval
from imitation.util.threads import training_threads

# Steps of every environment after which an evaluation without an episode gives up.
MAX_STEPS_WITHOUT_EPISODE = 100_000


@dataclasses.dataclass(frozen=True, eq=False)
class Episodes:
    """The episodes of an evaluation, in the order in which they ended."""

    returns: npt.NDArray[np.float64]
    """Undiscounted sums of rewards, shape `[n_episodes]`."""

    lengths: npt.NDArray[np.int64]
    """Numbers of steps, shape `[n_episodes]`."""

    def __len__(self) -> int:
        return len(self.returns)


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """A policy's mean return, and how sure it is."""

    mean: float
    """Mean return of the episodes."""

    interval: tuple[float, float]
    """Bounds of the 95% bootstrap interval of the mean; NaN for a single episode."""

    episodes: Episodes
    """Return and length of each episode."""

    success: float | None
    """Fraction of successful episodes, in [0, 1]; None if the environment does not
    report success."""

    def __str__(self) -> str:
        n = len(self.episodes)
        text = f"mean {self.mean:.1f}"
        if n > 1:
            text += f" [{self.interval[0]:.1f}, {self.interval[1]:.1f}]"
        if self.success is not None:
            text += f", success {self.success:.0%}"
        return f"{text}, {n} episode{'s' if n != 1 else ''}"


def evaluate(
    policy: AnyPolicy | PolicyPredictor,
    venv: VecEnv,
    n_episodes: int = 50,
    *,
    deterministic: bool = True,
    rng: np.random.Generator | int | None = None,
) -> Evaluation:
    """Measures the return of whole episodes of a policy.

    If a `Monitor` lies below other wrappers, its returns are reported: those of the
    environment's own rewards. The policy's training mode, torch's thread count and all
    global random states are left as they were.

    Args:
        policy: an algorithm or policy of Stable-Baselines3, an object with such a
            `predict`, a function from observations to actions (see `PolicyCallable`),
            or None for random actions.
        venv: the environments; they are reset first. Images get their channels first
            if that is what the policy expects.
        n_episodes: number of episodes, positive. Each environment plays its fixed share
            of them, so that short episodes are not favored.
        deterministic: take the most likely actions; has no effect on functions and
            random actions.
        rng: seeds the environments and whatever the policy samples: equal seeds give
            equal results. None draws fresh entropy for the policy and leaves the
            environments' own randomness alone.

    Returns:
        Mean, interval, episodes and success rate. Success is the last info's
        `is_success` or `success`; if any episode reports it, those that do not have
        failed.

    Raises:
        ValueError: `n_episodes` is not positive, the policy's spaces are not those of
            the environments, no episode ends in 100,000 steps, or an action's shape or
            a return is invalid.
        TypeError: the policy cannot act, or `venv` is not a vector environment.
    """
    if n_episodes < 1:
        raise ConfigError(f"n_episodes must be positive, got {n_episodes}")
    if not isinstance(venv, VecEnv):
        raise TypeError(
            f"venv must be a VecEnv of Stable-Baselines3, got {type(venv).__name__}; "
            "wrap one environment as DummyVecEnv([lambda: env])"
        )
    # One generator, in this order: environments, then torch, then NumPy.
    generator = seeding.make_rng(rng)
    if rng is not None:
        venv.seed(seeding.make_seeds(generator))
    if isinstance(policy, BaseAlgorithm | BasePolicy):
        venv = _with_channels_as_in(policy.observation_space, venv)
    # NumPy's global state, too: DQN's exploration reads it.
    with (
        evaluating(policy) as networks,  # type: ignore[arg-type]  # of any object
        training_threads(*networks),
        seeding.torch_seeded(generator),
        seeding.numpy_seeded(generator),
    ):
        act = _acting(policy, venv, deterministic, generator)
        episodes, success = _play(act, venv, n_episodes)
    mean = mean_interval(episodes.returns)
    return Evaluation(mean.value, (mean.low, mean.high), episodes, success)


def _acting(
    policy: AnyPolicy | PolicyPredictor,
    venv: VecEnv,
    deterministic: bool,
    rng: np.random.Generator,
) -> PolicyCallable:
    """Returns the policy as a function; any object with a `predict` is asked by it."""
    chooses = isinstance(policy, BaseAlgorithm | BasePolicy)
    predict = None if chooses else getattr(policy, "predict", None)
    if predict is None:
        return policy_to_callable(policy, venv, deterministic and chooses, rng=rng)  # type: ignore[arg-type]  # refuses others itself

    def act(
        obs: VecObs, state: State, episode_start: np.ndarray | None
    ) -> tuple[np.ndarray, State]:
        acts, state = predict(
            obs, state=state, episode_start=episode_start, deterministic=deterministic
        )
        return acts, state

    return act


def _with_channels_as_in(space: gym.Space[object], venv: VecEnv) -> VecEnv:
    """Moves image channels to the front if that makes the spaces agree."""
    ours = venv.observation_space
    images = ours.spaces.values() if isinstance(ours, gym.spaces.Dict) else [ours]
    if _shapes(space) == _shapes(ours) or not any(map(is_image_space, images)):
        return venv
    transposed = VecTransposeImage(venv)
    fits = _shapes(space) == _shapes(transposed.observation_space)
    return transposed if fits else venv


def _shapes(space: gym.Space[object]) -> object:
    if isinstance(space, gym.spaces.Dict):
        return {key: part.shape for key, part in space.spaces.items()}
    return space.shape


def _play(
    act: PolicyCallable, venv: VecEnv, n_episodes: int
) -> tuple[Episodes, float | None]:
    """Steps all environments until each has finished its share of the episodes."""
    # Fixed shares: "the first n episodes to end" would prefer those that end early.
    missing = (n_episodes + np.arange(venv.num_envs)) // venv.num_envs
    monitored = is_vecenv_wrapped(venv, VecMonitor) or venv.env_is_wrapped(Monitor)[0]
    ended: list[tuple[float, int, object]] = []  # return, length, success
    returns, lengths = np.zeros(venv.num_envs), np.zeros(venv.num_envs, dtype=np.int64)
    # `dones` starts as ones: recurrent policies take it as `episode_start`.
    obs, state, dones = venv.reset(), None, np.ones(venv.num_envs, dtype=bool)
    shape, waited = (venv.num_envs, *(venv.action_space.shape or ())), 0
    while missing.any():
        acts, state = act(obs, state, dones)  # type: ignore[arg-type]  # not a tuple
        if np.shape(acts) != shape:
            raise DataError(
                f"expected actions of shape {shape}, one for each environment, the "
                f"policy returned {np.shape(acts)}"
            )
        obs, rewards, dones, infos = venv.step(acts)
        # In float64, as Stable-Baselines3 does, though rewards are float32.
        returns += rewards
        lengths += 1
        waited += 1
        for i in np.flatnonzero(dones):
            record = infos[i].get("episode") if monitored else {}
            # A wrapper may end an episode early, as at the loss of a life in Atari;
            # the episode that Monitor records goes on.
            if missing[i] and record is not None:
                total = record.get("r", returns[i])
                length = record.get("l", lengths[i])
                success = infos[i].get("is_success", infos[i].get("success"))
                ended.append((total, length, success))
                missing[i] -= 1
                waited = 0
            returns[i] = lengths[i] = 0
        if waited >= MAX_STEPS_WITHOUT_EPISODE:
            raise ConfigError(
                f"no episode ended in {waited} steps of {int((missing > 0).sum())} "
                "environments; limit their length with gymnasium.wrappers.TimeLimit"
            )
    return _summary(ended)


def _summary(
    ended: list[tuple[float, int, object]],
) -> tuple[Episodes, float | None]:
    totals, lengths, successes = zip(*ended, strict=True)
    returns = np.array(totals, dtype=np.float64)
    if not np.isfinite(returns).all():
        raise DataError(
            f"{int((~np.isfinite(returns)).sum())} of {len(returns)} episodes have a "
            "return that is not finite; check the environment's rewards"
        )
    success = None
    if any(value is not None for value in successes):
        success = sum(map(bool, successes)) / len(successes)
    return Episodes(returns, np.array(lengths, dtype=np.int64)), success


class _CallableModule(types.ModuleType):
    """This module, which `imitation.policies.evaluate(...)` calls."""

    __call__ = staticmethod(evaluate)


# `imitation.policies.evaluate` is always this module once it is imported: the import
# system sets that attribute, whatever the package itself defines under the name.
sys.modules[__name__].__class__ = _CallableModule
