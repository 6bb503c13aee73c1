"""Training IQ-Learn: with an environment or from demonstrations alone."""

from collections.abc import Mapping

import gymnasium as gym
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base
from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.iq_learn.learners import IQSAC, IQSoftQ
from imitation.algorithms.iq_learn.reward import InverseSoftQReward, recover_reward
from imitation.errors import ConfigError
from imitation.util import logger as imit_logger
from imitation.util.paths import AnyPath
from imitation.util.progress import progress_bar as make_progress_bar


class IQLearn(ExpertReplayTrainer):
    """Inverse soft Q-learning: one Q-function for both reward and policy.

    Garg et al. (2021), https://arxiv.org/abs/2106.12142, with χ² regularization. The
    environment's rewards are never used.

    The arguments are those of `ExpertReplayTrainer`. `rl_algo_class` is `IQSoftQ`,
    `IQSAC` or a subclass; None is the first for discrete actions and the second for
    continuous ones. `train_offline` never steps `venv`.

    Raises:
        ConfigError: the algorithm is another; or see `ExpertReplayTrainer`.
    """

    name = "IQ-Learn"

    def __init__(
        self,
        *,
        venv: VecEnv,
        demonstrations: base.AnyTransitions | None,
        policy: str | type[BasePolicy],
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        rl_algo_class: type[OffPolicyAlgorithm] | None = None,
        rl_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        if rl_algo_class is None:
            discrete = isinstance(venv.action_space, gym.spaces.Discrete)
            rl_algo_class = IQSoftQ if discrete else IQSAC
        if not issubclass(rl_algo_class, IQSoftQ | IQSAC):
            raise ConfigError(
                "rl_algo_class must be IQSoftQ, IQSAC or a subclass, got "
                f"{rl_algo_class.__name__}"
            )
        super().__init__(
            venv=venv,
            demonstrations=demonstrations,
            policy=policy,
            rl_algo_class=rl_algo_class,
            custom_logger=custom_logger,
            rl_kwargs=rl_kwargs,
        )

    def train_offline(
        self,
        *,
        n_updates: int,
        log_interval: int = 500,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
        progress_bar: bool = False,
    ) -> None:
        """Trains on the demonstrations alone, without a step in the environments.

        Transitions of the learner, where `train` has left some, take part as they do
        there.

        Args:
            n_updates: optimizer steps; with `resume` those of the interrupted call
                count.
            log_interval: updates between two rows of the log. Schedules of the
                learning rate advance as often.
            checkpoint_dir: the state to resume from goes to its ``latest``; None
                saves none.
            checkpoint_interval: updates between states; 0 saves only the last.
            resume: continue from the state in `checkpoint_dir`, if there is one.
            progress_bar: show one.

        Raises:
            ConfigError: there are no demonstrations, or nowhere to resume from; or a
                number is out of its range.
            ArtifactError: the state is of another trainer.
        """
        if n_updates < 1 or log_interval < 1 or checkpoint_interval < 0:
            raise ConfigError(
                "n_updates and log_interval must be positive and checkpoint_interval "
                f"at least 0, got {n_updates}, {log_interval} and {checkpoint_interval}"
            )
        saver = self.begin("train_offline", checkpoint_dir, checkpoint_interval, resume)
        algo = self.rl_algo
        algo.set_logger(self.logger)  # only `learn` creates one otherwise
        if isinstance(algo, IQSAC):
            algo.offline = True
        bar = make_progress_bar(
            n_updates,
            self.name,
            "update",
            initial=self.progress,
            disable=not progress_bar,
        )
        try:
            with bar, self.fast_updates():
                # Chunks: SB3 updates the learning rate once in each call of `train`.
                while (done := self.progress) < n_updates:
                    # The next of the moments to log, to save and to end at.
                    intervals = (log_interval, checkpoint_interval or n_updates)
                    n_next = min(n_updates - done, *(i - done % i for i in intervals))
                    # Schedules of the learning rate, as `learn` advances them.
                    algo._current_progress_remaining = 1.0 - done / n_updates
                    algo.train(n_next, batch_size=algo.batch_size)
                    self.progress = done = done + n_next
                    bar.update(n_next)
                    if done % log_interval == 0 or done == n_updates:
                        self.logger.dump(done)
                    saver.after(done)
        finally:
            if isinstance(algo, IQSAC):
                algo.offline = False
        saver.finish()

    @property
    def reward_net(self) -> InverseSoftQReward:
        """The reward of the current Q-function, r = Q(s, a) − γ V(s').

        A network that `imitation.rewards.serialize.save_reward_net` saves and
        ``load_reward("RewardNet_unnormalized", …)`` reads. Where no transition, neither
        the expert's nor the learner's, ended the task itself, it ignores ``done``.
        """
        algo = self.rl_algo
        assert isinstance(algo, IQSoftQ | IQSAC)
        buffers: list[ReplayBuffer] = [self.replay_buffer]
        if self.has_demonstrations:
            buffers.append(self.replay_buffer.expert_buffer)
        # Where only time limits end episodes, no V(s') was ever left out in training.
        ends = any((b.dones * (1 - b.timeouts)).any() for b in buffers)
        return recover_reward(
            self.policy,
            self.venv.observation_space,
            discount=algo.gamma,
            temperature=algo.temperature,
            has_ends=bool(ends),
        )
