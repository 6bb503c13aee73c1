"""The ingredient reward: what is built, what is derived, and what is refused."""

from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.scripts.ingredients.reward import RewardSettings, make_reward_net
from imitation.scripts.settings import build, expand_dotted, merge, to_config
from imitation.util.networks import EMANorm, RunningNorm

NETS = "imitation.rewards.reward_nets"
ENSEMBLE = {"net_cls": f"{NETS}:RewardEnsemble"}


class Pictures(gym.Env):
    observation_space = gym.spaces.Box(0, 255, (3, 12, 12), np.uint8)
    action_space = gym.spaces.Discrete(2)


class Uncertain(reward_nets.RewardNetWithVariance):
    pass


@pytest.fixture(scope="module")
def venv() -> DummyVecEnv:
    return DummyVecEnv([lambda: gym.make("CartPole-v1")])


def made(
    venv: Any,
    *presets: Any,
    command: Any = "gail",
    seed: Any = 0,
    discount: float = 0.99,
    **updates: Any,
) -> Any:
    config: dict[Any, Any] = {}
    for name in presets:
        config = merge(config, expand_dotted(RewardSettings.named_configs[name]))
    config = merge(config, expand_dotted(updates))
    settings = build(RewardSettings, config).resolved(command, discount)
    assert settings.resolved(command, discount) == settings
    assert build(RewardSettings, to_config(settings)) == settings
    return make_reward_net(venv, settings, np.random.default_rng(seed))


def test_the_default_is_normalized_at_both_ends(venv: Any) -> None:
    net = made(venv)
    assert isinstance(net, reward_nets.NormalizedRewardNet)
    assert isinstance(net.normalize_output_layer, RunningNorm)
    assert type(net.base) is reward_nets.BasicRewardNet
    assert any(isinstance(module, RunningNorm) for module in net.base.modules())


def test_airl_gets_a_shaped_net_that_discounts_as_the_policy_does(venv: Any) -> None:
    net = made(venv, command="airl", discount=0.9)
    assert type(net.base) is reward_nets.BasicShapedRewardNet
    assert net.base.discount_factor == 0.9
    chosen = made(venv, command="airl", net_cls=reward_nets.BasicRewardNet)
    assert type(chosen.base) is reward_nets.BasicRewardNet
    given = made(venv, command="airl", **{"net_kwargs.discount_factor": 0.5})
    assert given.base.discount_factor == 0.5


@pytest.mark.parametrize(
    ("preset", "inner", "outer"),
    [
        ("normalize_input_disable", None, RunningNorm),
        ("normalize_input_running", RunningNorm, RunningNorm),
        ("normalize_output_disable", RunningNorm, None),
        ("normalize_output_running", RunningNorm, RunningNorm),
        ("normalize_output_ema", RunningNorm, EMANorm),
    ],
)
def test_documented_presets(venv: Any, preset: str, inner: Any, outer: Any) -> None:
    net = made(venv, preset)
    if outer is not None:
        assert type(net.normalize_output_layer) is outer
        net = net.base
    norms = [m for m in net.modules() if isinstance(m, RunningNorm | EMANorm)]
    assert [type(norm) for norm in norms] == ([] if inner is None else [inner])


def test_presets_combine_in_any_order(venv: Any) -> None:
    both = made(venv, "normalize_output_disable", "normalize_input_disable")
    assert type(both) is reward_nets.BasicRewardNet
    assert not any(isinstance(m, RunningNorm) for m in both.modules())


def test_arguments_of_an_ensemble_are_its_members(venv: Any) -> None:
    presets = RewardSettings.named_configs
    config: dict[str, Any] = {"net_kwargs": {"use_action": False, "hid_sizes": [8]}}
    config |= presets["reward_ensemble"]
    config["ensemble_member_config"] = {"net_kwargs": {"hid_sizes": [4]}}
    settings = RewardSettings(**config).resolved("train_preference_comparisons")
    found = settings.member().net_kwargs
    assert found["use_action"] is False and found["hid_sizes"] == [4]
    assert settings.resolved("train_preference_comparisons") == settings
    make_reward_net(venv, settings, np.random.default_rng(0))


