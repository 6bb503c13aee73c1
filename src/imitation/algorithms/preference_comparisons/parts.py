"""The base of the parts of a training on preferences: a logger, and a state."""

import numpy as np

from imitation.errors import ConfigError
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.artifacts import State


class Part:
    """A part that logs, and whose state goes into checkpoints.

    Args:
        custom_logger: where to log to; None creates a new logger.

    Attributes:
        rng: decides whatever is random; None if nothing is.
    """

    rng: np.random.Generator | None = None

    def __init__(
        self, custom_logger: imit_logger.HierarchicalLogger | None = None
    ) -> None:
        self.logger = custom_logger or imit_logger.configure()

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """The logger of the part and of all that it consists of."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        self.pass_logger_on(value)

    def pass_logger_on(self, logger: imit_logger.HierarchicalLogger) -> None:
        """Hands a new logger to whatever else logs; by default, to nothing."""

    def state_dict(self) -> State:
        """Returns what a part with the same arguments needs to go on alike.

        Asking changes nothing. By default, it is the state of `rng`.
        """
        return {"rng": None if self.rng is None else seeding.rng_state(self.rng)}

    def load_state_dict(self, state: State) -> None:
        """Restores what `state_dict` returned; it may fail half way."""
        if self.rng is not None and state["rng"] is not None:
            seeding.restore_rng(self.rng, state["rng"])


def check_positive(**values: float) -> None:
    """Raises a `ConfigError` that names the first number that is not positive."""
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive, got {value}")


def check_within(high: float, **values: float) -> None:
    """Raises a `ConfigError` that names the first number outside [0, high]."""
    for name, value in values.items():
        if not 0 <= value <= high:
            bounds = f"lie in [0, {high:g}]" if high < np.inf else "not be negative"
            raise ConfigError(f"{name} must {bounds}, got {value}")
