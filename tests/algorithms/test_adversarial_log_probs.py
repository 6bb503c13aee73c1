"""Log-probabilities of actions under generators, in the environment's units."""

import math
import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.adversarial.airl import action_log_probs
from reference import adversarial as slow
from reference import tiny_envs
from reference.adversarial_trainers import (
    make_generator,
    make_reward_net,
    make_trainer,
)


class BoundedEnv(gym.Env):
    """Has an action space of choice."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, action_space: Any) -> None:
        self.action_space = action_space

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        return np.zeros(2, np.float32), 0.0, False, False, {}


LINE = gym.spaces.Box(np.float32(-1.5), np.float32(4.0), (1,))
OBS = np.array([[0.3, -0.7]], np.float32)


def algorithm(cls: Any, action_space: Any = LINE, **kwargs: Any) -> Any:
    venv = DummyVecEnv([lambda: BoundedEnv(action_space)])
    settings = {"n_steps": 8} if cls is not sb3.SAC else {"buffer_size": 10}
    return cls(
        "MlpPolicy", venv, seed=0, device="cpu",
        **{"policy_kwargs": {"net_arch": [8]}} | settings | kwargs,
    )  # fmt: skip


SQUASHED = {
    "SAC": (sb3.SAC, {}),
    "SAC with gSDE": (sb3.SAC, {"use_sde": True}),
    "PPO with squashed gSDE": (
        sb3.PPO,
        {
            "use_sde": True,
            "policy_kwargs": {"squash_output": True, "net_arch": [8]},
            "batch_size": 8,
        },
    ),
}


@pytest.mark.parametrize("name", SQUASHED)
def test_squashed_densities_integrate_to_one(name: Any) -> None:
    kwargs: Any
    cls, kwargs = SQUASHED[name]
    policy = algorithm(cls, **kwargs).policy
    low, high = -1.5, 4.0
    # Finer towards the bounds, where the density may be steep: a = tanh(u), scaled.
    u = np.linspace(-7, 7, 40_001)
    acts = low + (high - low) * (np.tanh(u) + 1) / 2
    widths = np.gradient(acts)
    obs = np.repeat(OBS, len(acts), axis=0)
    log_probs = action_log_probs(policy, obs, acts[:, None].astype(np.float32))
    integral = float((log_probs.double().exp().numpy() * widths).sum())
    assert integral == pytest.approx(1, abs=5e-3)


def test_squashed_density_against_the_change_of_variables() -> None:
    """Of log p(u) - log |da/du| with a = low + (high - low) (tanh(u) + 1) / 2."""
    box = gym.spaces.Box(np.array([-2, 0.5], np.float32), np.array([1, 3], np.float32))
    policy = algorithm(sb3.SAC, box).policy
    mean, log_std, _ = policy.actor.get_action_dist_params(th.as_tensor(OBS))
    rng = np.random.default_rng(0)
    u = rng.normal(size=(6, 2))
    acts = box.low + (box.high - box.low) * (np.tanh(u) + 1) / 2
    expected = []
    for row in u:
        jacobian = (box.high - box.low) / 2 * (1 - np.tanh(row) ** 2)
        density = slow.gaussian_log_density(
            row, mean[0].tolist(), log_std[0].exp().tolist()
        )
        expected.append(density - np.log(jacobian).sum())
    found = action_log_probs(policy, np.repeat(OBS, 6, axis=0), acts)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_squashed_density_is_finite_at_the_bounds() -> None:
    policy = algorithm(sb3.SAC).policy
    acts = np.array([[-1.5], [4.0]], np.float32)
    found = action_log_probs(policy, np.repeat(OBS, 2, axis=0), acts)
    assert th.isfinite(found).all()


@pytest.mark.parametrize("cls", [sb3.PPO, sb3.A2C, sb3_contrib.TRPO])
def test_gaussian(cls: Any) -> None:
    kwargs = {} if cls is sb3.A2C else {"batch_size": 8}
    policy = algorithm(cls, **kwargs).policy
    distribution = policy.get_distribution(th.as_tensor(OBS)).distribution
    acts = np.array([[-1.2], [0.0], [3.9]], np.float32)
    expected = [
        slow.gaussian_log_density(
            act, distribution.mean[0].tolist(), distribution.stddev[0].tolist()
        )
        for act in acts.tolist()
    ]
    found = action_log_probs(policy, np.repeat(OBS, 3, axis=0), acts)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_gaussian_of_several_axes() -> None:
    box = gym.spaces.Box(-1, 1, (2, 3), np.float32)
    policy = algorithm(sb3.PPO, box, batch_size=8).policy
    distribution = policy.get_distribution(th.as_tensor(OBS)).distribution
    act = np.random.default_rng(0).uniform(-1, 1, (1, 2, 3)).astype(np.float32)
    expected = slow.gaussian_log_density(
        act.ravel(), distribution.mean[0].tolist(), distribution.stddev[0].tolist()
    )
    found = action_log_probs(policy, OBS, act)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_unsquashed_gsde() -> None:
    policy = algorithm(sb3.PPO, use_sde=True, batch_size=8).policy
    distribution = policy.get_distribution(th.as_tensor(OBS)).distribution
    expected = slow.gaussian_log_density(
        [0.4], distribution.mean[0].tolist(), distribution.stddev[0].tolist()
    )
    found = action_log_probs(policy, OBS, np.array([[0.4]], np.float32))
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_categorical() -> None:
    policy = algorithm(sb3.PPO, gym.spaces.Discrete(4), batch_size=8).policy
    logits = policy.get_distribution(th.as_tensor(OBS)).distribution.logits[0].tolist()
    total = math.log(sum(math.exp(logit) for logit in logits))
    found = action_log_probs(policy, np.repeat(OBS, 4, axis=0), np.arange(4))
    np.testing.assert_allclose(
        found.numpy(), [logit - total for logit in logits], rtol=1e-5
    )


def test_multi_discrete() -> None:
    space = gym.spaces.MultiDiscrete([2, 3])
    policy = algorithm(sb3.PPO, space, batch_size=8).policy
    every = np.stack(np.meshgrid(range(2), range(3)), -1).reshape(-1, 2)
    found = action_log_probs(policy, np.repeat(OBS, 6, axis=0), every)
    assert found.exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("obs_kind", ["dict", "image"])
def test_observations_as_the_environment_gives_them(obs_kind: str) -> None:
    venv = tiny_envs.make_venv(obs_kind)
    policy = make_generator("PPO", venv, obs_kind).policy
    obs: Any = venv.reset()
    acts = np.array([0, 1])
    found = action_log_probs(policy, obs, acts)
    as_tensors = (
        {key: th.as_tensor(part) for key, part in obs.items()}
        if obs_kind == "dict"
        else th.as_tensor(obs.transpose(0, 3, 1, 2))
    )
    _, expected, _ = policy.evaluate_actions(as_tensors, th.as_tensor(acts))
    th.testing.assert_close(found, expected.detach())
    tensors = (
        {key: th.as_tensor(part) for key, part in obs.items()}
        if obs_kind == "dict"
        else th.as_tensor(obs)
    )
    th.testing.assert_close(
        action_log_probs(policy, tensors, th.as_tensor(acts)), found
    )


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_policy_as_it_was(training: bool) -> None:
    policy = algorithm(sb3.PPO, batch_size=8).policy
    policy.set_training_mode(training)
    found = action_log_probs(policy, OBS, np.array([[0.4]], np.float32))
    assert not found.requires_grad
    assert policy.training is training


@pytest.mark.parametrize("generator", ["TD3", "DQN", "RecurrentPPO"])
def test_airl_needs_a_stochastic_policy_of_the_state(
    tmp_path: pathlib.Path, generator: str
) -> None:
    act_kind = "box" if generator == "TD3" else "discrete"
    with pytest.raises(TypeError, match="AIRL needs a stochastic policy") as error:
        make_trainer(tmp_path, "AIRL", generator, act_kind=act_kind)
    assert "\n" not in str(error.value)
    assert generator in str(error.value)


def test_airl_logits_are_the_log_odds_of_its_discriminator(
    tmp_path: pathlib.Path,
) -> None:
    """D = exp f / (exp f + pi), so log D - log(1 - D) = f - log pi."""
    trainer = make_trainer(tmp_path, "AIRL")
    obs = trainer.venv.reset()
    acts, done = np.array([0, 1]), np.zeros(2, bool)
    inputs = trainer._reward_net.preprocess(obs, acts, obs, done)
    log_pi = action_log_probs(trainer.policy, obs, acts)
    logits = trainer.logits_expert_is_high(*inputs, log_pi)
    f = trainer._reward_net(*inputs)
    d = f.exp() / (f.exp() + log_pi.exp())
    th.testing.assert_close(logits, d.log() - (1 - d).log())
    with pytest.raises(TypeError) as error:
        trainer.logits_expert_is_high(*inputs)
    assert str(error.value) == (
        "Non-None `log_policy_act_prob` is required for this method."
    )


def test_rewards_of_airl(tmp_path: pathlib.Path) -> None:
    """The generator learns from f with its shaping; the unshaped f is what is kept."""
    from imitation.rewards import reward_nets

    venv = tiny_envs.make_venv()
    net = reward_nets.BasicShapedRewardNet(venv.observation_space, venv.action_space)
    trainer = make_trainer(tmp_path, "AIRL", venv=venv, reward_net=net)
    assert trainer.reward_train is net
    assert trainer.reward_test is net.base
    trainer = make_trainer(
        tmp_path, "AIRL", venv=venv, reward_net=make_reward_net(venv)
    )
    assert trainer.reward_test is trainer.reward_train


@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_demonstrations_at_the_bounds_train(
    tmp_path: pathlib.Path, generator: str
) -> None:
    trainer = make_trainer(tmp_path, "AIRL", generator, act_kind="box")
    trainer.train_gen(32)
    rng = np.random.default_rng(0)
    obs, next_obs = rng.uniform(-1, 1, (2, 16, 3)).astype(np.float32)
    space = trainer.venv.action_space
    acts = np.where(rng.integers(2, size=(16, 2)), space.low, space.high)
    samples = {"obs": obs, "acts": acts, "next_obs": next_obs}
    samples["dones"] = np.zeros(16, bool)
    stats = trainer.train_disc(expert_samples=samples)
    assert np.isfinite(list(stats.values())).all()
