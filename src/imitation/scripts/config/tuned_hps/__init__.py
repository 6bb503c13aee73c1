"""Presets that were tuned, one JSON file each: ``<algorithm>_seals_<environment>``."""

import importlib.resources
import json

from imitation.scripts.settings import Config

__all__ = ["tuned_presets"]

_ENVIRONMENTS = ("ant", "half_cheetah", "hopper", "swimmer", "walker")


def tuned_presets(*algorithms: str) -> dict[str, Config]:
    """Reads the tuned presets of some algorithms.

    Returns:
        The updates of each preset, by its name.
    """
    folder = importlib.resources.files(__name__)
    names = [
        f"{algorithm}_seals_{environment}"
        for algorithm in algorithms
        for environment in _ENVIRONMENTS
    ]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}
