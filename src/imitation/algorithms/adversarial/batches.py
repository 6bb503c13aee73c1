"""Batches for the discriminator: as many expert as generator transitions."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch as th

from imitation.data import types
from imitation.errors import DataError
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.util import tensors

__all__ = ["FIELDS", "DiscriminatorBatch", "check_sizes", "join", "prepare"]

FIELDS = ("obs", "acts", "next_obs", "dones")
"""What the discriminator may look at."""


@dataclasses.dataclass(frozen=True)
class DiscriminatorBatch:
    """Preprocessed transitions, the expert's first, then as many of the generator."""

    state: TensorObs
    """``(2n, ...)``, or a dictionary of such tensors."""
    action: th.Tensor
    """``(2n, ...)``; discrete ones one-hot."""
    next_state: TensorObs
    """Like `state`."""
    done: th.Tensor
    """``(2n,)``, 1 where an episode ended."""
    labels: th.Tensor
    """``(2n,)``, 1 for the expert."""
    log_policy_act_prob: th.Tensor | None
    """log π(a|s) of the generator, ``(2n,)``; only for AIRL."""

    def __len__(self) -> int:
        """The number of rows, 2n."""
        return len(self.labels)

    def minibatches(self, size: int) -> Iterator["DiscriminatorBatch"]:
        """Cuts the batch into parts of `size` expert and `size` generator rows."""
        half = len(self) // 2
        if size == half:
            yield self
            return
        for low in range(0, half, size):
            yield self.map(
                lambda part, low=low: th.cat(
                    [part[low : low + size], part[half + low : half + low + size]]
                )
            )

    def map(self, function: Any) -> "DiscriminatorBatch":
        """Applies a function to each tensor."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return DiscriminatorBatch(**{k: _map(function, v) for k, v in fields.items()})

    def float_inputs(self) -> list[th.Tensor]:
        """The tensors a penalty may differentiate by."""
        parts: list[th.Tensor] = []
        for value in (self.state, self.action, self.next_state):
            parts += value.values() if isinstance(value, dict) else [value]
        return [part for part in parts if part.is_floating_point()]


def join(expert: Mapping[str, Any], generated: Mapping[str, Any]) -> dict[str, Any]:
    """Joins expert and generator samples, the expert's first.

    Args:
        expert: arrays or tensors by the names in `FIELDS`.
        generated: the same for the generator.

    Returns:
        Tensors (dictionaries of them for such observations), not preprocessed.
    """
    unwrap = types.maybe_unwrap_dictobs
    return {key: _join(unwrap(expert[key]), unwrap(generated[key])) for key in FIELDS}


def prepare(
    reward_net: RewardNet,
    samples: Mapping[str, Any],
    log_policy_act_prob: th.Tensor | None,
) -> DiscriminatorBatch:
    """Preprocesses joined samples in one call.

    Args:
        reward_net: preprocesses them, to its device.
        samples: what `join` returned.
        log_policy_act_prob: log π(a|s) of them.
    """
    state, action, next_state, done = reward_net.preprocess(
        *(samples[key] for key in FIELDS)
    )
    labels = th.zeros_like(done)
    labels[: len(done) // 2] = 1
    if log_policy_act_prob is not None:
        log_policy_act_prob = log_policy_act_prob.to(done.device)
    return DiscriminatorBatch(
        state=state,
        action=action,
        next_state=next_state,
        done=done,
        labels=labels,
        log_policy_act_prob=log_policy_act_prob,
    )


def check_sizes(
    expert: Mapping[str, Any], generated: Mapping[str, Any], batch_size: int
) -> None:
    """Checks keys and sizes of samples that a caller may have made.

    Raises:
        ValueError: a key is missing or a half has another size than `batch_size`.
    """
    for name, samples in (("expert_samples", expert), ("gen_samples", generated)):
        missing = [key for key in FIELDS if key not in samples]
        if missing:
            raise DataError(f"{name} lack {missing}: expected arrays of {FIELDS}")
    n_expert, n_gen = _length(expert["obs"]), _length(generated["obs"])
    if n_expert != batch_size or n_gen != batch_size:
        raise DataError(
            "Need to have exactly self.demo_batch_size samples of each kind, got "
            f"n_gen={n_gen} n_expert={n_expert} demo_batch_size={batch_size}"
        )
    for name, samples in (("expert_samples", expert), ("gen_samples", generated)):
        lengths = {key: _length(samples[key]) for key in FIELDS}
        if set(lengths.values()) != {batch_size}:
            raise DataError(f"{name} have parts of different lengths: {lengths}")


def _join(expert: Any, generated: Any) -> Any:
    if isinstance(generated, Mapping):
        return {key: _join(expert[key], part) for key, part in generated.items()}
    one, other = tensors.safe_to_tensor(expert), tensors.safe_to_tensor(generated)
    return th.cat([one.to(other.device), other])


def _map(function: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: function(part) for key, part in value.items()}
    return function(value)


def _length(value: Any) -> int:
    if isinstance(value, Mapping):
        return len(next(iter(value.values())))
    return len(value)
