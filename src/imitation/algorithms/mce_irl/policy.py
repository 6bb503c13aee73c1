"""Policies given as tables of probabilities, and the experts planned from them."""

import os
import pathlib
from typing import NoReturn, Self

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms.mce_irl.planning import mce_partition_fh
from imitation.envs.tabular.layouts import Array
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.util import artifacts, seeding, spaces
from imitation.util.paths import AnyPath

KIND = "tabular_policy"


class _PlannedPolicy(BasePolicy):
    """A policy without a network: prediction only."""

    @override
    def forward(self, observation: PyTorchObs, deterministic: bool = False) -> NoReturn:
        raise NotImplementedError("a tabular policy has no network; call predict()")

    @override
    def _predict(
        self, observation: PyTorchObs, deterministic: bool = False
    ) -> NoReturn:
        raise NotImplementedError("a tabular policy has no network; call predict()")


class TabularPolicy(_PlannedPolicy):
    """A tabular policy. Cannot be trained: prediction only.

    It knows the time: its hidden state counts the steps of each environment.

    Args:
        state_space: the state space of the environment, of S states.
        action_space: the action space of the environment, of A actions.
        pi: ``pi[t, s, a]``, the probability of action a in state s at time t, shape
            ``(T, S, A)``.
        rng: used for sampling when `predict` is called with ``deterministic=False``;
            None uses fresh entropy.
    """

    rng: np.random.Generator
    pi: Array

    def __init__(
        self,
        state_space: spaces.Space,
        action_space: spaces.Space,
        pi: Array,
        rng: np.random.Generator | None = None,
    ) -> None:
        for space in (state_space, action_space):
            if not isinstance(space, gym.spaces.Discrete):
                raise ConfigError(
                    f"a tabular policy needs discrete spaces, got {space}"
                )
        super().__init__(observation_space=state_space, action_space=action_space)
        self.rng = seeding.make_rng(rng)
        self.set_pi(pi)

    def set_pi(self, pi: Array) -> None:
        """Sets the probabilities, shape ``(T, S, A)``.

        Raises:
            DataError: they have a wrong shape, are negative, or do not sum to 1.
        """
        pi = np.asarray(pi)
        n_states, n_actions = self._sizes()
        if pi.ndim != 3 or pi.shape[1:] != (n_states, n_actions) or not len(pi):
            raise DataError(
                f"pi has shape {pi.shape}, expected (horizon, {n_states}, {n_actions})"
            )
        if not (np.all(pi >= 0) and np.allclose(pi.sum(axis=-1), 1, atol=1e-5)):
            raise DataError(
                "pi is not a valid policy: at each time and in each state the "
                "probabilities must be ≥ 0 and sum to 1"
            )
        self.pi = pi

    @override
    def predict(
        self,
        observation: Array | dict[str, Array],
        state: tuple[Array, ...] | None = None,
        episode_start: Array | None = None,
        deterministic: bool = False,
    ) -> tuple[Array, tuple[Array, ...] | None]:
        """Chooses actions.

        Args:
            observation: states in the underlying MDP, integers of shape ``(n_envs,)``,
                or one-hot of shape ``(n_envs, S)``.
            state: returned by the previous call, and not changed. None is the first
                time step.
            episode_start: which environments begin an episode, shape ``(n_envs,)``.
            deterministic: choose the action with the highest probability.

        Returns:
            Actions of shape ``(n_envs,)``, and the number of each environment's next
            time step.

        Raises:
            DataError: an observation is not a state, or a time step is past the end.
        """
        n_states, n_actions = self._sizes()
        states = states_of(observation, n_states)
        # The hidden state of the policy is the number of the step, (n_envs,).
        steps = np.zeros(len(states), dtype=np.int64)
        if state is not None:
            steps = np.array(state[0], dtype=np.int64)
        if episode_start is not None:
            steps = np.where(episode_start, 0, steps)
        if steps.max(initial=0) >= len(self.pi):
            raise DataError(
                f"the policy is for {len(self.pi)} time steps and was asked for number "
                f"{steps.max() + 1}; pass episode_start where episodes begin"
            )
        probabilities = self.pi[steps, states]
        if deterministic:
            actions = probabilities.argmax(axis=1)
        else:
            # Inverse transform sampling, all environments at once: (n_envs, A) edges.
            # Scaled by the last edge, which rounding leaves a little beside 1.
            edges = probabilities.cumsum(axis=1)
            drawn = self.rng.random(len(states)) * edges[:, -1]
            actions = (edges <= drawn[:, None]).sum(axis=1)
        # Where rounding made the draw equal to the last edge, it is the last action.
        return np.minimum(actions, n_actions - 1), (steps + 1,)

    def save(self, path: AnyPath) -> None:
        """Saves the policy as a directory, atomically; nothing is pickled.

        Args:
            path: the directory to write.
        """
        document = {
            "kind": KIND,
            "state_space": spaces.space_to_json(self.observation_space),
            "action_space": spaces.space_to_json(self.action_space),
        }
        with artifacts.replacing_directory(path) as directory:
            artifacts.write_json(directory / "artifact.json", document)
            artifacts.write_tensors(directory / "policy.safetensors", {"pi": self.pi})

    @classmethod
    def load(
        cls,
        path: AnyPath,
        device: th.device | str = "cpu",
        rng: np.random.Generator | None = None,
    ) -> Self:
        """Loads a policy saved by `save`.

        Args:
            path: the directory.
            device: ignored, for there is no network.
            rng: decides the sampled actions; None uses fresh entropy.

        Raises:
            ArtifactError: there is no tabular policy at the path.
        """
        del device
        directory = pathlib.Path(os.fsdecode(path))
        document = artifacts.read_json(directory / "artifact.json")
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise ArtifactError(f"{directory} does not hold a tabular policy")
        tensors = artifacts.read_tensors(directory / "policy.safetensors")
        try:
            # Tensors of a file lie at odd addresses, where arrays are slower to read.
            pi = tensors["pi"].numpy().copy()
            found = [document["state_space"], document["action_space"]]
        except KeyError as error:
            raise ArtifactError(f"{directory} lacks {error}") from error
        state_space, action_space = map(spaces.space_from_json, found)
        return cls(state_space, action_space, pi, rng)

    def _sizes(self) -> tuple[int, int]:
        """Returns the numbers of states and actions."""
        states, actions = self.observation_space, self.action_space
        assert isinstance(states, gym.spaces.Discrete)
        assert isinstance(actions, gym.spaces.Discrete)
        return int(states.n), int(actions.n)


