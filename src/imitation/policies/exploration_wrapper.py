"""Making a policy more exploratory, by runs of random actions."""

import copy

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import rollout, tree
from imitation.errors import ConfigError
from imitation.util import seeding


class ExplorationWrapper:
    """Acts by a policy and at random in turns.

    After each action, with probability `switch_prob`, the wrapper draws which policy
    acts next: the random policy with probability `random_prob`, else the wrapped one.
    All environments of a batch switch together.

    Args:
        policy: an SB3 algorithm or policy, or a callable
            `(obs, state, episode_start) -> (actions, state)`.
        venv: the environments, whose action space random actions are drawn from.
        random_prob: probability of the random policy at each draw, in [0, 1].
        switch_prob: probability of a new draw after each action, in [0, 1].
        rng: decides the draws and the random actions; None for fresh entropy.
        deterministic_policy: whether the wrapped policy acts deterministically; has to
            be False if `policy` is a callable.

    Raises:
        ValueError: a probability lies outside [0, 1].
    """

    def __init__(
        self,
        policy: rollout.AnyPolicy,
        venv: VecEnv,
        random_prob: float,
        switch_prob: float,
        rng: np.random.Generator | None = None,
        deterministic_policy: bool = False,
    ) -> None:
        for name, value in (("random_prob", random_prob), ("switch_prob", switch_prob)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is a probability in [0, 1], got {value}")
        self.wrapped_policy = rollout.policy_to_callable(
            policy, venv, deterministic_policy
        )
        self.random_prob = random_prob
        self.switch_prob = switch_prob
        self.venv = venv
        self.rng = seeding.make_rng(rng)
        # A copy, because seeding the caller's space would change what it samples.
        self._action_space = copy.deepcopy(venv.action_space)
        self._action_space.seed(seeding.make_seeds(self.rng))
        self._acts_randomly = False
        self._draw()

    def _draw(self) -> None:
        self._acts_randomly = bool(self.rng.random() < self.random_prob)

    def __call__(
        self,
        observation: np.ndarray | dict[str, np.ndarray],
        input_state: tuple[np.ndarray, ...] | None,
        episode_start: np.ndarray | None,
    ) -> tuple[np.ndarray, None]:
        """Chooses one action per environment.

        Args:
            observation: `[n_envs, *obs]`, or one such array per key.
            input_state: has to be None.
            episode_start: bool `[n_envs]`, passed on to the wrapped policy.

        Returns:
            Actions `[n_envs, *act]`, and None for the state.

        Raises:
            ValueError: a policy is stateful: random actions would not update its state.
        """
        if input_state is not None:
            raise _stateful()
        if self._acts_randomly:
            n_envs = tree.length(observation)
            acts = np.stack([self._action_space.sample() for _ in range(n_envs)])
        else:
            # The state would be missing after a run of random actions.
            acts, output_state = self.wrapped_policy(observation, None, episode_start)
            if output_state is not None:
                raise _stateful()
        if self.rng.random() < self.switch_prob:
            self._draw()
        return acts, None


def _stateful() -> ConfigError:
    return ConfigError("Exploration wrapper does not support stateful policies.")
