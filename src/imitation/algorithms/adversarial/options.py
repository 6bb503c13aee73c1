"""Ways to keep a discriminator informative; all are off unless asked for."""

import dataclasses

from imitation.errors import ConfigError

__all__ = ["DiscriminatorOptions"]

GRADIENT_PENALTIES = (None, "r1", "wgan-gp")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorOptions:
    """How the discriminator is regularised.

    Raises:
        ConfigError: a value is out of range.
    """

    gradient_penalty: str | None = None
    """``"r1"`` penalises the gradient of the logits at expert samples (Mescheder et al.
    2018, "Which Training Methods for GANs do actually Converge?", eq. 9); ``"wgan-gp"``
    its distance from norm 1 between expert and generator samples (Gulrajani et al.
    2017, "Improved Training of Wasserstein GANs", eq. 3). Gradients are by inputs in
    units of each feature's standard deviation in the batch."""

    gradient_penalty_coef: float = 10.0
    """Weight γ (R1, which halves it) or λ (WGAN-GP) of the gradient penalty, ≥ 0; 10 in
    both papers."""

    spectral_norm: bool = False
    """Divide the weights of linear and convolutional layers by their largest singular
    value (Miyato et al. 2018, "Spectral Normalization for GANs")."""

    label_smoothing: float = 0.0
    """The targets are this far from 1 (expert) and 0 (generator), in [0, 0.5). The best
    logits are then bounded by log((1 - s) / s)."""

    entropy_coef: float = 0.0
    """Weight of the entropy of the discriminator's decisions, which is subtracted from
    the loss, ≥ 0."""

    instance_noise: float = 0.0
    """Standard deviation of Gaussian noise added to all inputs, in standard deviations
    of each feature in the batch, ≥ 0."""

    def __post_init__(self) -> None:
        if self.gradient_penalty not in GRADIENT_PENALTIES:
            raise ConfigError(
                "gradient_penalty must be None, 'r1' or 'wgan-gp', "
                f"got {self.gradient_penalty!r}"
            )
        if not 0 <= self.label_smoothing < 0.5:
            raise ConfigError(
                f"label_smoothing must be in [0, 0.5), got {self.label_smoothing}"
            )
        for name in ("gradient_penalty_coef", "entropy_coef", "instance_noise"):
            value = getattr(self, name)
            if not (value >= 0 and value != float("inf")):
                raise ConfigError(f"{name} must not be negative, got {value}")
