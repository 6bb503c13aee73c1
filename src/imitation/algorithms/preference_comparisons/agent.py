"""Trajectories to compare: a fixed set, or of an agent trained on a learned reward."""

import abc
import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecTransposeImage
from typing_extensions import override

from imitation.algorithms.preference_comparisons import fragments
from imitation.algorithms.preference_comparisons.parts import Part, check_within
from imitation.data import acting, rollout, types, wrappers
from imitation.data.labels.clips import RENDERED_KEY
from imitation.errors import ConfigError
from imitation.policies.exploration_wrapper import ExplorationWrapper
from imitation.rewards.reward_function import RewardFn, check_spaces, network_of
from imitation.rewards.reward_nets import RewardNet
from imitation.training import sb3_state
from imitation.training.learned_rewards import RewardedAlgorithm
from imitation.util import artifacts, seeding
from imitation.util import logger as imit_logger
from imitation.util.artifacts import State
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads


class TrajectoryGenerator(Part, abc.ABC):
    """Generates trajectories, and may train an agent to do it."""

    @abc.abstractmethod
    def sample(self, steps: int) -> Sequence[types.TrajectoryWithRew]:
        """Samples trajectories.

        Args:
            steps: the least number of steps of all together.

        Returns:
            The trajectories, with the rewards of the environment, not learned ones.
        """

    def train(self, steps: int, **kwargs: object) -> None:
        """Trains the agent, if there is one.

        Args:
            steps: environment steps to train for.
            **kwargs: options of the kind of agent.
        """
        del steps, kwargs

    def restart_episodes(self, seed: int) -> None:
        """Starts new episodes in the environments, if any; `seed` decides them."""


class TrajectoryDataset(TrajectoryGenerator):
    """A fixed set of trajectories, sampled whole and without replacement.

    Args:
        trajectories: what to sample from.
        rng: shuffles them; None for fresh entropy.
        custom_logger: where to log to; None creates a new logger.
    """

    def __init__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        rng: np.random.Generator | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self._trajectories = trajectories
        self.rng: np.random.Generator = seeding.make_rng(rng)

    @override
    def sample(self, steps: int) -> Sequence[types.TrajectoryWithRew]:
        # Indices, because the data set may be lazy and larger than memory.
        order = self.rng.permutation(len(self._trajectories))
        return _enough((self._trajectories[int(i)] for i in order), steps)


