"""Policies that are not learned: bases, experts, people; and measuring policies."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imitation.policies.evaluate import evaluate as evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> ModuleType:
    if name == "evaluate":
        # Imported when asked for: it needs Stable-Baselines3, this package does not.
        return importlib.import_module("imitation.policies.evaluate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
