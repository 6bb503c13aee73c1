"""Imitation and reward learning on Stable-Baselines3."""

__all__ = ["__version__"]

__version__ = "2.0.0"