class AgentTrainer(TrajectoryGenerator):
    """Trains a Stable-Baselines3 algorithm on any reward, and samples from it.

    Learned rewards are computed once per rollout for on-policy algorithms. The replay
    buffer of an off-policy one is wrapped, so that the rewards of old steps are always
    those of the current reward function.

    Args:
        algorithm: on-policy (PPO, A2C, TRPO, …) or off-policy (SAC, TD3, DQN, …). It
            gets the environment and logger of this trainer.
        reward_fn: a reward network, of which ``predict_processed`` counts, or a
            function.
        venv: the environments to train and sample in.
        rng: decides the exploration and seeds the policy when sampling; None for fresh
            entropy.
        exploration_frac: share of the steps sampled that are taken by random actions
            and the policy in turns.
        switch_prob: probability of switching between these after each action.
        random_prob: probability of switching to random actions.
        custom_logger: where to log to; None creates a new logger.

    Attributes:
        steps_owed: steps that `train` was asked for and has not taken; negative if it
            took too many.
        buffering_wrapper: records what training does in `venv`, with true rewards.

    Raises:
        ConfigError: spaces do not match, or `exploration_frac` lies outside [0, 1].
    """

    def __init__(
        self,
        algorithm: BaseAlgorithm,
        reward_fn: RewardFn | RewardNet,
        venv: VecEnv,
        rng: np.random.Generator | None = None,
        exploration_frac: float = 0.0,
        switch_prob: float = 0.5,
        random_prob: float = 0.5,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        check_within(1, exploration_frac=exploration_frac)
        reward = as_network(reward_fn)
        _check_environment(algorithm, reward, venv)
        self.algorithm = algorithm
        self.reward_fn = reward_fn
        self.venv = venv
        self.exploration_frac = exploration_frac
        self.rng: np.random.Generator = seeding.make_rng(rng)
        # Below the learned rewards, so that it records the environment's own.
        self.buffering_wrapper = wrappers.BufferingWrapper(venv)
        self._rewarded = RewardedAlgorithm(algorithm, self.buffering_wrapper, reward)
        self.steps_owed = 0
        # Episodes that training finished before a checkpoint and that were not sampled.
        self._finished: list[types.TrajectoryWithRew] = []
        super().__init__(custom_logger)
        self.switch_prob = switch_prob
        self.random_prob = random_prob
        self._explorer()  # raises if they are no probabilities

    @override
    def pass_logger_on(self, logger: imit_logger.HierarchicalLogger) -> None:
        self.algorithm.set_logger(logger)

    @override
    def train(self, steps: int, **kwargs: Any) -> None:
        """Trains the agent.

        Exactly so many steps are taken over all calls together: what an algorithm can
        only take more or less of at a time is made up for by the next call. The last
        rollouts of an on-policy algorithm are shorter where needed.

        Args:
            steps: environment steps to train for.
            **kwargs: further arguments of the algorithm's ``learn``.

        Raises:
            RuntimeError: the trajectories of the last call were not sampled.
        """
        if n_left := self.buffering_wrapper.n_transitions:
            raise RuntimeError(
                f"There are {n_left} transitions left in the buffer. Call "
                "AgentTrainer.sample() first to clear them."
            )
        # SB3's `learn` goes on from here unless it is None; but sampling has used the
        # environments in between.
        self.algorithm._last_obs = None
        self.steps_owed += steps
        before, n_envs = self.algorithm.num_timesteps, self.algorithm.n_envs
        reward = as_network(self.reward_fn)
        nets = [reward] if isinstance(reward, RewardNet) else []
        with training_threads(self.algorithm.policy, *nets):
            for size, n_rollouts in self._rollouts(self.steps_owed // n_envs):
                with _rollout_size(self.algorithm, size):
                    self._rewarded.learn(n_rollouts * size * n_envs, **kwargs)
        self.steps_owed -= self.algorithm.num_timesteps - before

    @override
    def sample(self, steps: int) -> Sequence[types.TrajectoryWithRew]:
        """Samples trajectories, with the environment's own rewards.

        Those that training has finished come first, the newest before the others; then
        fresh ones are made. Observations have the environment's layout, also where the
        algorithm transposes images.

        Args:
            steps: the least number of steps of all together.

        Returns:
            Whole episodes.
        """
        finished, _ = self.buffering_wrapper.pop_finished_trajectories()
        self.buffering_wrapper.pop_trajectories()  # of unfinished episodes
        finished, self._finished = [*self._finished, *finished], []
        n_explore = int(self.exploration_frac * steps)
        if steps and self.exploration_frac and not n_explore:
            self.logger.warn(
                f"No exploration steps included: exploration_frac = "
                f"{self.exploration_frac} > 0 but steps={steps} is too small."
            )
        n_policy = steps - n_explore
        trajectories = finished[::-1]  # the newest ones are most like the agent
        available = sum(map(len, trajectories))
        if available < n_policy:
            self.logger.log(
                f"Requested {n_policy} transitions but only {available} in buffer. "
                f"Sampling {n_policy - available} additional transitions."
            )
            missing = rollout.make_min_timesteps(n_policy - available)
            trajectories += self.play(self.venv, missing, self.rng)
        trajectories = _enough(trajectories, n_policy)
        if n_explore:
            self.logger.log(f"Sampling {n_explore} exploratory transitions.")
            wanted = rollout.make_min_timesteps(n_explore)
            fresh = self.play(self.venv, wanted, self.rng, explore=True)
            trajectories += _enough(fresh, n_explore)
        return trajectories

    def play(
        self,
        venv: VecEnv,
        sample_until: rollout.GenTrajTerminationCond,
        rng: np.random.Generator,
        *,
        explore: bool = False,
    ) -> Sequence[types.TrajectoryWithRew]:
        """Plays episodes; elsewhere, this leaves training and sampling as they were.

        Args:
            venv: where, with the spaces of the trainer's own environments.
            sample_until: see `rollout.generate_trajectories`.
            rng: decides the actions, which are sampled.
            explore: take random actions in between.

        Returns:
            Whole episodes.
        """
        policy = _policy_for(self.algorithm, self.venv)
        if explore:
            policy = self._explorer()
        # NumPy's global generator, too, as DQN's exploration reads it.
        with acting.evaluating(self.algorithm), seeding.numpy_seeded(rng):
            return rollout.generate_trajectories(policy, venv, sample_until, rng=rng)

    def export(self, path: AnyPath) -> None:
        """Saves the algorithm as ``model.zip`` in a directory, atomically."""
        with artifacts.replacing_directory(path) as directory:
            self.algorithm.save(directory / "model.zip")

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "algorithm": sb3_state.algorithm_state(self.algorithm),
            "randomness": sb3_state.random_state(self.algorithm),
            "owed": self.steps_owed,
            "finished": fragments.pack(self._kept()),
        }

    @override
    def load_state_dict(self, state: State) -> None:
        finished = fragments.unpack(state["finished"])
        sb3_state.load_algorithm_state(self.algorithm, state["algorithm"])
        sb3_state.restore_random_state(self.algorithm, state["randomness"])
        super().load_state_dict(state)
        self.steps_owed = int(state["owed"])
        # A load that fails restores the trainer's own state. What is recorded stays as
        # it is then, with infos, rendered frames and the episodes in flight.
        if finished != fragments.unpack(fragments.pack(self._kept())):
            self._finished = finished
            self.buffering_wrapper.pop_trajectories()

    @override
    def restart_episodes(self, seed: int) -> None:
        self._finished = self._kept()
        self.buffering_wrapper.pop_trajectories()
        sb3_state.restart_episodes(self.algorithm, self.venv, seed)

    def _kept(self) -> list[types.TrajectoryWithRew]:
        """Trajectories that outlive a checkpoint: finished, and not sampled yet.

        Those with rendered pictures do not: a state holds no infos.
        """
        finished = [*self._finished, *self.buffering_wrapper.finished_trajectories]
        return [
            t
            for t in finished
            if t.infos is None or not len(t.infos) or RENDERED_KEY not in t.infos[0]
        ]

    def _rollouts(self, steps: int) -> list[tuple[int, int]]:
        """Sizes of rollouts in steps of all environments, and numbers of each."""
        if steps <= 0:
            return []
        if not isinstance(self.algorithm, OnPolicyAlgorithm):
            return [(steps, 1)]
        full = self.algorithm.n_steps
        n_full, rest = divmod(steps, full)
        if not rest:
            return [(full, n_full)]
        if not n_full:
            return [(rest, 1)]
        # Two of half the size rather than a full one and the rest: an update from a
        # few steps only does harm.
        half = (full + rest) // 2
        sizes = [(full, n_full - 1), (full + rest - half, 1), (half, 1)]
        return [(size, number) for size, number in sizes if number]

    def _explorer(self) -> ExplorationWrapper:
        """A new one each time, so that all that is random lies in `rng`."""
        policy = _policy_for(self.algorithm, self.venv)
        return ExplorationWrapper(
            policy, self.venv, self.random_prob, self.switch_prob, rng=self.rng
        )


def as_network(reward_fn: RewardFn | RewardNet) -> RewardFn | RewardNet:
    """Returns the network where its own method was given, else the argument."""
    if isinstance(reward_fn, RewardNet):
        return reward_fn
    net = network_of(reward_fn)
    return net if net is not None and reward_fn == net.predict_processed else reward_fn


def _check_environment(
    algorithm: BaseAlgorithm, reward: RewardFn | RewardNet, venv: VecEnv
) -> None:
    if algorithm.n_envs != venv.num_envs:
        raise ConfigError(
            f"the algorithm was made for {algorithm.n_envs} environments, venv has "
            f"{venv.num_envs}; make the algorithm with this venv"
        )
    fn = reward.predict_processed if isinstance(reward, RewardNet) else reward
    try:
        check_spaces(fn, venv.observation_space, venv.action_space)
    except ConfigError as error:
        raise ConfigError(f"spaces do not match: {error}") from error


def _policy_for(algorithm: BaseAlgorithm, venv: VecEnv) -> rollout.AnyPolicy:
    """The algorithm, or what asks it with images in the layout that it wants.

    SB3 wraps environments in `VecTransposeImage` for policies that take channels first;
    trajectories keep the layout of `venv`, which lies below.
    """
    env: VecEnv | None = algorithm.get_env()
    while isinstance(env, VecEnvWrapper) and env is not venv:
        if isinstance(env, VecTransposeImage):
            transpose = env.transpose_observations
            act = acting.policy_to_callable(algorithm, env)
            return lambda obs, state, starts: act(transpose(obs), state, starts)
        env = env.venv
    return algorithm


def _enough(
    trajectories: Iterable[types.TrajectoryWithRew], steps: int
) -> list[types.TrajectoryWithRew]:
    """The first trajectories that have enough steps together, as few as possible.

    Raises:
        RuntimeError: all together have too few.
    """
    chosen: list[types.TrajectoryWithRew] = []
    if steps <= 0:
        return chosen
    available = 0
    for trajectory in trajectories:
        chosen.append(trajectory)
        available += len(trajectory)
        if available >= steps:
            return chosen
    raise RuntimeError(f"Asked for {steps} transitions but only {available} available")


@contextlib.contextmanager
def _rollout_size(algorithm: BaseAlgorithm, size: int) -> Iterator[None]:
    """Makes an on-policy algorithm take rollouts of another size within a block."""
    if not isinstance(algorithm, OnPolicyAlgorithm) or size == algorithm.n_steps:
        yield
        return
    full, buffer = algorithm.n_steps, algorithm.rollout_buffer
    small = copy.copy(buffer)
    small.buffer_size = size
    if hasattr(small, "hidden_state_shape"):
        # sb3-contrib's recurrent buffers keep LSTM states: (steps, layers, envs, size).
        small.hidden_state_shape = (size, *small.hidden_state_shape[1:])
    small.reset()  # allocates arrays of its own
    algorithm.n_steps, algorithm.rollout_buffer = size, small
    try:
        yield
    finally:
        algorithm.n_steps, algorithm.rollout_buffer = full, buffer
