"""The state of a Stable-Baselines3 algorithm and of all it draws from, to resume it.

A trainer of such an algorithm restarts episodes when it is saved and when it is loaded,
see `trainer`; `restart_episodes` does so for the algorithm.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import tree
from imitation.training.sb3_learning import optimizers_of
from imitation.util import optimizers, seeding
from imitation.util.artifacts import State

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


def restart_episodes(algo: BaseAlgorithm, venv: VecEnv, seed: int) -> None:
    """Starts new episodes from a seed.

    Args:
        algo: the algorithm.
        venv: the environments beneath it.
        seed: their seed.
    """
    # `seed` takes effect at the next reset, in SB3's vector environments.
    venv.seed(seed)
    algo._last_obs = None  # makes the next `learn` reset the environments
    if isinstance(algo, OffPolicyAlgorithm) and algo.action_noise is not None:
        algo.action_noise.reset()


def learned_state(algo: BaseAlgorithm) -> State:
    """Collects what decides an algorithm's actions and how it would learn on.

    Args:
        algo: on- or off-policy.

    Returns:
        A state that `checkpoint.save_state` takes, without experience and counters.
    """
    # Variables are tensors beside the policy, such as the log of SAC's entropy weight.
    _, variables = algo._get_torch_save_params()
    return {
        "parameters": algo.get_parameters(),
        "variables": {name: _get(algo, name).detach() for name in variables},
        "normalization": [
            {name: getattr(moments, name) for name in MOMENTS}
            for moments in _normalization(algo)
        ],
    }


def load_learned_state(algo: BaseAlgorithm, state: State) -> None:
    """Restores what `learned_state` returned, of an algorithm of the same arguments.

    Args:
        algo: what to change.
        state: may hold more.

    Raises:
        KeyError: something is missing from the state.
        ValueError: it is of an algorithm of another shape.
    """
    algo.set_parameters(state["parameters"], exact_match=True, device=algo.device)
    for optimizer in optimizers_of(algo):
        optimizers.check_state(optimizer)
    for name in algo._get_torch_save_params()[1]:
        tensor = _get(algo, name).data
        _check_shape(name, state["variables"][name], tensor.shape)
        tensor.copy_(state["variables"][name])
    own = _normalization(algo)
    for moments, saved in zip(own, state["normalization"], strict=True):
        for name in MOMENTS:
            _check_shape(name, saved[name], np.shape(getattr(moments, name)))
            setattr(moments, name, saved[name])


def algorithm_state(algo: BaseAlgorithm) -> State:
    """Collects what an algorithm has learned and recorded.

    Args:
        algo: on- or off-policy; the latter with its replay buffer.

    Returns:
        A state that `checkpoint.save_state` takes.
    """
    state = learned_state(algo) | {
        "counters": {name: getattr(algo, name, 0) for name in COUNTERS},
        "progress": algo._current_progress_remaining,
    }
    if isinstance(algo, OffPolicyAlgorithm):
        replay = algo.replay_buffer
        assert replay is not None
        # The rest of the arrays was never written: np.empty or zeros.
        filled = len(replay.rewards) if replay.full else replay.pos
        state["replay"] = {
            "pos": replay.pos,
            "full": replay.full,
            **{
                name: tree.take(getattr(replay, name), slice(filled))
                for name in REPLAY_ARRAYS
                if hasattr(replay, name)
            },
        }
    return state


def load_algorithm_state(algo: BaseAlgorithm, state: State) -> None:
    """Restores the state of an algorithm that was created with the same arguments.

    Args:
        algo: what to change.
        state: what `algorithm_state` returned.

    Raises:
        KeyError: something is missing from the state.
        ValueError: it is of an algorithm of another shape.
    """
    load_learned_state(algo, state)
    for name in COUNTERS:
        if hasattr(algo, name):
            number = type(getattr(algo, name))
            setattr(algo, name, number(state["counters"][name]))
    # Schedules read it; SB3 sets it only while it collects.
    algo._current_progress_remaining = float(state["progress"])
    if isinstance(algo, OffPolicyAlgorithm):
        replay: Any = algo.replay_buffer
        saved = state["replay"]
        pos, full = int(saved["pos"]), bool(saved["full"])
        size = len(replay.rewards)
        if not 0 <= pos < size:
            raise ValueError(f"the replay buffer has no position {pos}")
        filled = size if full else pos
        for name in REPLAY_ARRAYS:
            if hasattr(replay, name):
                target = tree.take(getattr(replay, name), slice(filled))
                # NumPy would repeat the steps of one environment for all others.
                for into, part in tree.zip_leaves(target, saved[name]):
                    _check_shape(name, part, into.shape)
                tree.assign(target, slice(None), saved[name])
        replay.pos, replay.full = pos, full


def _check_shape(name: str, value: object, shape: tuple[int, ...]) -> None:
    if np.shape(cast(npt.ArrayLike, value)) != tuple(shape):
        raise ValueError(
            f"{name} of the state has the shape {np.shape(cast(npt.ArrayLike, value))}"
            f", expected {tuple(shape)}"
        )


def _normalization(algo: BaseAlgorithm) -> list[RunningMeanStd]:
    """The statistics of a `VecNormalize` around or below the environments."""
    # The reward's statistics count even if rewards are not normalized at the moment.
    normalizer = algo.get_vec_normalize_env()
    if normalizer is None:
        return []
    found = [normalizer.ret_rms]
    if normalizer.norm_obs:
        obs_rms = normalizer.obs_rms
        found += obs_rms.values() if isinstance(obs_rms, dict) else [obs_rms]
    return found


def random_state(algo: BaseAlgorithm) -> State:
    """Collects the state of every generator that an algorithm draws from.

    Stable-Baselines3 uses the global ones.
    """
    # Off-policy algorithms draw warm-up actions from the action space's own generator.
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": seeding.torch_rng_state(algo.device),
        "numpy": [kind, np.asarray(keys), position, has_gauss, cached],
        "actions": seeding.rng_state(algo.action_space.np_random),
    }


def restore_random_state(algo: BaseAlgorithm, state: State) -> None:
    """Restores what `random_state` returned."""
    seeding.restore_torch_rng(state["torch"], algo.device)
    np.random.set_state(tuple(state["numpy"]))
    seeding.restore_rng(algo.action_space.np_random, state["actions"])


def _get(algo: BaseAlgorithm, path: str) -> th.Tensor:
    value: Any = algo
    for name in path.split("."):
        value = getattr(value, name)
    assert isinstance(value, th.Tensor)
    return value
