"""Small adversarial trainers on the tiny environments."""

import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import sb3_contrib
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.adversarial.airl import AIRL
from imitation.algorithms.adversarial.gail import GAIL
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from reference import tiny_envs


class LeastSquaresGAIL(GAIL):
    """Least-squares GAN (Mao et al. 2017, eq. 2 with a = 0 and b = 1)."""

    def disc_loss(self, logits: th.Tensor, labels: th.Tensor) -> th.Tensor:
        return (logits - labels).square().mean()


ALGORITHMS = {"GAIL": GAIL, "AIRL": AIRL, "LeastSquaresGAIL": LeastSquaresGAIL}
ON_POLICY = {
    "PPO": (sb3.PPO, {"n_steps": 16, "batch_size": 16, "n_epochs": 2}),
    "A2C": (sb3.A2C, {"n_steps": 16}),
    "TRPO": (sb3_contrib.TRPO, {"n_steps": 16, "batch_size": 16}),
    "MaskablePPO": (
        sb3_contrib.MaskablePPO,
        {"n_steps": 16, "batch_size": 16, "n_epochs": 2},
    ),
    "RecurrentPPO": (
        sb3_contrib.RecurrentPPO,
        {"n_steps": 16, "batch_size": 16, "n_epochs": 2},
    ),
}
OFF_POLICY_SETTINGS = {
    "buffer_size": 200,
    "batch_size": 16,
    "learning_starts": 10,
    "train_freq": 4,
}
OFF_POLICY = {
    "SAC": (sb3.SAC, OFF_POLICY_SETTINGS),
    "TD3": (sb3.TD3, OFF_POLICY_SETTINGS),
    "DQN": (sb3.DQN, OFF_POLICY_SETTINGS | {"target_update_interval": 20}),
}
POLICIES = {"box": "MlpPolicy", "dict": "MultiInputPolicy", "image": "CnnPolicy"}
RECURRENT = {name: name.replace("Policy", "LstmPolicy") for name in POLICIES.values()}


def make_generator(
    name: str, venv: VecEnv, obs_kind: str = "box", seed: int = 0, **settings: Any
) -> Any:
    """Makes a small Stable-Baselines3 algorithm."""
    cls, defaults = (ON_POLICY | OFF_POLICY)[name]
    policy = POLICIES[obs_kind]
    policy_kwargs: dict[str, Any] = {"net_arch": [8]}
    if name == "RecurrentPPO":
        policy = RECURRENT[policy]
        policy_kwargs["lstm_hidden_size"] = 4
    if obs_kind == "image":
        policy_kwargs["features_extractor_kwargs"] = {"features_dim": 8}
    return cls(
        policy,
        venv,
        seed=seed,
        device="cpu",
        **{"policy_kwargs": policy_kwargs} | defaults | settings,
    )


def make_reward_net(venv: VecEnv, obs_kind: str = "box", **kwargs: Any) -> Any:
    """Makes a small reward network."""
    spaces = venv.observation_space, venv.action_space
    if obs_kind == "image":
        discrete = isinstance(venv.action_space, gym.spaces.Discrete)
        return reward_nets.CnnRewardNet(*spaces, use_action=discrete, hid_channels=(4,))
    return reward_nets.BasicRewardNet(*spaces, **{"hid_sizes": (8,)} | kwargs)


def make_trainer(
    directory: pathlib.Path,
    algorithm: str = "GAIL",
    generator: str = "PPO",
    obs_kind: str = "box",
    act_kind: str = "discrete",
    *,
    venv: VecEnv | None = None,
    generator_settings: dict[str, Any] | None = None,
    net_settings: dict[str, Any] | None = None,
    seed: int = 0,
    formats: tuple[str, ...] = ("csv",),
    **settings: Any,
) -> Any:
    """Makes a trainer whose every random number follows from `seed`."""
    np.random.seed(seed)  # Stable-Baselines3's replay buffers draw from it
    th.manual_seed(seed)
    if venv is None:
        venv = tiny_envs.make_venv(obs_kind, act_kind, seed=seed)
    if "reward_net" not in settings:
        settings["reward_net"] = make_reward_net(venv, obs_kind, **net_settings or {})
    if "demonstrations" not in settings:
        settings["demonstrations"] = tiny_envs.expert_trajectories(
            4, obs_kind, act_kind
        )
    if "gen_algo" not in settings:
        settings["gen_algo"] = make_generator(
            generator, venv, obs_kind, seed, **generator_settings or {}
        )
    if "custom_logger" not in settings:
        settings["custom_logger"] = imit_logger.configure(directory, formats)
    return ALGORITHMS[algorithm](
        venv=venv, **{"demo_batch_size": 16, "log_dir": directory} | settings
    )


def weights(trainer: Any) -> dict[str, th.Tensor]:
    """Copies of the weights of generator and discriminator."""
    modules = {"gen": trainer.policy, "disc": trainer._reward_net}
    return {
        f"{name}.{key}": value.detach().clone().double()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def assert_same_weights(one: Any, other: Any, atol: float = 1e-6) -> None:
    """Checks that two trainers have the same weights."""
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    for key, value in mine.items():
        th.testing.assert_close(value, theirs[key], rtol=0, atol=atol, msg=key)