def states_of(
    observations: object, n_states: int, observation_matrix: Array | None = None
) -> Array:
    """Finds the states that observations show.

    Args:
        observations: integers of shape ``(n,)`` or ``(n, 1)``, one-hot vectors of shape
            ``(n, n_states)``, or rows of `observation_matrix`.
        n_states: how many states there are.
        observation_matrix: what is observed in each state, shape
            ``(n_states, n_features)``; None if that is not known.

    Returns:
        Integers in ``[0, n_states)`` of shape ``(n,)``.

    Raises:
        DataError: an observation is none of these, or shows several states.
    """
    if isinstance(observations, dict):
        raise DataError("expected states as observations, got a dictionary")
    if isinstance(observations, th.Tensor):
        observations = observations.detach().cpu().numpy()
    array = np.asarray(observations)
    if array.dtype.kind in "iub" and array.size == len(np.atleast_1d(array)):
        states = array.reshape(-1).astype(np.int64)
        if states.size and not (states.min() >= 0 and states.max() < n_states):
            raise DataError(
                f"states go from {states.min()} to {states.max()}, expected integers "
                f"in [0, {n_states})"
            )
        return states
    is_zero_or_one = np.all((array == 0) | (array == 1))
    if (
        array.shape[1:] == (n_states,)
        and is_zero_or_one
        and np.all((array == 1).sum(axis=1) == 1)
    ):
        hot: Array = array.argmax(axis=1)
        return hot
    if observation_matrix is not None and array.shape[1:] == (
        observation_matrix.shape[1],
    ):
        return _matched(array, observation_matrix)
    raise DataError(
        f"observations of type {array.dtype} and shape {array.shape} are not states: "
        f"expected integers in [0, {n_states}) or one-hot vectors of size {n_states}; "
        "collect them with imitation.envs.tabular.ExposeState"
    )


def _matched(rows: Array, observation_matrix: Array) -> Array:
    """Returns the states whose observations equal some rows."""
    # Bytes, because arrays cannot be keys; that makes -0.0 another value than 0.0.
    table = {row.tobytes(): s for s, row in enumerate(observation_matrix)}
    if len(table) < len(observation_matrix):
        raise DataError(
            "several states have the same observation, so demonstrations must hold the "
            "states; collect them with imitation.envs.tabular.ExposeState"
        )
    rows = np.ascontiguousarray(rows, dtype=observation_matrix.dtype)
    found = [table.get(row.tobytes(), -1) for row in rows]
    if -1 in found:
        raise DataError(
            f"observation {rows[found.index(-1)]} is of no state of the environment"
        )
    return np.array(found, dtype=np.int64)


class ObservingPolicy(_PlannedPolicy):
    """A tabular policy that acts on observations. Cannot be trained: prediction only.

    Args:
        policy: acts on states.
        observation_space: of the environment.
        observation_matrix: what is observed in each state, shape ``(S, n_features)``;
            None where states are observed, as numbers or one-hot.
    """

    def __init__(
        self,
        policy: TabularPolicy,
        observation_space: spaces.Space,
        observation_matrix: Array | None = None,
    ) -> None:
        super().__init__(observation_space, policy.action_space)
        self.policy = policy
        self.observation_matrix = observation_matrix

    @override
    def predict(
        self,
        observation: Array | dict[str, Array],
        state: tuple[Array, ...] | None = None,
        episode_start: Array | None = None,
        deterministic: bool = False,
    ) -> tuple[Array, tuple[Array, ...] | None]:
        n_states = self.policy.pi.shape[1]
        states = states_of(observation, n_states, self.observation_matrix)
        return self.policy.predict(states, state, episode_start, deterministic)


def soft_optimal_expert(venv: VecEnv, discount: float = 1.0) -> ObservingPolicy:
    """Plans the policy with the largest causal entropy plus expected reward.

    Args:
        venv: environments with known dynamics, such as ``seals/CliffWorld7x4XY-v0``.
            The policy's actions are drawn with the generator of its action space.
        discount: what a reward one step later is worth, in [0, 1].

    Returns:
        The policy, which acts on the observations of `venv`.

    Raises:
        ConfigError: the dynamics are not known.
    """
    env = venv.get_attr("unwrapped", [0])[0]
    if not hasattr(env, "transition_matrix"):
        raise ConfigError(
            f"a soft-optimal expert is planned from known dynamics, and "
            f"{type(env).__name__} has none; seals/CliffWorld7x4XY-v0 has"
        )
    pi = mce_partition_fh(env, discount=discount)[2]
    rng = venv.action_space.np_random
    tabular = TabularPolicy(env.state_space, env.action_space, pi, rng)
    matrix = getattr(env, "observation_matrix", None)
    return ObservingPolicy(tabular, venv.observation_space, matrix)
