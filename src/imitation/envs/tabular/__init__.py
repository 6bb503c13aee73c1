"""Environments with finitely many states and known dynamics, given as arrays."""

from imitation.envs.tabular.env import ExposeState, TabularEnv
from imitation.envs.tabular.files import load_mdp, random_mdp, save_mdp
from imitation.envs.tabular.model import TabularArrays

__all__ = [
    "ExposeState",
    "TabularArrays",
    "TabularEnv",
    "load_mdp",
    "random_mdp",
    "save_mdp",
]
