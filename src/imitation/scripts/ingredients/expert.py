"""An expert policy, bundled, from the model hub, from disk or none at all.

Policy types: ``ppo`` and ``sac`` load a Stable-Baselines3 model from
``loader_kwargs.path``; ``ppo-huggingface`` and ``sac-huggingface`` load
``<organization>/<algo>-<env_name>`` from the model hub, or the bundled expert of that
name when the hub does not answer; ``bundled`` is the bundled expert, whether it answers
or not; ``soft-optimal`` is planned, where the dynamics of the environment are known;
``random`` and ``zero`` need nothing.
"""

import dataclasses
import os

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError
from imitation.policies import serialize
from imitation.scripts.settings import Config, Settings, building, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpertSettings(Settings):
    """The expert that acts."""

    prefix = "expert."

    policy_type: str = setting("ppo-huggingface")
    """Key of the policy registry: ppo, sac, ppo-huggingface, bundled, soft-optimal,
    random, zero, ..."""

    loader_kwargs: Config = setting({})
    """Arguments of the loader, such as path; organization and env_name have defaults
    for the model hub."""

    def resolved(self, env_name: str) -> "ExpertSettings":
        """Fills in where the model hub keeps the expert of an environment."""
        if not self.policy_type.endswith("-huggingface"):
            return self
        defaults = {"organization": "HumanCompatibleAI", "env_name": env_name}
        return dataclasses.replace(
            self, loader_kwargs={**defaults, **self.loader_kwargs}
        )

    def check(self) -> None:
        """Raises a ConfigError unless the policy type and path exist."""
        known = sorted(serialize.policy_registry.keys())
        if self.policy_type not in known:
            raise ConfigError(
                f"expert.policy_type={self.policy_type!r} is not registered; "
                f"known are {', '.join(known)}"
            )
        path = self.loader_kwargs.get("path")
        if self.policy_type in ("ppo", "sac") and path is None:
            raise ConfigError(
                f"expert.policy_type={self.policy_type!r} loads a saved model; "
                "set expert.loader_kwargs.path"
            )
        if path is not None and not os.path.exists(str(path)):
            raise ConfigError(f"expert.loader_kwargs.path={path!r} does not exist")


def get_expert_policy(venv: VecEnv, settings: ExpertSettings) -> BasePolicy:
    """Loads the expert."""
    what = f"expert.policy_type={settings.policy_type} with expert.loader_kwargs"
    with building(what):
        return serialize.load_policy(
            settings.policy_type, venv, **settings.loader_kwargs
        )


def soft_optimal(venv: VecEnv, discount: float = 1.0) -> BasePolicy:
    """Plans the soft-optimal policy of a tabular environment."""
    # Imported here: other experts need no planning.
    from imitation.algorithms.mce_irl.policy import soft_optimal_expert

    return soft_optimal_expert(venv, discount)


# Registered here, as policies cannot import the planning above them.
serialize.policy_registry.register("soft-optimal", soft_optimal)
