"""The whole state of an adversarial training, to continue it as if uninterrupted.

Environments cannot be saved in the middle of an episode. So a trainer that is saved
abandons the episodes in flight and seeds its environments anew, and one that is loaded
does the same with the same seeds: both go on alike.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd

from imitation.errors import ArtifactError
from imitation.util import checkpoint, seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.adversarial.common import AdversarialTrainer

__all__ = ["load", "save"]

COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "_num_timesteps_at_start",
    "exploration_rate",
)
MOMENTS = ("mean", "var", "count")
REPLAY_ARRAYS = (
    "observations",
    "next_observations",
    "actions",
    "rewards",
    "dones",
    "timeouts",
)


def save(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    seed = seeding.make_seeds(trainer.rng)
    state = {
        "kinds": _kinds(trainer),
        "env_seed": seed,
        "trainer": trainer.state_dict(),
        "generator": _generator_state(trainer.gen_algo),
        "randomness": _randomness(trainer),
    }
    checkpoint.save_state(path, "adversarial", state)
    _restart(trainer, seed)


def load(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another algorithm or shape.
    """
    state = checkpoint.load_state(path, "adversarial")
    for name, kind in _kinds(trainer).items():
        saved = state.get("kinds", {}).get(name)
        if saved != kind:
            raise ArtifactError(
                f"{os.fsdecode(path)} is a state with the {name} {saved}, this trainer "
                f"has {kind}; make it with the arguments of the saved one"
            )
    try:
        trainer.load_state_dict(state["trainer"])
        _load_generator(trainer.gen_algo, state["generator"])
        _load_randomness(trainer, state["randomness"])
    except (KeyError, RuntimeError, ValueError) as error:
        lines = str(error).splitlines() or [repr(error)]
        raise ArtifactError(
            f"{os.fsdecode(path)} does not fit this trainer; make it with the "
            f"arguments of the saved one: {lines[-1].strip()}"
        ) from error
    _restart(trainer, int(state["env_seed"]))


def _kinds(trainer: "AdversarialTrainer") -> dict[str, str]:
    """Names of classes whose states are of different kinds, even where they load."""
    return {
        "algorithm": type(trainer).__name__,
        "generator": type(trainer.gen_algo).__name__,
        "discriminator's optimiser": type(trainer._disc_opt).__name__,
    }


def _restart(trainer: "AdversarialTrainer", seed: int) -> None:
    """Begins new episodes from a seed."""
    trainer.venv.seed(seed)
    algo = trainer.gen_algo
    algo._last_obs = None  # makes the next `learn` reset the environments
    if isinstance(algo, OffPolicyAlgorithm) and algo.action_noise is not None:
        algo.action_noise.reset()


def _generator_state(algo: BaseAlgorithm) -> dict[str, Any]:
    _, variables = algo._get_torch_save_params()
    state: dict[str, Any] = {
        "parameters": algo.get_parameters(),
        "variables": {name: _get(algo, name).detach() for name in variables},
        "counters": {name: getattr(algo, name, 0) for name in COUNTERS},
        "progress": algo._current_progress_remaining,
        "normalization": [
            {name: getattr(moments, name) for name in MOMENTS}
            for moments in _normalization(algo)
        ],
    }
    if isinstance(algo, OffPolicyAlgorithm):
        replay = algo.replay_buffer
        assert replay is not None
        filled = len(replay.rewards) if replay.full else replay.pos
        state["replay"] = {
            "pos": replay.pos,
            "full": replay.full,
            **{
                name: _map(lambda part: part[:filled], getattr(replay, name))
                for name in REPLAY_ARRAYS
                if hasattr(replay, name)
            },
        }
    return state


def _load_generator(algo: BaseAlgorithm, state: Mapping[str, Any]) -> None:
    algo.set_parameters(state["parameters"], exact_match=True, device=algo.device)
    for name, value in state["variables"].items():
        _get(algo, name).data.copy_(value)
    for name, value in state["counters"].items():
        if hasattr(algo, name):
            setattr(algo, name, value)
    algo._current_progress_remaining = state["progress"]
    own = _normalization(algo)
    for moments, saved in zip(own, state["normalization"], strict=True):
        for name in MOMENTS:
            setattr(moments, name, saved[name])
    if isinstance(algo, OffPolicyAlgorithm):
        replay: Any = algo.replay_buffer
        for name, value in state["replay"].items():
            if name not in ("pos", "full"):
                _fill(getattr(replay, name), value)
        replay.pos, replay.full = state["replay"]["pos"], state["replay"]["full"]


def _normalization(algo: BaseAlgorithm) -> list[RunningMeanStd]:
    """The statistics of a `VecNormalize` around or below the environments."""
    normalizer = algo.get_vec_normalize_env()
    if normalizer is None:
        return []
    found = [normalizer.ret_rms]
    if normalizer.norm_obs:
        obs_rms = normalizer.obs_rms
        found += obs_rms.values() if isinstance(obs_rms, dict) else [obs_rms]
    return found


def _randomness(trainer: "AdversarialTrainer") -> dict[str, Any]:
    """Every generator that training draws from; Stable-Baselines3 uses global ones."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "trainer": seeding.rng_state(trainer.rng),
        "torch": seeding.torch_rng_state(trainer.gen_algo.device),
        "numpy": [kind, np.asarray(keys), position, has_gauss, cached],
        "actions": seeding.rng_state(trainer.gen_algo.action_space.np_random),
    }


def _load_randomness(trainer: "AdversarialTrainer", state: Mapping[str, Any]) -> None:
    seeding.restore_rng(trainer.rng, state["trainer"])
    seeding.restore_torch_rng(state["torch"], trainer.gen_algo.device)
    np.random.set_state(tuple(state["numpy"]))
    seeding.restore_rng(trainer.gen_algo.action_space.np_random, state["actions"])


def _get(algo: BaseAlgorithm, path: str) -> th.Tensor:
    value: Any = algo
    for name in path.split("."):
        value = getattr(value, name)
    assert isinstance(value, th.Tensor)
    return value


def _map(function: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: function(part) for key, part in value.items()}
    return function(value)


def _fill(array: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            _fill(array[key], part)
    else:
        array[: len(value)] = value
