"""Recording what a generator does, one vector step at a time, in growing arrays."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from imitation.data import buffer
from imitation.errors import ConfigError, DataError

__all__ = ["GeneratorSamples", "StepRecorder", "Steps"]

Array = npt.NDArray[Any]
Obs = Array | dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Steps:
    """Consecutive steps of a vector environment, time first."""

    obs: Obs
    """``(T, n_envs, *observation_shape)``, or a dictionary of such arrays."""
    acts: Array
    """``(T, n_envs, *action_shape)``, in the environment's action space."""
    next_obs: Obs
    """Like `obs`; where an episode ended, its own last observation."""
    dones: npt.NDArray[np.bool_]
    """``(T, n_envs)``."""
    ep_lens: list[int]
    """Lengths of the episodes that ended, in steps."""

    def __len__(self) -> int:
        """The number of transitions, T · n_envs."""
        return int(self.dones.size)

    def flat(self) -> dict[str, Any]:
        """The transitions by name, each array ``(T · n_envs, ...)``, time first."""
        return {
            "obs": _map(_merge_axes, self.obs),
            "acts": _merge_axes(self.acts),
            "next_obs": _map(_merge_axes, self.next_obs),
            "dones": _merge_axes(self.dones),
        }

    def as_arguments(self) -> dict[str, Any]:
        """The transitions as a reward function takes them."""
        flat = self.flat()
        names = ("state", "action", "next_state", "done")
        return dict(zip(names, flat.values(), strict=True))


class StepRecorder(VecEnvWrapper):
    """Records every step until `pop` takes the record away.

    Args:
        venv: the environments to record.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._obs: Any = None
        self._actions: Array | None = None
        self._clear()

    def reset(self) -> VecEnvObs:
        """Resets the environments and forgets what was recorded."""
        obs = self.venv.reset()
        self._obs = _map(np.array, obs)  # environments may reuse their arrays
        self._lengths[:] = 0
        self._clear()
        return obs

    def step_async(self, actions: Array) -> None:
        """Starts a step.

        Args:
            actions: shape ``(n_envs, *action_shape)``.
        """
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Waits for the step and records it."""
        obs, rews, dones, infos = self.venv.step_wait()
        assert self._obs is not None and self._actions is not None, "reset() first"
        step = len(self._all_dones)
        self._all_obs.append(self._obs)
        self._all_acts.append(self._actions)
        self._all_dones.append(np.array(dones))
        self._lengths += 1
        if dones.any():
            self._end_episodes(step, dones, infos)
        self._obs = _map(np.array, obs)
        return obs, rews, dones, infos

    def is_below(self, env: VecEnv | None) -> bool:
        """Whether `env` is this recorder or wrapped around it."""
        while isinstance(env, VecEnvWrapper) and env is not self:
            env = env.venv
        return env is self

    @property
    def n_steps(self) -> int:
        """The number of recorded vector steps."""
        return len(self._all_dones)

    def pop(self) -> Steps:
        """Takes the record away.

        Returns:
            The steps since the last call; those of unfinished episodes too.

        Raises:
            DataError: nothing was recorded.
        """
        if not self._all_dones:
            raise DataError("no steps were recorded: train the generator first")
        assert self._obs is not None
        obs = _stack(self._all_obs)
        # What one step returned is what the next one started from.
        next_obs = _stack([*self._all_obs[1:], self._obs])
        for step, env, last in self._last_obs:
            for key, part in _parts(next_obs):
                part[step, env] = last[key] if isinstance(last, Mapping) else last
        steps = Steps(
            obs=obs,
            acts=np.stack(self._all_acts),
            next_obs=next_obs,
            dones=np.stack(self._all_dones),
            ep_lens=self._ep_lens,
        )
        self._clear()
        return steps

    def _end_episodes(
        self, step: int, dones: Array, infos: list[dict[str, Any]]
    ) -> None:
        """Notes the lengths and the last observations of episodes that ended."""
        for env in np.flatnonzero(dones).tolist():
            last = infos[env].get("terminal_observation")
            if last is None:
                raise DataError(
                    f"environment {env} ended an episode without "
                    "info['terminal_observation']; wrap it in one of "
                    "Stable-Baselines3's vector environments"
                )
            self._last_obs.append((step, env, last))
            self._ep_lens.append(int(self._lengths[env]))
            self._lengths[env] = 0

    def _clear(self) -> None:
        self._all_obs: list[Obs] = []
        self._all_acts: list[Array] = []
        self._all_dones: list[Array] = []
        self._last_obs: list[tuple[int, int, Any]] = []
        self._ep_lens: list[int] = []


class GeneratorSamples:
    """The generator's transitions that the discriminator chooses from.

    Args:
        capacity: how many to keep. New ones replace the oldest; of more than
            `capacity` new ones a random choice is kept, so that the discriminator sees
            all parts of an episode.
        rng: chooses.
    """

    def __init__(self, capacity: int, rng: np.random.Generator) -> None:
        if capacity <= 0:
            raise ConfigError(
                f"gen_replay_buffer_capacity={capacity} must be positive."
            )
        self.capacity = capacity
        self._rng = rng
        self._buffer: buffer.Buffer | None = None

    def store(self, samples: Mapping[str, Any]) -> None:
        """Adds transitions: arrays, or dictionaries of arrays, by name."""
        flat = {
            (name, key): part
            for name, value in samples.items()
            for key, part in _parts(value)
        }
        n_samples = len(flat["dones", ""])
        if n_samples > self.capacity:
            chosen = self._rng.choice(n_samples, self.capacity, replace=False)
            flat = {key: part[chosen] for key, part in flat.items()}
        named = {f"{name}/{key}": part for (name, key), part in flat.items()}
        if self._buffer is None:
            self._buffer = buffer.Buffer.from_data(named, self.capacity, rng=self._rng)
        else:
            self._buffer.store(named)

    def sample(self, n_samples: int) -> dict[str, Any]:
        """Draws transitions with replacement, in the form that `store` takes."""
        assert self._buffer is not None
        samples: dict[str, Any] = {}
        for path, part in self._buffer.sample(n_samples).items():
            name, _, key = path.partition("/")
            if key:
                samples.setdefault(name, {})[key] = part
            else:
                samples[name] = part
        return samples

    def state_dict(self) -> dict[str, Any]:
        """What is kept, in an order that `load_state_dict` restores."""
        return {} if self._buffer is None else self._buffer.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts back what `state_dict` returned."""
        self._buffer = None
        if state:
            self._buffer = buffer.Buffer.from_state(state, self.capacity, rng=self._rng)

    def size(self) -> int:
        """The number of transitions kept."""
        return 0 if self._buffer is None else self._buffer.size()


def _map(function: Any, obs: Any) -> Any:
    """Applies a function to an array, or to each of a dictionary."""
    if isinstance(obs, Mapping):
        return {key: function(part) for key, part in obs.items()}
    return function(obs)


def _stack(steps: list[Any]) -> Obs:
    if isinstance(steps[0], dict):
        return {key: np.stack([step[key] for step in steps]) for key in steps[0]}
    return np.stack(steps)


def _parts(obs: Obs) -> list[tuple[str, Array]]:
    return list(obs.items()) if isinstance(obs, dict) else [("", obs)]


def _merge_axes(array: Array) -> Array:
    return array.reshape(-1, *array.shape[2:])
