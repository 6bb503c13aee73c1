"""Contracts as reusable checks: call one on an algorithm of ours or of yours."""

import copy
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar, cast

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import tree, types
from imitation.errors import ArtifactError
from imitation.rewards import reward_nets
from imitation.training.trainer import Trainer
from imitation.util import networks
from imitation.util.spaces import Space

T = TypeVar("T", bound=Trainer)

Arrays: TypeAlias = np.ndarray | dict[str, np.ndarray]
Batch = tuple[Arrays, np.ndarray, Arrays, np.ndarray]
BATCH_NAMES = ("state", "action", "next_state", "done")


def actor_parameters(policy: ActorCriticPolicy) -> dict[str, th.nn.Parameter]:
    """Returns the parameters that a policy's actions depend on, by name."""
    value_only = ("value_net.", "mlp_extractor.value_net.", "vf_features_extractor.")
    own = not policy.share_features_extractor
    skip = value_only if own else value_only[:2]
    return {
        name: parameter
        for name, parameter in policy.named_parameters()
        if not name.startswith(skip)
    }


def check_algorithm(
    make: Callable[[], T], train: Callable[[T], object], directory: pathlib.Path
) -> None:
    """Checks that a trainer keeps the promises of `Trainer`.

    Asking for its state changes nothing. A trainer that loads what another one saved
    continues as that one does, bit for bit. One that cannot load a state stays as it
    is. It exports something.

    Args:
        make: creates the trainer, every time from the same arguments and seeds.
        train: trains it a little; called several times.
        directory: an empty directory.

    Raises:
        AssertionError: a promise is broken.
    """
    trainer = make()
    train(trainer)
    state = copy.deepcopy(trainer.state_dict())
    assert _equal(trainer.state_dict(), state), "state_dict() changed the state"
    other_kind = {**state, "kinds": dict.fromkeys(state["kinds"], "another")}
    for damaged in (other_kind, {"kinds": state["kinds"]}):
        try:
            trainer.load_state_dict(damaged)
        except ArtifactError:
            assert _equal(trainer.state_dict(), state), "a failed load left traces"
        else:
            raise AssertionError(f"loaded a state of only {sorted(damaged)}")
    trainer.save(directory / "state")
    resumed = make()
    resumed.load_state(directory / "state")
    assert _equal(resumed.state_dict(), trainer.state_dict()), "loaded another state"
    train(trainer)
    train(resumed)
    assert not _equal(trainer.state_dict(), state), "training changed nothing"
    continues = _equal(resumed.state_dict(), trainer.state_dict())
    assert continues, "a resumed trainer continues differently"
    trainer.check_export()
    (directory / "export").mkdir()
    trainer.export(directory / "export")
    assert any((directory / "export").iterdir()), "export() wrote nothing"


def _equal(one: object, other: object) -> bool:
    """Compares nested states exactly; NaN equals NaN."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = one.keys() == other.keys()
        return keys and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, th.Tensor) and isinstance(other, th.Tensor):
        return _equal(one.detach().cpu().numpy(), other.detach().cpu().numpy())
    # Of the pickled bytes, because object arrays may hold anything.
    first, second = np.asarray(one), np.asarray(other)
    return first.dtype == second.dtype and first.dumps() == second.dumps()


def check_gradients(
    named_parameters: Iterable[tuple[str, th.nn.Parameter]],
    update: Callable[[], None],
) -> None:
    """Checks that an update reaches every trainable tensor with a gradient.

    Args:
        named_parameters: the trainable tensors.
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
        transitions: training or held-out data.
        min_agreement: least share of equal actions, in [0, 1].

    Raises:
        AssertionError: the policy agrees less often.
    """
    # Copies, because torch warns about the read-only arrays of transitions.
    obs = tree.map(np.array, tree.unwrap(transitions.obs))
    acts, _ = policy.predict(obs, deterministic=True)
    agreement = float(np.mean(acts == transitions.acts))
    assert agreement >= min_agreement, f"agreement {agreement:.3f} < {min_agreement}"


def sample_transitions(observation_space: Space, action_space: Space, n: int) -> Batch:
    """Draws unrelated transitions, always the same.

    Returns:
        Arrays of states, actions, next states and dones, every third of them True;
        dictionaries of arrays where a space is one.
    """
    spaces = copy.deepcopy((observation_space, action_space))
    for space in spaces:
        space.seed(0)
    states, actions, next_states = (
        tree.stack([tree.map(np.asarray, space.sample()) for _ in range(n)])
        for space in (spaces[0], spaces[1], spaces[0])
    )
    return states, actions, next_states, np.arange(n) % 3 == 0


def check_reward_net(
    net: reward_nets.RewardNet,
    venv_or_spaces: VecEnv | tuple[Space, Space],
    batch_size: int = 24,
) -> None:
    """Checks that a network keeps the promises of `RewardNet`.

    That is: one finite reward for each transition, on the network's device, the same
    for arrays and tensors, alone and in a batch, and in repeated calls; preprocessing
    twice is preprocessing once; predicting leaves tensors and training modes alone; and
    gradients reach every trainable tensor.

    Args:
        net: the network, of any wrappers. One without trainable tensors, such as a
            constant reward, passes if the rest holds.
        venv_or_spaces: an environment, or its observation and action space.
        batch_size: number of transitions to draw.

    Raises:
        AssertionError: a promise is broken.
    """
    if isinstance(venv_or_spaces, VecEnv):
        spaces = (venv_or_spaces.observation_space, venv_or_spaces.action_space)
    else:
        spaces = venv_or_spaces
    batch = sample_transitions(*spaces, batch_size)
    parts = net.preprocess(*batch)
    again = net.preprocess(*parts)
    for name, part, same in zip(BATCH_NAMES, parts, again, strict=True):
        for value, twice in zip(tree.leaves(part), tree.leaves(same), strict=True):
            assert value.device == net.device, f"{name} is on {value.device}"
            assert value.is_floating_point(), f"{name} is preprocessed to {value.dtype}"
            assert th.equal(value, twice), f"{name} is changed when preprocessed twice"
    _check_rewards(net, batch)
    _check_left_alone(net, batch)
    for trained in _trained(net):
        named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
        if named:
            _check_reward_gradients(trained, named, batch)


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
    assert same, "predict is not repeatable"
    state, next_state = tree.to_tensors(batch[0]), tree.to_tensors(batch[2])
    action, done = th.as_tensor(batch[1]), th.as_tensor(batch[3])
    same = np.array_equal(net.predict(state, action, next_state, done), rewards)
    assert same, "predict returns something else for tensors"
    singles = [[tree.take(part, slice(i, i + 1)) for part in batch] for i in range(n)]
    alone = [net.predict(*cast(Batch, single))[0] for single in singles]
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
        # In evaluation mode, where dropout cannot hide a gradient. The weights differ,
        # because gradients of an unweighted sum may cancel.
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


def _assert_close(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5, err_msg=what)
