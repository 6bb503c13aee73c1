"""Acting with a simple policy at the cost of its layers; see ``util.plain_policies``.

The actions are those that ``predict`` would return, from the same random numbers.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy

from imitation.errors import DataError
from imitation.util.plain_policies import plain_network
from imitation.util.tensors import safe_to_tensor

__all__ = ["quick_actor"]

Array = npt.NDArray[Any]
Actor = Callable[[Array], Array]


def quick_actor(policy: BasePolicy, deterministic: bool) -> Actor | None:
    """Returns a quick version of ``policy.predict`` if there is one.

    It reads the weights in place, so the policy may be trained meanwhile, but must stay
    on its device.

    Args:
        policy: any policy.
        deterministic: asks for the most likely action.

    Returns:
        A function from observations of shape ``(n_envs, *observation_shape)`` to
        actions of shape ``(n_envs, *action_shape)``; None where there is no
        ``plain_network``. The function raises a DataError where ``predict`` would
        raise a ValueError: if logits or means are not finite.
    """
    network = plain_network(policy, gradients=False)
    if network is None:
        return None
    device, space = policy.device, policy.action_space
    on_cpu = device.type == "cpu"
    log_std: Any = getattr(policy, "log_std", None)  # of continuous actions

    def act(obs: Array) -> Array:
        inputs = safe_to_tensor(obs)
        output = network(inputs if on_cpu else inputs.to(device))
        if not math.isfinite(output.sum().item()):
            raise DataError(
                "the policy's output is not finite: its weights have diverged, or "
                f"the observations hold NaN ({np.isnan(obs).sum()} values)."
            )
        if isinstance(space, spaces.Discrete):
            category: Array = _category(output, deterministic).cpu().numpy()
            return category
        if not deterministic:
            output = output + th.randn_like(output) * log_std.detach().exp()
        assert isinstance(space, spaces.Box)
        acts: Array = output.cpu().numpy().reshape(-1, *space.shape)
        return np.clip(acts, space.low, space.high)

    return act


def _category(logits: th.Tensor, deterministic: bool) -> th.Tensor:
    """One category per row, shape (n_envs,)."""
    if deterministic:
        return th.argmax(logits, dim=1)
    # An exponential race: the category of rate p is first with probability p. It is
    # how torch.multinomial draws one sample, less its checks of the probabilities.
    probs = th.softmax(logits, dim=1)
    return th.argmax(probs / th.empty_like(probs).exponential_(), dim=1)
