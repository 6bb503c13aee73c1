"""The one thing every reward can do: rate a batch of transitions."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["RewardFn"]


class RewardFn(Protocol):
    """A reward of transitions, as a function of arrays."""

    def __call__(
        self,
        state: npt.NDArray[Any],
        action: npt.NDArray[Any],
        next_state: npt.NDArray[Any],
        done: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.floating[Any]]:
        """Rates a batch of ``B`` transitions.

        Args:
            state: observations acted on, shape ``(B, *observation_shape)``.
            action: actions, shape ``(B, *action_shape)``.
            next_state: observations after the actions, shaped like `state`.
            done: whether the episode ended there, shape ``(B,)``.

        Returns:
            Rewards, shape ``(B,)``.
        """