def test_the_ensemble_preset(venv: Any) -> None:
    net = made(venv, "reward_ensemble")
    assert isinstance(net, reward_nets.AddSTDRewardWrapper)
    assert net.default_alpha == 0
    ensemble = net.base
    assert isinstance(ensemble, reward_nets.RewardEnsemble)
    assert ensemble.num_members == 5
    for member in ensemble.members:
        assert isinstance(member, reward_nets.NormalizedRewardNet)
        assert any(isinstance(m, RunningNorm) for m in member.base.modules())
    first, second = (
        next(m.base.mlp.parameters()) for m in cast("Any", ensemble.members[:2])
    )
    assert not th.equal(first, second)


def test_keyword_arguments_may_name_classes(venv: Any) -> None:
    arguments = {"hid_sizes": [7], "activation": "torch.nn.Tanh", "use_done": True}
    net = made(venv, "normalize_output_disable", net_kwargs=arguments)
    assert any(isinstance(module, th.nn.Tanh) for module in net.modules())
    widths = [m.out_features for m in net.modules() if isinstance(m, th.nn.Linear)]
    assert widths == [7, 1]


def test_the_generator_decides_the_weights(venv: Any) -> None:
    global_state = th.get_rng_state()
    nets = [made(venv, seed=seed) for seed in (0, 0, 1)]
    assert th.equal(th.get_rng_state(), global_state)
    one, same, other = (next(net.base.mlp.parameters()) for net in nets)
    assert th.equal(one, same)
    assert not th.equal(one, other)


def test_a_net_that_has_no_input_layer_gets_none() -> None:
    venv = DummyVecEnv([Pictures])
    net_cls = f"{NETS}:CnnRewardNet"
    net = made(venv, net_cls=net_cls, **{"net_kwargs.hwc_format": False})
    assert isinstance(net.base, reward_nets.CnnRewardNet)


@pytest.mark.parametrize(
    ("presets", "updates", "message"),
    [
        ((), ENSEMBLE, "Must specify ensemble_size."),
        ((), {**ENSEMBLE, "ensemble_size": 2}, "Must specify ensemble_member_config."),
        (
            (),
            {**ENSEMBLE, "ensemble_size": 2, "ensemble_member_config": None},
            "Must specify ensemble_member_config.",
        ),
        (
            ("reward_ensemble", "normalize_output_running"),
            {},
            "Output normalization not supported on RewardEnsembles.",
        ),
        (
            ("reward_ensemble",),
            {"ensemble_member_config": ENSEMBLE},
            "must not be a RewardEnsemble",
        ),
        (("reward_ensemble",), {"ensemble_size": 1}, "reward.ensemble_size must be"),
        (
            ("reward_ensemble",),
            {"ensemble_member_config": {"net": 1}},
            "unknown setting 'reward.ensemble_member_config.net'",
        ),
        ((), {"add_std_alpha": 1.0}, "needs a network that knows its variance"),
        ((), {"net_cls": "torch.nn:ReLU"}, "must name a subclass of RewardNet"),
        ((), {"net_cls": f"{NETS}:Basic"}, "cannot be imported"),
        ((), {"normalize_output_layer": "torch.nn:ReLU"}, "subclass of BaseNorm"),
        ((), {"net_kwargs": {"depth": 2}}, "cannot build reward.net_cls"),
        (
            (),
            {"net_kwargs": {"normalize_input_layer": "RunningNorm"}},
            "not a valid normalization layer",
        ),
        ((), {"net_cls": f"{NETS}:CnnRewardNet"}, "to be images"),
    ],
)
def test_what_does_not_fit_is_refused(
    venv: Any,
    presets: tuple[()] | tuple[str, str] | tuple[str],
    updates: Any,
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        made(venv, *presets, **updates)
    assert "\n" not in str(caught.value)


def test_a_variance_cannot_be_added_to_a_normalized_reward(venv: Any) -> None:
    uncertain: dict[str, Any] = {"net_cls": Uncertain, "add_std_alpha": 1.0}
    with pytest.raises(ConfigError, match=r"reward\.normalize_output_disable"):
        made(venv, **uncertain)
