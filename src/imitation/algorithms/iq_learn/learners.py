"""The learners of IQ-Learn: soft Q-learning and soft actor-critic with another loss."""

import math
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import (
    GymEnv,
    PyTorchObs,
    ReplayBufferSamples,
)
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.sac.sac import SAC
from typing_extensions import override

from imitation.algorithms.expert_replay.buffers import expert_rows
from imitation.algorithms.iq_learn.losses import IQTerms, iq_terms
from imitation.algorithms.soft_q import SoftQ, SoftQPolicy, soft_value
from imitation.errors import ConfigError


def _check_chi2_alpha(chi2_alpha: float) -> float:
    if not (math.isfinite(chi2_alpha) and chi2_alpha > 0):
        raise ConfigError(f"chi2_alpha must be a positive number, got {chi2_alpha}")
    return chi2_alpha


class _TermsLog:
    """Collects the terms of some updates and logs their means."""

    def __init__(self) -> None:
        self._rows: list[list[float]] = []  # a row for each update and critic

    def add(self, terms: IQTerms) -> None:
        values = (terms.loss, terms.expert_reward, terms.initial_value, terms.penalty)
        self._rows.append([value.item() for value in values])

    def record(self, logger: Logger) -> None:
        names = ("loss", "expert_reward", "initial_value", "chi2_penalty")
        if self._rows:
            for name, mean in zip(names, np.mean(self._rows, axis=0), strict=True):
                logger.record(f"train/{name}", float(mean))
        self._rows.clear()


