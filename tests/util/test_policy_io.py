import pathlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium.spaces import Box, Dict, Discrete
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import CombinedExtractor

from imitation.errors import ArtifactError, UnsafeLoadError
from imitation.policies import base
from imitation.util import artifacts, policy_io

BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
DICT = gym.spaces.Dict({"a": BOX, "b": gym.spaces.Discrete(3)})


def feed_forward(
    observation_space: Box | Dict = BOX,
    action_space: Box | Discrete = BOX,
    **kwargs: Any,
) -> base.FeedForward32Policy:
    return base.FeedForward32Policy(
        observation_space, action_space, policy_io.unset_learning_rate, **kwargs
    )


POLICIES: Any = {
    "feed_forward": feed_forward,
    "discrete": lambda: feed_forward(action_space=gym.spaces.Discrete(3)),
    "dict": lambda: feed_forward(
        DICT,
        features_extractor_class=CombinedExtractor,
    ),
    "normalised": lambda: feed_forward(
        features_extractor_class=base.NormalizeFeaturesExtractor
    ),
    "sde": lambda: feed_forward(use_sde=True),
    "named_layers": lambda: ActorCriticPolicy(
        BOX,
        BOX,
        policy_io.unset_learning_rate,
        net_arch={"pi": [8], "vf": [4]},
        activation_fn=th.nn.ReLU,
    ),
    "ppo": lambda: PPO("MlpPolicy", "CartPole-v1", device="cpu").policy,
    "sac": lambda: SAC("MlpPolicy", "Pendulum-v1", device="cpu").policy,
    "dqn": lambda: DQN("MlpPolicy", "CartPole-v1", device="cpu").policy,
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies_round_trip(tmp_path: pathlib.Path, name: Any) -> None:
    policy = POLICIES[name]()
    state = th.get_rng_state()
    policy_io.save_policy(policy, tmp_path / "policy")
    again = policy_io.load_policy(tmp_path / "policy", device="cpu")
    assert th.equal(th.get_rng_state(), state)
    assert type(again) is type(policy)
    assert not again.training
    assert again.observation_space == policy.observation_space
    assert again.action_space == policy.action_space
    obs = policy.observation_space.sample()
    expected, _ = policy.predict(obs, deterministic=True)
    np.testing.assert_array_equal(again.predict(obs, deterministic=True)[0], expected)
    for key, value in policy.state_dict().items():
        assert th.equal(again.state_dict()[key], value), key


def test_a_pickled_policy_needs_permission(tmp_path: pathlib.Path) -> None:
    policy = feed_forward()
    th.save(policy, tmp_path / "final.th")
    with pytest.raises(UnsafeLoadError, match="allow_pickle=True"):
        policy_io.load_policy(tmp_path / "final.th")
    again = policy_io.load_policy(tmp_path / "final.th", "cpu", allow_pickle=True)
    assert th.equal(again.state_dict()["log_std"], policy.state_dict()["log_std"])


def test_a_policy_saved_by_stable_baselines_needs_permission(
    tmp_path: pathlib.Path,
) -> None:
    policy = POLICIES["named_layers"]()
    policy.save(str(tmp_path / "final.th"))
    again = policy_io.load_policy(tmp_path / "final.th", "cpu", allow_pickle=True)
    assert th.equal(again.state_dict()["log_std"], policy.state_dict()["log_std"])


def test_a_hostile_pickle_does_not_run(tmp_path: pathlib.Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
            return (open, (str(tmp_path / "ran"), "w"))

    th.save(Hostile(), tmp_path / "final.th")
    with pytest.raises(UnsafeLoadError):
        policy_io.load_policy(tmp_path / "final.th")
    assert not (tmp_path / "ran").exists()


def change(**changes: Any) -> Any:
    def damage(path: pathlib.Path) -> None:
        document = artifacts.read_json(path / "artifact.json")
        artifacts.write_json(path / "artifact.json", document | changes)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "artifact.json").unlink(), "artifact.json"),
        (lambda p: (p / "policy.safetensors").unlink(), "policy.safetensors"),
        (change(kind="reward"), "does not hold a policy"),
        (change(format_version=7), "format 7"),
        (change(**{"class": "os:system"}), "not known to be safe"),
        (change(**{"class": "torch.optim.adam:Adam"}), "not a policy"),
        (change(**{"class": 3}), "is damaged"),
        (change(arguments={}), "takes other arguments in this version"),
        (change(arguments={"of_tomorrow": 1}), "takes other arguments"),
        (change(arguments=[]), "is damaged"),
        (
            lambda p: artifacts.write_tensors(
                p / "policy.safetensors", {"a": th.zeros(1)}
            ),
            "does not fit",
        ),
    ],
)
def test_damaged_policies_are_refused(
    tmp_path: pathlib.Path, damage: Callable[..., Any], message: str
) -> None:
    policy_io.save_policy(feed_forward(), tmp_path / "policy")
    damage(tmp_path / "policy")
    with pytest.raises(ArtifactError, match=message) as info:
        policy_io.load_policy(tmp_path / "policy")
    assert "\n" not in str(info.value)


def test_a_missing_policy_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match=r"no policy at .*nowhere"):
        policy_io.load_policy(tmp_path / "nowhere")


def test_an_argument_that_cannot_be_saved_is_named(tmp_path: pathlib.Path) -> None:
    policy = feed_forward()
    policy.features_extractor_kwargs = {"hook": print}
    with pytest.raises(ArtifactError, match="features_extractor_kwargs"):
        policy_io.save_policy(policy, tmp_path / "policy")
    assert list(tmp_path.iterdir()) == []
