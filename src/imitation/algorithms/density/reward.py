"""The reward of density-based imitation: how likely demonstrations are to hold a step.

Saved as a directory of ``density.json`` (settings and spaces) and
``density.safetensors`` (the demonstrations as vectors); no pickle.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from imitation.algorithms.density.estimators import (
    DensityEstimate,
    DensityOptions,
    make_estimate,
)
from imitation.algorithms.density.features import DensityType, TransitionFeatures
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.util import artifacts
from imitation.util.paths import AnyPath
from imitation.util.spaces import space_from_json, space_to_json

__all__ = ["DensityReward", "Samples"]

Array = npt.NDArray[Any]

Samples = Mapping[int | None, Array]
"""Features of demonstrations, each ``(N, F)``: by time step, or all under None."""

FORMAT_VERSION = 1
_STATIONARY = "all"


class DensityReward:
    """Log densities of transitions under a model of the demonstrations.

    Args:
        features: maps transitions to the vectors that the density is of.
        samples: those of the demonstrations; by time step for a model that is not
            stationary.
        options: how the density is estimated.

    Raises:
        DataError: there are no samples.
    """

    def __init__(
        self, features: TransitionFeatures, samples: Samples, options: DensityOptions
    ) -> None:
        if not samples:
            raise DataError(
                "there are no demonstrations: pass some, or call set_demonstrations()"
            )
        self.features = features
        self.samples = dict(samples)
        self.options = options
        self._mean, self._scale = _moments(
            list(self.samples.values()), options.standardise_inputs
        )
        self._estimates: dict[int | None, DensityEstimate] = {
            time: make_estimate(self._standardised(part), options)
            for time, part in self.samples.items()
        }

    @property
    def is_stationary(self) -> bool:
        """Whether one density is shared by all time steps."""
        return None in self._estimates

    def __call__(
        self,
        state: Any,
        action: Any,
        next_state: Any,
        done: Any,
        steps: Array | None = None,
    ) -> npt.NDArray[np.float32]:
        """Computes the log density of each of a batch of ``B`` transitions.

        Args:
            state: observations, shape ``(B, *observation_shape)``.
            action: actions, shape ``(B, *action_shape)``.
            next_state: observations after the actions.
            done: ignored.
            steps: when in its episode each transition happened, counted from 0, shape
                ``(B,)``, integers. Needed unless the model is stationary.

        Returns:
            Rewards, shape ``(B,)``, float32; −∞ where the density is zero.

        Raises:
            ValueError: `steps` is needed and None, or beyond the demonstrations.
            DataError: a part does not fit its space.
        """
        del done
        inputs = self._standardised(self.features(state, action, next_state))
        if self.is_stationary:
            return self._at(None, inputs)
        if steps is None:
            raise DataError("steps must be provided with non-stationary models")
        steps = np.asarray(steps)
        if steps.shape != (len(inputs),):
            raise DataError(
                f"steps must have the shape ({len(inputs)},), one for each "
                f"transition, got {steps.shape}"
            )
        rewards = np.empty(len(inputs), dtype=np.float32)
        for time in np.unique(steps).tolist():
            rows = steps == time
            rewards[rows] = self._at(time, inputs[rows])
        return rewards

    def save(self, path: AnyPath) -> None:
        """Saves the reward as a directory, atomically.

        Args:
            path: the directory; an older one there is replaced.
        """
        features = self.features
        document = {
            "format_version": FORMAT_VERSION,
            "density_type": features.density_type.name,
            "options": dataclasses.asdict(self.options),
            "observation_space": space_to_json(features.observation_space),
            "action_space": space_to_json(features.action_space),
        }
        with artifacts.replacing_directory(path) as directory:
            artifacts.write_json(directory / "density.json", document)
            tensors = {_name(time): part for time, part in self.samples.items()}
            artifacts.write_tensors(directory / "density.safetensors", tensors)

    @classmethod
    def load(cls, path: AnyPath) -> "DensityReward":
        """Loads a reward that `save` wrote; its scores are the same bit for bit.

        Args:
            path: the directory.

        Raises:
            ArtifactError: there is none, or another kind or version.
        """
        directory = pathlib.Path(os.fsdecode(path))
        document = artifacts.read_json(directory / "density.json")
        tensors = artifacts.read_tensors(directory / "density.safetensors")
        try:
            if document["format_version"] != FORMAT_VERSION:
                raise ConfigError(f"its format is {document['format_version']}")
            features = TransitionFeatures(
                DensityType[document["density_type"]],
                _space(document["observation_space"]),
                _space(document["action_space"]),
            )
            options = DensityOptions(**document["options"])
            samples = {_time(name): part.numpy() for name, part in tensors.items()}
            return cls(features, samples, options)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{directory} does not hold a density: {error}"
            ) from error

    def _standardised(self, features: Array) -> Array:
        """Features with mean 0 and variance 1 over the demonstrations, if wanted.

        As in scikit-learn, with the precision of the data.
        """
        if not np.issubdtype(features.dtype, np.floating):
            features = features.astype(np.float64)
        if self._mean is None or self._scale is None:
            return features
        mean, scale = (x.astype(features.dtype) for x in (self._mean, self._scale))
        standardised: Array = (features - mean) / scale
        return standardised

    def _at(self, time: int | None, inputs: Array) -> npt.NDArray[np.float32]:
        """Rewards of one time step."""
        if time not in self._estimates:
            raise DataError(
                f"Time {time} out of range (0, {len(self._estimates)}], and absorbing "
                "states not currently supported"
            )
        scores = self._estimates[time].log_density(inputs)
        rewards: npt.NDArray[np.float32] = scores.astype(np.float32)
        return rewards


def _moments(parts: list[Array], wanted: bool) -> tuple[Array | None, Array | None]:
    """Mean and standard deviation of each feature; 1 for one that is constant."""
    if not wanted:
        return None, None
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.concatenate(parts))
    return scaler.mean_, scaler.scale_


def _space(description: Mapping[str, Any]) -> gym.Space[Any]:
    return space_from_json(description)


def _name(time: int | None) -> str:
    return _STATIONARY if time is None else str(time)


def _time(name: str) -> int | None:
    return None if name == _STATIONARY else int(name)
