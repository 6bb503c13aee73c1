"""Ways to keep a discriminator informative; all are off unless asked for."""

import copy
import dataclasses
from typing import TypeVar

import torch as th
from torch.nn.utils import parametrizations, parametrize

from imitation.errors import ConfigError

GRADIENT_PENALTIES = (None, "r1", "wgan-gp")

M = TypeVar("M", bound=th.nn.Module)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorOptions:
    """Regularization of the discriminator.

    Raises:
        ConfigError: a value is out of range.
    """

    gradient_penalty: str | None = None
    """``"r1"`` penalizes the gradient of the logits at expert samples (Mescheder et al.
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
            if not (value >= 0 and value != float("inf")):  # refuses NaN, too
                raise ConfigError(
                    f"{name} must be finite and not negative, got {value}"
                )


def add_spectral_norm(net: th.nn.Module) -> None:
    """Divides the weights of layers by their largest singular value from now on.

    Args:
        net: its linear and convolutional layers are changed in place, unless they
            already are normalized.
    """
    for module in list(net.modules()):
        is_layer = isinstance(module, th.nn.Linear | th.nn.Conv1d | th.nn.Conv2d)
        if is_layer and not parametrize.is_parametrized(module, "weight"):
            parametrizations.spectral_norm(module)


def without_spectral_norm(net: M) -> M:
    """Copies a network with plain weights, as they are after normalization.

    Args:
        net: is left as it is.

    Returns:
        A copy that computes the same; `net` itself if it has no normalized layers.
    """
    if not any(parametrize.is_parametrized(module) for module in net.modules()):
        return net
    plain = copy.deepcopy(net).eval()  # in training mode, reading a weight changes it
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module, "weight"):
            weight = module.weight
            assert isinstance(weight, th.Tensor)
            # Not parametrize.remove_parametrizations: it changes the class that torch
            # made for the layer, which the copied layer and its original share.
            original = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            module.__class__ = original
            module.weight = th.nn.Parameter(weight.detach().clone())
    return plain
