"""Environments with finitely many states and known dynamics."""

from imitation.envs.tabular.model import TabularArrays

__all__ = ["TabularArrays"]
