"""Soft Q-learning with the interface of Stable-Baselines3's DQN."""

import warnings
from typing import Any, ClassVar

import numpy as np
import torch as th
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import (
    GymEnv,
    ReplayBufferSamples,
    Schedule,
)
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.dqn.dqn import DQN
from typing_extensions import override

from imitation.algorithms.soft_q.losses import soft_bellman_loss, soft_value
from imitation.algorithms.soft_q.policies import (
    CnnSoftQPolicy,
    MultiInputSoftQPolicy,
    SoftQPolicy,
)


class SoftQ(DQN):
    """Soft Q-learning: DQN with a soft value as target and a Boltzmann policy.

    Minimizes `losses.soft_bellman_loss` and explores by its own policy. Arguments that
    are not listed mean what they mean for Stable-Baselines3's ``DQN``; many defaults
    are others, so that it learns from the first steps on.

    Args:
        policy: "MlpPolicy", "CnnPolicy", "MultiInputPolicy", or a subclass of
            `SoftQPolicy`.
        env: the environment, with discrete actions.
        learning_rate: of Adam, or a function of the share of training that remains.
        buffer_size: transitions to remember.
        learning_starts: environment steps before the first update, of random actions.
        batch_size: transitions in an update.
        tau: the target network moves this far, in (0, 1], towards the network.
        gamma: discount γ.
        train_freq: environment steps between updates, or ``(n, "episode")``.
        gradient_steps: updates each time; −1 for as many as there were steps.
        target_update_interval: updates of the network between those of the target;
            ``DQN`` counts environment steps instead.
        exploration_fraction: share of the training in which the probability of random
            actions falls from its initial to its final value.
        exploration_initial_eps: random actions at the beginning, beside the policy's.
        exploration_final_eps: random actions at the end.
        max_grad_norm: gradients are clipped to this norm.
        seed: of everything random; Stable-Baselines3 seeds the global generators.
        temperature: α > 0, in units of the reward: how much entropy is worth. At 1, a
            step of random actions would be worth up to log n_actions rewards.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": SoftQPolicy,
        "CnnPolicy": CnnSoftQPolicy,
        "MultiInputPolicy": MultiInputSoftQPolicy,
    }
    policy: SoftQPolicy

    def __init__(
        self,
        policy: str | type[SoftQPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 1e-3,
        buffer_size: int = 1_000_000,
        learning_starts: int = 100,
        batch_size: int = 64,
        tau: float = 0.01,
        gamma: float = 0.99,
        train_freq: int | tuple[int, str] = 1,
        gradient_steps: int = 1,
        replay_buffer_class: type[ReplayBuffer] | None = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        optimize_memory_usage: bool = False,
        n_steps: int = 1,
        target_update_interval: int = 1,
        exploration_fraction: float = 0.1,
        exploration_initial_eps: float = 0.0,
        exploration_final_eps: float = 0.0,
        max_grad_norm: float = 10,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: th.device | str = "auto",
        temperature: float = 0.1,
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            train_freq,
            gradient_steps,
            replay_buffer_class,
            replay_buffer_kwargs,
            optimize_memory_usage,
            n_steps,
            target_update_interval,
            exploration_fraction,
            exploration_initial_eps,
            exploration_final_eps,
            max_grad_norm,
            stats_window_size,
            tensorboard_log,
            {"temperature": temperature, **(policy_kwargs or {})},
            verbose,
            seed,
            device,
            _init_setup_model,
        )

    @property
    def temperature(self) -> float:
        """The worth of entropy, α, in units of the reward."""
        return self.policy.temperature

    @override
    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        assert self.replay_buffer is not None
        losses = []
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            loss = self.loss(batch)
            self.policy.optimizer.zero_grad()
            th.autograd.backward(loss)
            th.nn.utils.clip_grad_norm_(self.q_net.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            losses.append(loss.item())
            self._n_updates += 1
            # DQN counts environment steps, of which there may be many to an update.
            if self._n_updates % self.target_update_interval == 0:
                parameters = self.q_net.parameters(), self.q_net_target.parameters()
                polyak_update(*parameters, self.tau)
                # Running statistics of batch normalization are copied, not averaged.
                polyak_update(self.batch_norm_stats, self.batch_norm_stats_target, 1.0)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/loss", np.mean(losses))

    @override
    def _on_step(self) -> None:
        # DQN's without its update of the target network, which `train` makes here.
        self._n_calls += 1
        remaining = self._current_progress_remaining
        self.exploration_rate = self.exploration_schedule(remaining)
        self.logger.record("rollout/exploration_rate", self.exploration_rate)

    @override
    def _setup_model(self) -> None:
        with warnings.catch_warnings():
            # Where the target follows environment steps, many at a time are a problem.
            warnings.filterwarnings("ignore", "The number of environments used is gre")
            super()._setup_model()

    def loss(self, batch: ReplayBufferSamples) -> th.Tensor:
        """Computes the loss of a batch.

        Args:
            batch: a sample of the replay buffer.

        Returns:
            The loss, a scalar with gradients.
        """
        with th.no_grad():
            next_q = self.q_net_target(batch.next_observations)
            next_values = soft_value(next_q, self.temperature)
        # Q(s, ·) is (B, n_actions), of which the taken ones are (B, 1).
        taken = self.q_net(batch.observations).gather(1, batch.actions.long())
        # SB3 fills in discounts, (B, 1), only where n_steps > 1.
        discount = self.gamma if batch.discounts is None else batch.discounts
        return soft_bellman_loss(
            taken, batch.rewards, batch.dones, next_values, discount
        )
