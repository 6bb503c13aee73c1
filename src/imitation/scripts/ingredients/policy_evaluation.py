"""The return of a policy, measured."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import rollout
from imitation.scripts.settings import Presets, Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyEvaluationSettings(Settings):
    """The evaluation of the final policy."""

    prefix = "policy_evaluation."

    named_configs: ClassVar[Presets] = {
        "fast": {"n_episodes_eval": 1},
    }

    n_episodes_eval: int = setting(50, more_than=0)
    """Least number of episodes over which the return is averaged."""


def eval_policy(
    rl_algo: BaseAlgorithm | BasePolicy,
    venv: VecEnv,
    settings: PolicyEvaluationSettings,
    rng: np.random.Generator,
) -> Mapping[str, float]:
    """Evaluates a policy, which samples its actions.

    An algorithm's environment becomes `venv`.
    """
    rollout_venv: VecEnv | None = venv
    if isinstance(rl_algo, BaseAlgorithm):
        rl_algo.set_env(venv)
        # The algorithm may transpose images; its policy expects that.
        rollout_venv = rl_algo.get_env()
    assert rollout_venv is not None
    trajectories = rollout.generate_trajectories(
        rl_algo,
        rollout_venv,
        rollout.make_min_episodes(settings.n_episodes_eval),
        rng,
    )
    return rollout.rollout_stats(trajectories)
