"""IQ-Learn with discrete actions: soft Q-learning with another loss."""

from typing import Any

import torch as th
from stable_baselines3.common.type_aliases import GymEnv, ReplayBufferSamples

from imitation.algorithms.expert_replay.buffers import expert_rows
from imitation.algorithms.iq_learn.losses import iq_terms
from imitation.algorithms.iq_learn.options import TermsLog, check_chi2_alpha
from imitation.algorithms.soft_q import SoftQ, SoftQPolicy, soft_value

__all__ = ["IQSoftQ"]


class IQSoftQ(SoftQ):
    """The discrete learner of IQ-Learn: `SoftQ` that minimises `losses.iq_terms`.

    V(s') is that of the target network and carries no gradients; with gradients through
    it, learning online failed. Learns only from a replay buffer that knows an expert,
    `SQILReplayBuffer`.

    Args:
        policy: see `SoftQ`.
        env: see `SoftQ`.
        chi2_alpha: α > 0 of the χ² regularisation; the larger, the larger the rewards.
        temperature: see `SoftQ`.
        **kwargs: further arguments of `SoftQ`.

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
        self.chi2_alpha = check_chi2_alpha(chi2_alpha)
        self._terms = TermsLog()
        super().__init__(policy, env, temperature=temperature, **kwargs)

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Makes updates; see `SoftQ.train`.

        Args:
            gradient_steps: how many.
            batch_size: transitions in each, the expert's among them.
        """
        super().train(gradient_steps, batch_size)
        self._terms.record(self.logger)

    def loss(self, batch: ReplayBufferSamples) -> th.Tensor:
        """Computes the loss of a batch.

        Args:
            batch: a sample of the replay buffer.

        Returns:
            The loss, a scalar with gradients.
        """
        q_values = self.q_net(batch.observations)
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

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_terms"]