class IQSoftQ(SoftQ):
    """The discrete learner of IQ-Learn: `SoftQ` that minimizes `losses.iq_terms`.

    V(s') is that of the target network and carries no gradients; with gradients through
    it, learning online failed. Learns only from a replay buffer that knows an expert,
    `SQILReplayBuffer`.

    Args:
        chi2_alpha: α > 0 of the χ² regularization; the larger, the larger the rewards.
        **kwargs: further arguments of `SoftQ`, whose meaning the others share.

    Raises:
        ConfigError: `chi2_alpha` or `temperature` is not positive.
    """

    def __init__(
        self,
        policy: str | type[SoftQPolicy],
        env: GymEnv | str,
        *,
        chi2_alpha: float = 0.5,
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.chi2_alpha = _check_chi2_alpha(chi2_alpha)
        self._terms = _TermsLog()  # `loss` adds, `train` logs and clears
        super().__init__(policy, env, temperature=temperature, **kwargs)

    @override
    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        super().train(gradient_steps, batch_size)
        self._terms.record(self.logger)

    @override
    def loss(self, batch: ReplayBufferSamples) -> th.Tensor:
        q_values = self.q_net(batch.observations)  # (B, n_actions)
        with th.no_grad():
            next_q = self.q_net_target(batch.next_observations)
        terms = iq_terms(
            q_values.gather(1, batch.actions.long()),
            soft_value(q_values, self.temperature),
            soft_value(next_q, self.temperature),
            batch.dones,
            expert_rows(batch),
            self.gamma,
            self.chi2_alpha,
        )
        self._terms.add(terms)
        return terms.loss

    @override
    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_terms"]


class IQSAC(SAC):
    """The continuous learner of IQ-Learn: SAC whose critics minimize `losses.iq_terms`.

    The actor follows the critics as in SAC (Garg et al., 2021, algorithm 1). Values are
    estimated with one action of the actor: V(s) of each critic with that critic, V(s')
    with the smaller of the target critics. Learns only from a replay buffer that knows
    an expert, `SQILReplayBuffer`.

    Args:
        chi2_alpha: α > 0 of the χ² regularization; the larger, the larger the rewards.
        ent_coef: of ``SAC``; small, since rewards are of the order of `chi2_alpha`.
        tau: of ``SAC``; targets that follow faster than its default learn faster here.
        actor_lr_scale: the actor's learning rate over the critics', which is SAC's, in
            the environment: there an actor as fast as the critics, whose data it
            changes, fails in some runs. Offline it is as fast.
        **kwargs: further arguments of ``SAC``.

    Raises:
        ConfigError: `chi2_alpha` or `actor_lr_scale` is not positive.
    """

    offline = False
    """True while the actor collects no data."""

    def __init__(
        self,
        policy: str | type[SACPolicy],
        env: GymEnv | str,
        *,
        chi2_alpha: float = 0.5,
        ent_coef: str | float = 0.01,
        tau: float = 0.02,
        actor_lr_scale: float = 0.3,
        **kwargs: Any,
    ) -> None:
        self.chi2_alpha = _check_chi2_alpha(chi2_alpha)
        if not actor_lr_scale > 0:
            raise ConfigError(f"actor_lr_scale must be positive, got {actor_lr_scale}")
        self.actor_lr_scale = actor_lr_scale
        super().__init__(policy, env, ent_coef=ent_coef, tau=tau, **kwargs)

    @property
    def temperature(self) -> float:
        """The current worth of entropy, in units of the reward."""
        if self.log_ent_coef is not None:
            return float(self.log_ent_coef.detach().exp())
        return float(self.ent_coef_tensor)

    @override
    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        self.policy.set_training_mode(True)
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)
        if not self.offline:  # after the schedule above has set all rates
            for group in self.actor.optimizer.param_groups:
                group["lr"] *= self.actor_lr_scale
        assert self.replay_buffer is not None
        log, actor_losses = _TermsLog(), []
        for step in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            if self.use_sde:
                self.actor.reset_noise()
            actions, log_probs = self._actions(batch.observations)
            # In SAC's order: each step sees what the ones before have changed.
            self._update_temperature(log_probs)
            terms = self.critic_terms(batch, actions.detach(), log_probs)
            critic_loss = th.stack([each.loss for each in terms]).mean()
            _step(self.critic.optimizer, critic_loss)
            q_values = self._smallest(self.critic, batch.observations, actions)
            actor_loss = (self.temperature * log_probs - q_values).mean()
            _step(self.actor.optimizer, actor_loss)
            for each in terms:
                log.add(each)
            actor_losses.append(actor_loss.item())
            if step % self.target_update_interval == 0:
                polyak_update(
                    self.critic.parameters(), self.critic_target.parameters(), self.tau
                )
                polyak_update(self.batch_norm_stats, self.batch_norm_stats_target, 1.0)
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/actor_loss", np.mean(actor_losses))
        self.logger.record("train/ent_coef", self.temperature)
        log.record(self.logger)

    def critic_terms(
        self,
        batch: ReplayBufferSamples,
        actions: th.Tensor,
        log_probs: th.Tensor,
    ) -> list[IQTerms]:
        """Computes the terms of the objective for each critic.

        Args:
            batch: a sample of the replay buffer.
            actions: of the actor at the batch's observations, shape ``(B, act_dim)``.
            log_probs: theirs, shape ``(B, 1)``.

        Returns:
            The terms, with gradients for the critics alone.
        """
        # V(s) = Q(s, a) − α log π(a | s): the actor is not to be trained through it.
        bonus = -self.temperature * log_probs.detach()
        with th.no_grad():
            next_actions, next_log_probs = self._actions(batch.next_observations)
            next_values = self._smallest(
                self.critic_target, batch.next_observations, next_actions
            )
            next_values -= self.temperature * next_log_probs
        taken = self.critic(batch.observations, batch.actions)
        chosen = self.critic(batch.observations, actions)
        return [
            iq_terms(
                q_taken,
                q_chosen + bonus,
                next_values,
                batch.dones,
                expert_rows(batch),
                self.gamma,
                self.chi2_alpha,
            )
            for q_taken, q_chosen in zip(taken, chosen, strict=True)
        ]

    def _update_temperature(self, log_probs: th.Tensor) -> None:
        """Moves the entropy to its target, where `ent_coef` is "auto"."""
        if self.ent_coef_optimizer is None:
            return
        assert self.log_ent_coef is not None
        assert isinstance(self.target_entropy, float)
        excess = (log_probs + self.target_entropy).detach()
        _step(self.ent_coef_optimizer, -(self.log_ent_coef * excess).mean())

    def _actions(self, obs: PyTorchObs) -> tuple[th.Tensor, th.Tensor]:
        """Draws actions and returns their log-probabilities, shape ``(B, 1)``."""
        actions, log_probs = self.actor.action_log_prob(obs)
        return actions, log_probs.reshape(-1, 1)

    @staticmethod
    def _smallest(
        critic: th.nn.Module, obs: PyTorchObs, actions: th.Tensor
    ) -> th.Tensor:
        """Returns the smallest of the critics' values, shape ``(B, 1)``."""
        stacked = th.cat(critic(obs, actions), dim=1)  # (B, n_critics)
        return stacked.min(dim=1, keepdim=True).values


def _step(optimizer: th.optim.Optimizer, loss: th.Tensor) -> None:
    optimizer.zero_grad()
    th.autograd.backward(loss)
    optimizer.step()
