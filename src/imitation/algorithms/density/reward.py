"""The reward of density-based imitation: the log density of a step in demonstrations.

Saved as a directory of ``density.json`` (settings and spaces) and
``density.safetensors`` (the demonstrations as vectors); no pickle.
"""

import dataclasses
import os
import pathlib

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from typing_extensions import override

from imitation.algorithms.density.estimators import (
    DensityEstimate,
    DensityOptions,
    make_estimate,
)
from imitation.algorithms.density.features import (
    DensityType,
    Samples,
    TransitionFeatures,
)
from imitation.data import tree
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.util import artifacts
from imitation.util.paths import AnyPath
from imitation.util.spaces import space_from_json, space_to_json

FORMAT_VERSION = 1
_STATIONARY = "all"


class DensityReward:
    """Log densities of transitions under a model of the demonstrations.

    Args:
        features: maps transitions to the vectors that the density is of.
        samples: those of the demonstrations; by time step for a model that is not
            stationary.
        options: the kind of estimate.

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
        self._mean = self._scale = None
        if options.standardise_inputs:
            from sklearn.preprocessing import StandardScaler

            # Over all time steps; a feature that is constant gets the scale 1.
            scaler = StandardScaler().fit(np.concatenate(list(self.samples.values())))
            self._mean, self._scale = scaler.mean_, scaler.scale_
        self._estimates: dict[int | None, DensityEstimate] = {
            time: make_estimate(self._standardized(part), options)
            for time, part in self.samples.items()
        }

    @property
    def is_stationary(self) -> bool:
        """True if all time steps share one density."""
        return None in self._estimates

    def __call__(
        self,
        state: tree.Tree,
        action: tree.ArrayOrTensor,
        next_state: tree.Tree | None,
        done: tree.ArrayOrTensor,
        steps: np.ndarray | None = None,
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
        inputs = self._standardized(self.features(state, action, next_state))
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
        # Times are few, at most the horizon; each has one density for all its rows.
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
            tensors = {
                _STATIONARY if time is None else str(time): part
                for time, part in self.samples.items()
            }
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
                space_from_json(document["observation_space"]),
                space_from_json(document["action_space"]),
            )
            options = DensityOptions(**document["options"])
            samples = {
                None if name == _STATIONARY else int(name): part.numpy()
                for name, part in tensors.items()
            }
            return cls(features, samples, options)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{directory} does not hold a density: {error}"
            ) from error

    def _standardized(self, features: np.ndarray) -> np.ndarray:
        """Scales features to mean 0 and variance 1 over the demonstrations, if wanted.

        In the precision of the data, as scikit-learn does.
        """
        if not np.issubdtype(features.dtype, np.floating):
            features = features.astype(np.float64)
        if self._mean is None or self._scale is None:
            return features
        mean, scale = (x.astype(features.dtype) for x in (self._mean, self._scale))
        standardized: np.ndarray = (features - mean) / scale
        return standardized

    def _at(self, time: int | None, inputs: np.ndarray) -> npt.NDArray[np.float32]:
        if time not in self._estimates:
            raise DataError(
                f"Time {time} out of range (0, {len(self._estimates)}], and absorbing "
                "states not currently supported"
            )
        scores = self._estimates[time].log_density(inputs)
        # float32 last: differences of log densities far away would be lost before.
        rewards: npt.NDArray[np.float32] = scores.astype(np.float32)
        return rewards


class StepCounter(VecEnvWrapper):
    """Counts the steps of episodes, for rewards that depend on time.

    Args:
        venv: the environments.

    Attributes:
        steps: the number of the last step in the episode that it belongs to, also where
            it ended that; counted from 0, shape ``(n_envs,)``.
    """

    steps: npt.NDArray[np.int64]

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._next = np.zeros(self.num_envs, dtype=np.int64)
        self.steps = self._next

    @override
    def reset(self) -> VecEnvObs:
        self._next = np.zeros(self.num_envs, dtype=np.int64)
        return self.venv.reset()

    @override
    def step_wait(self) -> VecEnvStepReturn:
        obs, rews, dones, infos = self.venv.step_wait()
        self.steps = self._next
        # Vector environments reset by themselves: after an end, the next step is 0.
        self._next = np.where(dones, 0, self.steps + 1)
        return obs, rews, dones, infos
