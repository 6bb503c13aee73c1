"""Recording what a generator does, one vector step at a time, in growing arrays."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from typing_extensions import override

from imitation.data import buffer, tree
from imitation.errors import ConfigError, DataError
from imitation.util.artifacts import State

Obs = np.ndarray | dict[str, np.ndarray]


_FIELDS = ("obs", "acts", "next_obs", "dones")


@dataclasses.dataclass(frozen=True)
class Steps:
    """Consecutive steps of a vector environment, time first."""

    obs: Obs
    """``(T, n_envs, *observation_shape)``, or a dictionary of such arrays."""
    acts: np.ndarray
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

    def flat(self) -> dict[str, Obs]:
        """Returns the transitions by name, each ``(T · n_envs, ...)``, time first."""
        named = {name: getattr(self, name) for name in _FIELDS}
        return {
            # (T, n_envs, ...) to (T · n_envs, ...): the environments of a step adjoin.
            name: tree.map(lambda part: part.reshape(-1, *part.shape[2:]), value)
            for name, value in named.items()
        }

    def as_arguments(self) -> dict[str, Any]:
        """Returns the transitions as arguments of a reward function."""
        names = ("state", "action", "next_state", "done")
        return dict(zip(names, self.flat().values(), strict=True))


class StepRecorder(VecEnvWrapper):
    """Records every step until `pop` takes the record away.

    Args:
        venv: the environments to record.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._obs: Obs | None = None
        self._actions: np.ndarray | None = None
        self._clear()

    @override
    def reset(self) -> VecEnvObs:
        """Resets the environments and clears the record."""
        obs = self.venv.reset()
        self._obs = _copied(obs)
        self._lengths[:] = 0
        self._clear()
        return obs

    @override
    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    @override
    def step_wait(self) -> VecEnvStepReturn:
        obs, rews, dones, infos = self.venv.step_wait()
        assert self._obs is not None and self._actions is not None, "reset() first"
        step = len(self._all_dones)
        self._all_obs.append(self._obs)
        self._all_acts.append(self._actions)
        self._all_dones.append(np.array(dones))
        self._lengths += 1
        for env in np.flatnonzero(dones).tolist():
            # `obs` already is the first one of the next episode.
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
        self._obs = _copied(obs)
        return obs, rews, dones, infos

    def is_below(self, env: VecEnv | None) -> bool:
        """Tells if `env` is this recorder or wrapped around it."""
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
        obs = tree.stack(self._all_obs)  # (T, n_envs, ...)
        # What one step returned is what the next one started from.
        next_obs = tree.stack([*self._all_obs[1:], self._obs])
        for step, env, last in self._last_obs:
            tree.assign(next_obs, (step, env), last)
        steps = Steps(
            obs=obs,
            acts=np.stack(self._all_acts),
            next_obs=next_obs,
            dones=np.stack(self._all_dones),
            ep_lens=self._ep_lens,
        )
        self._clear()
        return steps

    def _clear(self) -> None:
        self._all_obs: list[Obs] = []
        self._all_acts: list[np.ndarray] = []
        self._all_dones: list[np.ndarray] = []
        self._last_obs: list[tuple[int, int, Obs]] = []
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

    def store(self, samples: Mapping[str, Obs]) -> None:
        """Adds transitions: arrays, or dictionaries of arrays, by name."""
        flat = tree.flatten(samples)
        n_samples = len(flat["dones"])
        if n_samples > self.capacity:
            chosen = self._rng.choice(n_samples, self.capacity, replace=False)
            flat = tree.take(flat, chosen)
        if self._buffer is None:
            self._buffer = buffer.Buffer.from_data(flat, self.capacity, rng=self._rng)
        else:
            self._buffer.store(flat)

    def sample(self, n_samples: int) -> dict[str, Obs]:
        """Draws transitions with replacement, in the form that `store` takes.

        Raises:
            RuntimeError: nothing was stored.
        """
        if self._buffer is None:
            raise RuntimeError(
                "No generator samples for training. Call `train_gen()` first."
            )
        return tree.unflatten(self._buffer.sample(n_samples))

    def state_dict(self) -> dict[str, Any]:
        """Returns the transitions, in an order that `load_state_dict` restores."""
        return {} if self._buffer is None else self._buffer.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Restores what `state_dict` returned."""
        self._buffer = None
        if state:
            self._buffer = buffer.Buffer.from_state(state, self.capacity, rng=self._rng)

    def size(self) -> int:
        """Returns the number of transitions kept."""
        return 0 if self._buffer is None else self._buffer.size()


def _copied(obs: VecEnvObs) -> Obs:
    """Copies observations, because environments may reuse their arrays."""
    assert not isinstance(obs, tuple), "Stable-Baselines3 has no algorithm for tuples"
    return tree.map(np.array, obs)
