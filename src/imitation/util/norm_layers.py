"""Layers that normalize their input by the statistics of all batches seen in training.

`RunningNorm` weighs every sample equally; `EMANorm` forgets old batches exponentially.
`imitation.util.networks` re-exports both.
"""

import abc

import torch as th
from torch import nn
from typing_extensions import override

from imitation.errors import ConfigError, DataError

# Numbers in a batch below which one slow operation beats several quick ones.
SMALL = 1024


class BaseNorm(nn.Module, abc.ABC):
    """Normalizes features to mean 0 and variance 1, without learnable parameters.

    Unlike BatchNorm and LayerNorm it uses the statistics of all batches seen in
    training mode, not those of the current one; in evaluation mode they are fixed.

    The statistics are kept in float64, whatever the dtype of the input: in float32 the
    update by one sample is lost to rounding after some hundred thousand samples.

    Args:
        num_features: length of the non-batch dimension.
        eps: added to the variance for numerical stability; inputs are divided by
            sqrt(variance + eps).
    """

    running_mean: th.Tensor  # (num_features,) float64
    running_var: th.Tensor  # (num_features,) float64, biased: divided by n, not n - 1
    count: th.Tensor  # () int64, samples seen

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("running_mean", th.empty(num_features, dtype=th.float64))
        self.register_buffer("running_var", th.empty(num_features, dtype=th.float64))
        self.register_buffer("count", th.empty((), dtype=th.int64))
        BaseNorm.reset_running_stats(self)

    @override
    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"

    def reset_running_stats(self) -> None:
        """Resets the statistics to mean 0 and variance 1, nearly the identity."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.count.zero_()

    def forward(self, x: th.Tensor) -> th.Tensor:
        """Updates the statistics if in training mode, then normalizes.

        Args:
            x: shape (B, num_features), or (B,) for a single feature. Gradients flow
                through `x` but not through the statistics.

        Returns:
            Tensor of the shape of `x`; of its dtype if that is a floating one.

        Raises:
            ValueError: `x` has another shape.
        """
        batch = x.unsqueeze(1) if x.ndim == 1 and self.num_features == 1 else x
        if batch.ndim != 2 or batch.shape[1] != self.num_features:
            raise DataError(
                f"{type(self).__name__} normalizes inputs of shape "
                f"(batch, {self.num_features}), got {tuple(x.shape)}; flatten first"
            )
        if self.training and batch.shape[0] > 0:
            self.update_stats(batch)
        dtype = x.dtype if x.is_floating_point() else th.get_default_dtype()
        # Statistics are float64 and rounded last: sums over millions of steps.
        scale = (self.running_var + self.eps).rsqrt_().to(dtype)
        return (x - self.running_mean.to(dtype)).mul_(scale)

    @abc.abstractmethod
    def update_stats(self, batch: th.Tensor) -> None:
        """Updates `running_mean`, `running_var` and `count`.

        Args:
            batch: shape (B, num_features) with B > 0, any real dtype.
        """

    def _mix_in(
        self, batch_mean: th.Tensor, batch_var: th.Tensor, weight: th.Tensor
    ) -> None:
        """Makes the statistics those of a mixture of the old samples and a batch.

        With μ, σ² the old statistics, δ the batch mean minus μ, and w the weight, they
        become μ + wδ and (1 − w)(σ² + wδ²) + w·σ²_batch.

        Args:
            batch_mean: shape (num_features,) float64.
            batch_var: shape (num_features,) float64.
            weight: share of the batch in the mixture, () float64 in [0, 1].
        """
        # As few operations as possible: for a handful of rewards it takes longer to
        # start one than to carry it out.
        mean, var = self.running_mean, self.running_var
        delta = batch_mean - mean
        rest = th.addcmul(delta, delta, weight, value=-1)  # (1 − w)δ
        spread = th.addcmul(batch_var, delta, rest)  # σ²_batch + (1 − w)δ²
        mean.lerp_(batch_mean, weight)  # (1 − w)μ + w·μ_batch
        var.lerp_(spread, weight)


def _moments(batch: th.Tensor) -> tuple[th.Tensor, th.Tensor]:
    """Returns the mean and biased variance of (B, F) over B, each (F,) float64."""
    batch = batch.detach().to(th.float64)
    if batch.numel() < SMALL:
        # One kernel; correction=0 is the biased variance that the merge needs.
        var, mean = th.var_mean(batch, dim=0, correction=0)
        return mean, var
    # Two passes over the data: faster than th.var_mean along the first dimension.
    mean = batch.mean(dim=0)
    return mean, (batch - mean).square_().mean(dim=0)


class RunningNorm(BaseNorm):
    """Normalizes by the mean and variance of all samples seen in training mode.

    This is the usual normalization of observations in reinforcement learning. It
    differs from Stable-Baselines3's `VecNormalize` when used for rewards: it looks at
    rewards instead of return estimates, and subtracts their mean.
    """

    @override
    def update_stats(self, batch: th.Tensor) -> None:
        """Merges the moments of a batch into those of all samples.

        Chan, Golub and LeVeque (1979), "Updating Formulae and a Pairwise Algorithm for
        Computing Sample Variances", eq. 2.1: with δ the difference of the means of two
        sets of m and n samples, the union has mean μ + δ·n/(m+n), and its sum of
        squared deviations is the sum of both plus δ²·m·n/(m+n).

        Args:
            batch: shape (B, num_features) with B > 0.
        """
        batch_mean, batch_var = _moments(batch)
        count = self.count.add_(batch.shape[0])
        weight = count.to(th.float64).reciprocal_().mul_(batch.shape[0])  # n / (m + n)
        self._mix_in(batch_mean, batch_var, weight)


class EMANorm(BaseNorm):
    """Normalizes by exponentially weighted averages over the batches seen in training.

    The batch k steps ago has a weight proportional to decay^k; the weights sum to one
    from the first batch on, so there is no bias towards the initial values. Samples
    within a batch weigh equally, whatever its size.

    Args:
        num_features: length of the non-batch dimension.
        decay: how slowly the weight of past batches decays, between 0 and 1.
        eps: added to the variance for numerical stability.

    Raises:
        ValueError: `decay` is not between 0 and 1.
    """

    inv_learning_rate: th.Tensor  # () float64, Σ_{k<num_batches} decay^k
    num_batches: th.Tensor  # () int64

    def __init__(
        self, num_features: int, decay: float = 0.99, eps: float = 1e-5
    ) -> None:
        if not 0 < decay < 1:
            raise ConfigError(f"decay must be between 0 and 1, got {decay}")
        super().__init__(num_features, eps=eps)
        self.decay = decay
        self.register_buffer("inv_learning_rate", th.zeros((), dtype=th.float64))
        self.register_buffer("num_batches", th.zeros((), dtype=th.int64))

    @override
    def extra_repr(self) -> str:
        return f"{self.num_features}, decay={self.decay}, eps={self.eps}"

    @override
    def reset_running_stats(self) -> None:
        super().reset_running_stats()
        self.inv_learning_rate.zero_()
        self.num_batches.zero_()

    @override
    def update_stats(self, batch: th.Tensor) -> None:
        """Moves the statistics towards those of a batch.

        With Sₙ = 1 + decay·Sₙ₋₁ the sum of the unnormalized weights, the new batch has
        weight α = 1/Sₙ and the mixture of all earlier ones 1 − α. The moments of that
        mixture are μ + αδ and (1 − α)(σ² + αδ²) + α·σ²_batch, where δ is the batch mean
        minus μ (Finch 2009, "Incremental calculation of weighted mean and variance",
        section 9, with a batch in the place of a sample).

        Args:
            batch: shape (B, num_features) with B > 0.
        """
        batch_mean, batch_var = _moments(batch)
        self.count.add_(batch.shape[0])
        self.num_batches.add_(1)
        self.inv_learning_rate.mul_(self.decay).add_(1)
        self._mix_in(batch_mean, batch_var, self.inv_learning_rate.reciprocal())
