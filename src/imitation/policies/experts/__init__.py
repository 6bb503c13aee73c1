"""Trained experts that come with the package, so that everything runs offline.

Each is a policy directory (safetensors and JSON, no pickle) with a card that says how
it was trained and what it scores. `benchmarks/returns/train_experts.py` makes them.
"""

import pathlib

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ArtifactError
from imitation.policies import base
from imitation.util import artifacts, policy_io
from imitation.util.artifacts import JSON

__all__ = [
    "WEIGHTS",
    "available",
    "describe",
    "directory_name",
    "expert_card",
    "is_available",
    "load_expert",
]

WEIGHTS = pathlib.Path(__file__).parent / "weights"
"""Directory of the experts, with one directory per environment."""


def available() -> list[str]:
    """Lists the environments that have a bundled expert, sorted."""
    return sorted(card["env_name"] for card in _cards().values())


def is_available(env_name: str) -> bool:
    """Returns whether there is a bundled expert, for any spelling of the name."""
    return directory_name(env_name) in _cards()


def describe() -> str:
    """Lists the bundled experts and ways to get others, for errors."""
    return (
        f"bundled experts exist for {', '.join(available())}; train others with "
        "`imitation train_rl` and load them with policy type ppo and their path"
    )


def directory_name(env_name: str) -> str:
    """Turns an environment's name into one that files and repositories can have.

    Args:
        env_name: `seals/CartPole-v0`, `seals:seals/CartPole-v0` (with the module to
            import first) or already `seals-CartPole-v0`.

    Returns:
        `seals-CartPole-v0`.
    """
    return env_name.rpartition(":")[2].replace("/", "-")


def load_expert(
    env_name: str,
    venv: VecEnv | None = None,
    device: str = "cpu",
) -> BasePolicy:
    """Loads the bundled expert for an environment.

    Args:
        env_name: in any spelling that `directory_name` understands.
        venv: environments the expert's spaces have to fit; None checks nothing.
        device: device of the policy.

    Returns:
        The policy, in evaluation mode.

    Raises:
        ArtifactError: there is no bundled expert for this environment.
        ValueError: the environments have other spaces.
    """
    name = directory_name(expert_card(env_name)["env_name"])
    policy = policy_io.load_policy(WEIGHTS / name, device)
    if venv is not None:
        base.check_spaces(policy, venv, f"the bundled expert for {env_name}")
    return policy


def expert_card(env_name: str) -> dict[str, JSON]:
    """Reads how an expert was trained and what it scores.

    Args:
        env_name: in any spelling that `directory_name` understands.

    Returns:
        `env_name`, `algorithm`, `command`, `seed`, `steps`, `wall_time_s`, `versions`,
        and `sampled` and `deterministic`, each with `n_episodes`, `return_mean`,
        `return_std` and `return_ci95`, a bootstrap interval of the mean.

    Raises:
        ArtifactError: there is no bundled expert for this environment.
    """
    try:
        return dict(_cards()[directory_name(env_name)])
    except KeyError:
        raise ArtifactError(
            f"no expert for {env_name} is bundled; {describe()}"
        ) from None


def _cards() -> dict[str, dict[str, JSON]]:
    cards = [artifacts.read_json(path) for path in WEIGHTS.glob("*/card.json")]
    return {directory_name(card["env_name"]): card for card in cards}
