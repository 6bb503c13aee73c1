"""Held-out demonstrations: splitting, measuring, and early stopping."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms import base
from imitation.algorithms.bc.losses import BehaviorCloningLossCalculator, policy_inputs
from imitation.data import loader, types
from imitation.errors import ConfigError, DataError
from imitation.util import networks
from imitation.util.artifacts import State

# Parts of the loss that are logged for held-out data.
MEASURED = ("neglogp", "prob_true_act", "loss")


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Early stopping, judged by the negative log-likelihood of held-out data.

    Raises:
        ValueError: a value is out of range.
    """

    patience: int = 5
    """Stop after so many epochs in a row without improvement, ≥ 1."""

    min_delta: float = 0.0
    """An improvement is a decrease by more than this, in nats, ≥ 0."""

    restore_best: bool = True
    """End with the weights that did best instead of the last ones."""

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ConfigError(f"patience must be at least 1, got {self.patience}")
        if not self.min_delta >= 0:
            raise ConfigError(f"min_delta must not be negative, got {self.min_delta}")


class Validator:
    """Measures a policy on held-out data after each epoch and remembers the best.

    Args:
        held_out: data the policy is not trained on.
        loss_calculator: the training objective.
    """

    def __init__(
        self,
        held_out: types.TransitionsMinimal,
        loss_calculator: BehaviorCloningLossCalculator,
    ) -> None:
        self._loader = loader.BatchLoader(
            held_out,
            loader.samples_at_a_time(held_out, ("obs", "acts")),
            # No randomness: measuring must not change what training draws.
            shuffle=False,
            drop_last=False,
            keys=("obs", "acts"),
        )
        self._loss = loss_calculator
        self.reset()

    def reset(self) -> None:
        """Forgets the best, for a new call of `train`."""
        self.best_neglogp = float("inf")
        self.best_weights: dict[str, th.Tensor] | None = None
        self.epochs_since_best = 0

    def measure(self, policy: ActorCriticPolicy) -> dict[str, float]:
        """Returns the mean of each measure over the held-out data."""
        total = dict.fromkeys(MEASURED, 0.0)
        with networks.evaluating(policy), th.no_grad():
            for batch in self._loader:
                obs, acts = policy_inputs(policy, batch["obs"], batch["acts"])
                parts = self._loss(policy, obs, acts)
                for key in total:
                    total[key] += float(getattr(parts, key)) * len(acts)
        return {key: value / self._loader.n_samples for key, value in total.items()}

    def update(
        self, policy: ActorCriticPolicy, min_delta: float = 0.0
    ) -> tuple[dict[str, float], bool]:
        """Measures a policy and keeps a copy of its weights if it is the best so far.

        Args:
            policy: the policy after an epoch.
            min_delta: how much better counts as better, in nats.

        Returns:
            The measures, and whether this is the best so far.
        """
        metrics = self.measure(policy)
        improved = metrics["neglogp"] < self.best_neglogp - min_delta
        if improved:
            self.best_neglogp = metrics["neglogp"]
            self.best_weights = {
                key: value.detach().clone()
                for key, value in policy.state_dict().items()
            }
            self.epochs_since_best = 0
        else:
            self.epochs_since_best += 1
        return metrics, improved

    def restore_best(self, policy: ActorCriticPolicy) -> None:
        """Restores the best weights seen to the policy."""
        if self.best_weights is not None:
            policy.load_state_dict(self.best_weights)

    def state_dict(self) -> State:
        """Returns the best so far."""
        return {
            "best_neglogp": self.best_neglogp,
            "best_weights": self.best_weights,
            "epochs_since_best": self.epochs_since_best,
        }

    def load_state_dict(self, state: State) -> None:
        """Restores what `state_dict` returned."""
        self.best_neglogp = state["best_neglogp"]
        self.best_weights = state["best_weights"]
        self.epochs_since_best = state["epochs_since_best"]


def split_demonstrations(
    demonstrations: base.AnyTransitions, fraction: float, rng: np.random.Generator
) -> tuple[types.TransitionsMinimal, types.TransitionsMinimal]:
    """Splits demonstrations into training and held-out data.

    Whole trajectories are held out where there are trajectories, because neighboring
    transitions are too alike to measure generalization.

    Args:
        demonstrations: trajectories or transitions.
        fraction: the share to hold out, in (0, 1).
        rng: decides which.

    Returns:
        Training data and held-out data, each with at least one entry.

    Raises:
        ValueError: there are fewer than two entries, or they come as batches.
    """
    items: Any = demonstrations
    if not isinstance(items, types.TransitionsMinimal):
        items = list(items) if isinstance(items, Iterable) else items
        if not items or not all(isinstance(t, types.Trajectory) for t in items):
            raise DataError(
                "a validation split needs trajectories or transitions, got batches; "
                "pass the data itself, or val_fraction=0"
            )
    if len(items) < 2:
        raise DataError(
            f"val_fraction={fraction} needs at least 2 entries to split, got "
            f"{len(items)}; use more demonstrations or val_fraction=0"
        )
    # At least one entry on either side, however extreme the fraction.
    order = rng.permutation(len(items))
    n_held_out = min(max(1, round(fraction * len(items))), len(items) - 1)
    # Sorted, so that the data keep their order: the loader shuffles them anyway.
    held_out, training = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    return _pick(items, training), _pick(items, held_out)


def _pick(items: Any, where: np.ndarray) -> types.TransitionsMinimal:
    if isinstance(items, types.TransitionsMinimal):
        return items[where]
    flat = base.transitions_of([items[i] for i in where], pairs_only=True)
    assert isinstance(flat, types.TransitionsMinimal)
    return flat
