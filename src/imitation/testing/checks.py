"""Contracts as reusable checks: call one on an algorithm of ours or of yours."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import types
from imitation.rewards import reward_nets
from imitation.util import networks

__all__ = [
    "actor_parameters",
    "check_gradients",
    "check_imitates",
    "check_reward_net",
    "sample_transitions",
]

Batch = tuple[Any, Any, Any, Any]
BATCH_NAMES = ("state", "action", "next_state", "done")


def actor_parameters(policy: ActorCriticPolicy) -> dict[str, th.nn.Parameter]:
    """Returns the parameters that a policy's actions depend on, by name.

    Args:
        policy: an actor-critic policy.

    Returns:
        All its parameters but those of the value function alone.
    """
    value_only = ("value_net.", "mlp_extractor.value_net.", "vf_features_extractor.")
    own = not policy.share_features_extractor
    skip = value_only if own else value_only[:2]
    return {
        name: parameter
        for name, parameter in policy.named_parameters()
        if not name.startswith(skip)
    }


def check_gradients(
    named_parameters: Iterable[tuple[str, th.nn.Parameter]],
    update: Callable[[], None],
) -> None:
    """Checks that an update reaches every trainable tensor with a gradient.

    Args:
        named_parameters: what shall be trained.
        update: computes gradients, and may step an optimizer.

    Raises:
        AssertionError: a tensor has no gradient, or one that is zero or not finite.
    """
    named_parameters = list(named_parameters)
    for _, parameter in named_parameters:
        parameter.grad = None
    update()
    for name, parameter in named_parameters:
        assert parameter.grad is not None, f"{name} receives no gradient"
        assert th.isfinite(parameter.grad).all(), f"{name} has a gradient not finite"
        assert parameter.grad.abs().sum() > 0, f"{name} has a zero gradient"


def check_imitates(
    policy: BasePolicy, transitions: types.TransitionsMinimal, min_agreement: float
) -> None:
    """Checks that a policy with discrete actions acts like the demonstrations.

    Args:
        policy: the trained policy.
        transitions: what it was trained on, or held-out data.
        min_agreement: share of equal actions that is enough, in [0, 1].

    Raises:
        AssertionError: the policy agrees less often.
    """
    # Copies, because torch warns about the read-only arrays of transitions.
    obs = types.map_maybe_dict(np.array, types.maybe_unwrap_dictobs(transitions.obs))
    acts, _ = policy.predict(obs, deterministic=True)
    agreement = float(np.mean(acts == transitions.acts))
    assert agreement >= min_agreement, f"agreement {agreement:.3f} < {min_agreement}"


def sample_transitions(
    observation_space: gym.Space[Any], action_space: gym.Space[Any], n: int
) -> Batch:
    """Draws transitions that have nothing to do with each other, always the same.

    Args:
        observation_space: where observations come from.
        action_space: where actions come from.
        n: how many.

    Returns:
        Arrays of states, actions, next states and dones, every third of them True;
        dictionaries of arrays where a space is one.
    """
    spaces = copy.deepcopy((observation_space, action_space))
    for space in spaces:
        space.seed(0)
    states, actions, next_states = (
        _batch([space.sample() for _ in range(n)])
        for space in (spaces[0], spaces[1], spaces[0])
    )
    return states, actions, next_states, np.arange(n) % 3 == 0


def check_reward_net(
    net: reward_nets.RewardNet,
    venv_or_spaces: VecEnv | tuple[gym.Space[Any], gym.Space[Any]],
    batch_size: int = 24,
) -> None:
    """Checks that a network keeps what `RewardNet` promises.

    That is: one finite reward for each transition, on the network's device, the same
    for arrays and tensors, alone and in a batch, and when asked again; inputs
    preprocessed once however often that is asked for; asking for rewards leaves tensors
    and training modes alone; and gradients reach every trainable tensor.

    Args:
        net: the network, of any wrappers. One without trainable tensors, such as a
            constant reward, passes if the rest holds.
        venv_or_spaces: an environment, or its observation and action space.
        batch_size: how many transitions to draw.

    Raises:
        AssertionError: a promise is broken, and which.
    """
    if isinstance(venv_or_spaces, VecEnv):
        spaces = (venv_or_spaces.observation_space, venv_or_spaces.action_space)
    else:
        spaces = venv_or_spaces
    batch = sample_transitions(*spaces, batch_size)
    _check_preprocessing(net, batch)
    _check_rewards(net, batch)
    _check_left_alone(net, batch)
    for trained in _trained(net):
        named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
        if named:
            _check_reward_gradients(trained, named, batch)


def _check_preprocessing(net: reward_nets.RewardNet, batch: Batch) -> None:
    parts = net.preprocess(*batch)
    again = net.preprocess(*parts)
    for name, part, same in zip(BATCH_NAMES, parts, again, strict=True):
        for value, twice in zip(_values(part), _values(same), strict=True):
            assert value.device == net.device, f"{name} is on {value.device}"
            assert value.is_floating_point(), f"{name} is preprocessed to {value.dtype}"
            assert th.equal(value, twice), f"{name} is changed when preprocessed twice"


def _check_rewards(net: reward_nets.RewardNet, batch: Batch) -> None:
    n = len(batch[3])
    rewards = net.predict(*batch)
    for name, values in (
        ("predict", rewards),
        ("predict_processed", net.predict_processed(*batch, update_stats=False)),
    ):
        assert isinstance(values, np.ndarray), f"{name} returned {type(values)}"
        assert values.shape == (n,), f"{name} returned the shape {values.shape}"
        assert np.isfinite(values).all(), f"{name} is not finite"
    on_device = net.predict_th(*batch)
    assert on_device.device == net.device, f"predict_th is on {on_device.device}"
    assert not on_device.requires_grad, "predict_th carries gradients"
    _assert_close(on_device.cpu().numpy(), rewards, "predict_th and predict")
    same = np.array_equal(net.predict(*batch), rewards)
    assert same, "predict returns something else when asked again"
    tensors: list[Any] = [types.map_maybe_dict(th.as_tensor, part) for part in batch]
    same = np.array_equal(net.predict(*tensors), rewards)
    assert same, "predict returns something else for tensors"
    alone = [net.predict(*_rows(batch, slice(i, i + 1)))[0] for i in range(n)]
    _assert_close(np.array(alone), rewards, "predict alone and in a batch")


def _check_left_alone(net: reward_nets.RewardNet, batch: Batch) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modules = list(net.modules())
    modes = [module.training for module in modules]
    try:
        for i, module in enumerate(modules):
            module.training = i % 2 == 0
        net.predict(*batch)
        net.predict_th(*batch)
        kept = all(m.training == (i % 2 == 0) for i, m in enumerate(modules))
        assert kept, "predicting changed a module's training mode"
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
    for name, value in net.state_dict().items():
        assert th.equal(before[name], value), f"predicting changed {name}"


def _check_reward_gradients(
    net: reward_nets.RewardNet,
    named_parameters: list[tuple[str, th.nn.Parameter]],
    batch: Batch,
) -> None:
    weights = th.linspace(0.5, 1.5, len(batch[3]), device=net.device)

    def update() -> None:
        with networks.evaluating(net):
            rewards = net(*net.preprocess(*batch))
        assert rewards.shape == weights.shape, f"forward returned {rewards.shape}"
        (rewards * weights).sum().backward()

    check_gradients(named_parameters, update)
    for _, parameter in named_parameters:
        parameter.grad = None


def _trained(net: reward_nets.RewardNet) -> list[reward_nets.RewardNet]:
    """Returns the networks whose ``forward`` is trained, instead of a mean's."""
    if isinstance(net, reward_nets.PredictProcessedWrapper):
        return _trained(net.base)
    if isinstance(net, reward_nets.RewardEnsemble):
        members = net.members.children()
        return [m for m in members if isinstance(m, reward_nets.RewardNet)]
    return [net]


def _assert_close(actual: Any, expected: Any, what: str) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5, err_msg=what)


def _batch(samples: list[Any]) -> Any:
    if isinstance(samples[0], dict):
        return {key: np.stack([s[key] for s in samples]) for key in samples[0]}
    return np.stack(samples)


def _rows(batch: Batch, rows: slice) -> list[Any]:
    return [types.map_maybe_dict(lambda part: part[rows], part) for part in batch]


def _values(part: Any) -> list[th.Tensor]:
    return list(part.values()) if isinstance(part, dict) else [part]
