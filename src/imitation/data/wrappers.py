"""Environment wrappers that record what a policy does.

``BufferingWrapper`` records the steps of a vector environment while something else (a
learner, say) drives it. ``RolloutInfoWrapper`` hands out the raw episode of a single
environment, whatever other wrappers do to it above.
"""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from typing_extensions import override

from imitation.data import tree, types
from imitation.data.episodes import VecEpisodes
from imitation.data.flatten import flatten_trajectories_with_rew
from imitation.util.spaces import Env, Info, StepResult, Wrapper

Popped = tuple[Sequence[types.TrajectoryWithRew], Sequence[int]]


class BufferingWrapper(VecEnvWrapper):
    """Saves the transitions of the vector environment beneath.

    Retrieve them with one of the ``pop_*`` methods; each transition is returned once.

    Args:
        venv: the environments to record.
        error_on_premature_reset: make ``reset()`` an error while there are transitions
            nobody has popped. Without it, ``reset()`` discards them.

    Attributes:
        error_on_premature_event: the argument ``error_on_premature_reset``.
        n_transitions: the number of transitions not yet popped; None before the first
            ``reset()``.
    """

    error_on_premature_event: bool
    n_transitions: int | None

    def __init__(self, venv: VecEnv, error_on_premature_reset: bool = True) -> None:
        super().__init__(venv)
        self.error_on_premature_event = error_on_premature_reset
        self.n_transitions = None
        self._episodes: VecEpisodes | None = None
        self._actions: np.ndarray | None = None
        self._finished: list[types.TrajectoryWithRew] = []
        self._ep_lens: list[int] = []
        self._steps = np.zeros(self.num_envs, dtype=np.int64)

    @override
    def reset(self, **kwargs: object) -> VecEnvObs:
        if self.n_transitions and self.error_on_premature_event:
            raise RuntimeError(
                "BufferingWrapper reset() before samples were accessed: pop the "
                f"{self.n_transitions} recorded transitions first."
            )
        obs = self.venv.reset(**kwargs)
        self._finished, self._ep_lens = [], []
        self._steps[:] = 0
        self._actions = None
        self.n_transitions = 0
        self._episodes = VecEpisodes(_as_observation(obs))
        return obs

    @override
    def step_async(self, actions: np.ndarray) -> None:
        if self._episodes is None:
            raise RuntimeError("BufferingWrapper step before reset(): call reset().")
        if self._actions is not None:
            raise RuntimeError("A step is already pending: call step_wait().")
        self.venv.step_async(actions)
        # Policies may reuse their output array for the next step.
        self._actions = np.array(actions)

    @override
    def step_wait(self) -> VecEnvStepReturn:
        if self._episodes is None or self._actions is None:
            raise RuntimeError("No step is pending: call step_async() first.")
        actions, self._actions = self._actions, None
        obs, rews, dones, infos = self.venv.step_wait()
        self._finished += self._episodes.add(
            actions, _as_observation(obs), rews, dones, infos
        )
        self._steps += 1
        if dones.any():
            # Of whole episodes, even if fragments were popped in between.
            self._ep_lens += self._steps[dones].tolist()
            self._steps[dones] = 0
        assert self.n_transitions is not None
        self.n_transitions += self.num_envs
        return obs, rews, dones, infos

    @property
    def finished_trajectories(self) -> Sequence[types.TrajectoryWithRew]:
        """The result of `pop_finished_trajectories`, without popping it."""
        return tuple(self._finished)

    def pop_finished_trajectories(self) -> Popped:
        """Pops the trajectories whose episode has ended.

        Returns:
            ``(trajs, ep_lens)``: trajectories with ``terminal=True``, and for each the
            length of its whole episode, which is more than the trajectory's if an
            earlier ``pop_trajectories`` returned its beginning.
        """
        trajs, self._finished = self._finished, []
        ep_lens, self._ep_lens = self._ep_lens, []
        if trajs:
            assert self.n_transitions is not None
            self.n_transitions -= sum(map(len, trajs))
        return trajs, ep_lens

    def pop_trajectories(self) -> Popped:
        """Pops everything recorded since the last call, also of unfinished episodes.

        The rest of an unfinished episode is recorded as another fragment.

        Returns:
            ``(trajs, ep_lens)``: trajectory fragments, ``terminal=False`` for those
            whose episode goes on; and the lengths of the episodes that ended.
        """
        trajs, ep_lens = self.pop_finished_trajectories()
        if self._episodes is None:
            return trajs, ep_lens
        fragments = [t for t in self._episodes.pop_fragments() if t is not None]
        self.n_transitions = 0
        return [*trajs, *fragments], ep_lens

    def pop_transitions(self) -> types.TransitionsWithRew:
        """Pops everything recorded since the last call as one batch.

        Returns:
            The transitions; ``dones`` is True where an episode ended.

        Raises:
            RuntimeError: nothing was recorded.
        """
        if not self.n_transitions:
            raise RuntimeError(
                "Called pop_transitions on an empty BufferingWrapper: step it first."
            )
        expected = self.n_transitions
        transitions = flatten_trajectories_with_rew(self.pop_trajectories()[0])
        assert len(transitions) == expected
        return transitions


class RolloutInfoWrapper(Wrapper):
    """Adds the whole episode's observations and rewards to the info of its last step.

    There, ``info["rollout"]`` is a dictionary of ``"obs"``, shape ``(T + 1,
    *observation_shape)`` or a ``DictObs``, and ``"rews"``, shape ``(T,)`` and a float
    dtype. ``rollout.unwrap_traj`` puts them back into a trajectory.

    Args:
        env: the environment whose observations and rewards are wanted.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self._obs: list[types.Observation] = []
        self._rews: list[SupportsFloat] = []

    @override
    def reset(self, **kwargs: Any) -> tuple[object, Info]:
        obs, info = self.env.reset(**kwargs)
        self._obs = [_copied(obs)]
        self._rews = []
        return obs, info

    @override
    def step(self, action: object) -> StepResult:
        obs, rew, terminated, truncated, info = self.env.step(action)
        self._obs.append(_copied(obs))
        self._rews.append(rew)
        if terminated or truncated:
            # Python numbers become float64, NumPy scalars keep their dtype.
            rews = np.array(self._rews)
            if not np.issubdtype(rews.dtype, np.floating):
                rews = rews.astype(np.float64)
            rollout = {"obs": tree.stack(self._obs), "rews": rews}
            info = {**info, "rollout": rollout}
        return obs, rew, terminated, truncated, info


def _copied(obs: object) -> types.Observation:
    """A copy that stays as it is when the environment reuses its arrays."""
    if isinstance(obs, dict):
        return types.DictObs({k: np.array(v) for k, v in obs.items()})
    return np.array(obs)


def _as_observation(obs: VecEnvObs) -> np.ndarray | dict[str, np.ndarray]:
    assert not isinstance(obs, tuple), "Stable-Baselines3 has no tuple observations"
    return obs
