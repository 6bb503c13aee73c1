"""What a checkpoint has to know of the parts of a training."""

import numpy as np

from imitation.util import seeding
from imitation.util.artifacts import State

__all__ = ["Stateful"]


class Stateful:
    """A part whose state goes into checkpoints: that of its `rng`, unless overridden.

    Attributes:
        rng: decides whatever is random; None if nothing is.
    """

    rng: np.random.Generator | None = None

    def state_dict(self) -> State:
        """What a part made with the same arguments needs to go on alike."""
        return {"rng": None if self.rng is None else seeding.rng_state(self.rng)}

    def load_state_dict(self, state: State) -> None:
        """Puts back what `state_dict` returned."""
        if self.rng is not None and state["rng"] is not None:
            seeding.restore_rng(self.rng, state["rng"])
