"""Command lines without Sacred: a parser whose errors are one line."""

import argparse
from typing import NoReturn

from imitation.errors import ConfigError

__all__ = ["OneLineParser"]


class OneLineParser(argparse.ArgumentParser):
    """Raises a `ConfigError` where argparse would print the usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raises the error.

        Args:
            message: what is wrong with the arguments.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{message}; {self.prog} --help lists the options")
