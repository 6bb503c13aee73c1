"""The demonstrator of maximum causal entropy IRL, in environments as they are.

Planning gives a policy of states, and environments may show observations instead.
"""

from typing import Any, NoReturn

import gymnasium as gym
import torch as th
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.mce_irl.planning import mce_partition_fh
from imitation.algorithms.mce_irl.policy import TabularPolicy, states_of
from imitation.envs.tabular.layouts import Array
from imitation.errors import ConfigError

__all__ = ["ObservingPolicy", "soft_optimal_expert"]


class ObservingPolicy(BasePolicy):
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
        observation_space: gym.Space[Any],
        observation_matrix: Array | None = None,
    ) -> None:
        super().__init__(observation_space, policy.action_space)
        self.policy = policy
        self.observation_matrix = observation_matrix

    def predict(
        self,
        observation: Array | dict[str, Array],
        state: tuple[Array, ...] | None = None,
        episode_start: Array | None = None,
        deterministic: bool = False,
    ) -> tuple[Array, tuple[Array, ...] | None]:
        """Chooses actions; see `TabularPolicy.predict`.

        Args:
            observation: what the environments show, shape ``(n_envs, n_features)``.
            state: what the previous call returned.
            episode_start: which environments begin an episode, shape ``(n_envs,)``.
            deterministic: choose the action with the highest probability.

        Returns:
            Actions of shape ``(n_envs,)``, and the number of each environment's next
            time step.

        Raises:
            DataError: an observation is of no state.
        """
        n_states = self.policy.pi.shape[1]
        states = states_of(observation, n_states, self.observation_matrix)
        return self.policy.predict(states, state, episode_start, deterministic)

    def forward(self, observation: Any, deterministic: bool = False) -> NoReturn:
        """Is not defined: there is no network, use `predict`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a tabular policy has no network; call predict()")

    def _predict(
        self, observation: PyTorchObs, deterministic: bool = False
    ) -> th.Tensor:
        raise NotImplementedError("a tabular policy has no network; call predict()")


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
