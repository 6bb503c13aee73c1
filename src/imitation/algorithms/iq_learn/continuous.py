"""IQ-Learn with continuous actions: soft actor-critic with another critic loss."""

from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.sac.sac import SAC

from imitation.algorithms.expert_replay.buffers import expert_rows
from imitation.algorithms.iq_learn.losses import IQTerms, iq_terms
from imitation.algorithms.iq_learn.options import TermsLog, check_chi2_alpha
from imitation.errors import ConfigError

__all__ = ["IQSAC"]


class IQSAC(SAC):
    """The continuous learner of IQ-Learn: SAC whose critics minimise `losses.iq_terms`.

    The actor follows the critics as in SAC (Garg et al., 2021, algorithm 1). Values are
    estimated with one action of the actor: V(s) of each critic with that critic, V(s')
    with the smaller of the target critics. Learns only from a replay buffer that knows
    an expert, `SQILReplayBuffer`.

    Args:
        policy: see Stable-Baselines3's ``SAC``.
        env: see ``SAC``.
        chi2_alpha: α > 0 of the χ² regularisation; the larger, the larger the rewards.
        ent_coef: see ``SAC``; small, since rewards are of the order of `chi2_alpha`.
        tau: see ``SAC``; targets that follow faster than its default learn faster here.
        actor_lr_scale: the actor's learning rate over the critics', which is SAC's, in
            the environment: there an actor as fast as the critics, whose data it
            changes, fails in some runs. Offline it is as fast.
        **kwargs: further arguments of ``SAC``.

    Raises:
        ConfigError: `chi2_alpha` or `actor_lr_scale` is not positive.
    """

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
        self.chi2_alpha = check_chi2_alpha(chi2_alpha)
        if not actor_lr_scale > 0:
            raise ConfigError(f"actor_lr_scale must be positive, got {actor_lr_scale}")
        self.actor_lr_scale = actor_lr_scale
        super().__init__(policy, env, ent_coef=ent_coef, tau=tau, **kwargs)

    @property
    def temperature(self) -> float:
        """What entropy is worth now, in units of the reward."""
        if self.log_ent_coef is not None:
            return float(self.log_ent_coef.detach().exp())
        return float(self.ent_coef_tensor)

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Makes updates; Stable-Baselines3 calls this between environment steps.

        Args:
            gradient_steps: how many.
            batch_size: transitions in each, the expert's among them.
        """
        self.policy.set_training_mode(True)
        optimizers = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None:
            optimizers.append(self.ent_coef_optimizer)
        self._update_learning_rate(optimizers)
        if self.num_timesteps:  # not offline
            for group in self.actor.optimizer.param_groups:
                group["lr"] *= self.actor_lr_scale
        assert self.replay_buffer is not None
        log, actor_losses = TermsLog(), []
        for step in range(gradient_steps):
            batch = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)
            if self.use_sde:
                self.actor.reset_noise()
            actions, log_probs = self._actions(batch.observations)
            self._update_temperature(log_probs)
            for terms in self._update_critics(batch, actions.detach(), log_probs):
                log.add(terms)
            actor_losses.append(
                self._update_actor(batch.observations, actions, log_probs)
            )
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

    def _update_critics(
        self, batch: ReplayBufferSamples, actions: th.Tensor, log_probs: th.Tensor
    ) -> list[IQTerms]:
        terms = self.critic_terms(batch, actions, log_probs)
        loss = th.stack([each.loss for each in terms]).mean()
        self.critic.optimizer.zero_grad()
        th.autograd.backward(loss)
        self.critic.optimizer.step()
        return terms

    def _update_actor(
        self, obs: Any, actions: th.Tensor, log_probs: th.Tensor
    ) -> float:
        q_values = self._smallest(self.critic, obs, actions)
        loss = (self.temperature * log_probs - q_values).mean()
        self.actor.optimizer.zero_grad()
        th.autograd.backward(loss)
        self.actor.optimizer.step()
        return loss.item()

    def _update_temperature(self, log_probs: th.Tensor) -> None:
        """Moves the entropy to its target, where `ent_coef` is "auto"."""
        if self.ent_coef_optimizer is None:
            return
        assert self.log_ent_coef is not None
        assert isinstance(self.target_entropy, float)
        excess = (log_probs + self.target_entropy).detach()
        loss = -(self.log_ent_coef * excess).mean()
        self.ent_coef_optimizer.zero_grad()
        th.autograd.backward(loss)
        self.ent_coef_optimizer.step()

    def _actions(self, obs: Any) -> tuple[th.Tensor, th.Tensor]:
        """Actions of the actor and their log-probabilities, shape ``(B, 1)``."""
        actions, log_probs = self.actor.action_log_prob(obs)
        return actions, log_probs.reshape(-1, 1)

    @staticmethod
    def _smallest(critic: Any, obs: Any, actions: th.Tensor) -> th.Tensor:
        """The smallest of the critics' values, shape ``(B, 1)``."""
        stacked: th.Tensor = th.cat(critic(obs, actions), dim=1)
        return stacked.min(dim=1, keepdim=True).values
