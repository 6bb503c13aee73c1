"""One way to call whatever can act: a policy, an algorithm, a function, or nobody.

A simple policy is called at the cost of its layers; see `util.plain_policies`.

Also importable from ``imitation.data.rollout``, the documented path.
"""

import contextlib
import copy
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import check_for_correct_spaces
from stable_baselines3.common.vec_env import VecEnv, VecTransposeImage

from imitation.errors import ConfigError, DataError
from imitation.util import networks
from imitation.util.plain_policies import plain_network
from imitation.util.seeding import make_seeds
from imitation.util.spaces import Space
from imitation.util.tensors import safe_to_tensor

Array = np.ndarray
VecObs = Array | dict[str, Array]
State = tuple[Array, ...] | None

# ``(obs, state, episode_start) -> (acts, state)``, for all environments at once.
# ``obs`` has shape ``(n_envs, *observation_shape)`` (or is a dictionary of such
# arrays); ``state`` is what the previous call returned, None at first;
# ``episode_start``, shape ``(n_envs,)`` and bool, marks environments that have just
# been reset; ``acts`` has shape ``(n_envs, *action_shape)``.
PolicyCallable = Callable[[VecObs, State, Array | None], tuple[Array, State]]

# A quick ``predict``: from observations to actions, for all environments at once.
Actor = Callable[[Array], Array]

# An algorithm, a policy, a function, or None for uniformly random actions. A function
# may be a full ``PolicyCallable``, or take only ``obs``; it may return only the
# actions.
AnyPolicy = BaseAlgorithm | BasePolicy | Callable[..., Any] | None


def policy_to_callable(
    policy: AnyPolicy,
    venv: VecEnv,
    deterministic_policy: bool = False,
    *,
    rng: np.random.Generator | None = None,
) -> PolicyCallable:
    """Converts anything that can act into a function from observations to actions.

    Args:
        policy: a Stable-Baselines3 algorithm or policy; a function (see ``AnyPolicy``);
            or None, for actions sampled from the action space.
        venv: the environments it will act in.
        deterministic_policy: asks a policy for its most likely action.
        rng: seeds the random actions of ``policy=None``. Without it they come from the
            action space's own generator (``venv.action_space.seed``).

    Returns:
        A function ``(obs, state, episode_start) -> (acts, state)``.

    Raises:
        TypeError: ``policy`` is none of the above.
        ConfigError: the policy's spaces differ from the environment's, or
            ``deterministic_policy`` is asked of a function.
    """
    if policy is None:
        return _random_actions(venv.action_space, rng)
    # Algorithms and policies are callable too, but are asked through `predict`.
    if isinstance(policy, BaseAlgorithm):
        try:
            check_for_correct_spaces(
                venv, policy.observation_space, policy.action_space
            )
        except ValueError as error:
            raise ConfigError(f"{error}{_image_hint(policy, venv)}") from error
        return _predictions(policy, policy.policy, deterministic_policy)
    if isinstance(policy, BasePolicy):
        _check_policy_shapes(policy, venv)
        return _predictions(policy, policy, deterministic_policy)
    if callable(policy):
        if deterministic_policy:
            raise ConfigError(
                "Cannot set deterministic_policy=True when policy is a callable, since "
                "a callable decides itself; leave it False."
            )
        return _function_calls(policy, venv.num_envs)
    raise TypeError(
        "Policy must be None, a stable-baselines3 policy or algorithm, or a callable; "
        f"got {type(policy)} instead"
    )


@contextlib.contextmanager
def evaluating(policy: AnyPolicy) -> Iterator[tuple[th.nn.Module, ...]]:
    """Switches a policy's networks to evaluation mode for a block, then back.

    ``predict`` switches off training mode and leaves it off, which would change dropout
    and batch normalization in the training that follows.

    Args:
        policy: anything; only algorithms and modules have a mode.

    Yields:
        The networks found, at most one.
    """
    network = policy.policy if isinstance(policy, BaseAlgorithm) else policy
    if not isinstance(network, th.nn.Module):
        yield ()
        return
    with networks.evaluating(network):
        yield (network,)


def _random_actions(space: Space, rng: np.random.Generator | None) -> PolicyCallable:
    if rng is not None:
        # The environment's own space keeps its generator.
        space = copy.deepcopy(space)
        space.seed(make_seeds(rng))

    def act(
        obs: VecObs, state: State = None, episode_start: Array | None = None
    ) -> tuple[Array, State]:
        batch = next(iter(obs.values())) if isinstance(obs, dict) else obs
        # `sample` knows the distribution of each space; it has no batched form.
        return np.stack([space.sample() for _ in range(len(batch))]), None

    return act


def _predictions(
    model: BaseAlgorithm | BasePolicy, policy: BasePolicy, deterministic: bool
) -> PolicyCallable:
    plain_predict = type(policy).predict is BasePolicy.predict and (
        model is policy or type(model).predict is BaseAlgorithm.predict
    )
    if plain_predict:
        return _quick_predictions(policy, deterministic)

    def act(
        obs: VecObs, state: State = None, episode_start: Array | None = None
    ) -> tuple[Array, State]:
        return model.predict(
            obs, state=state, episode_start=episode_start, deterministic=deterministic
        )

    return act


def _quick_predictions(policy: BasePolicy, deterministic: bool) -> PolicyCallable:
    """Predicts as ``BasePolicy.predict`` does for vectorized observations."""
    # `predict` walks through all modules in every step to switch off training mode;
    # simple policies are spared much more, by `quick_actor`.
    space = policy.action_space
    shape = (-1, *(space.shape or ()))
    policy.set_training_mode(False)
    quick = quick_actor(policy, deterministic)

    def act(
        obs: VecObs, state: State = None, episode_start: Array | None = None
    ) -> tuple[Array, State]:
        # A learner that shares the policy may have switched it back meanwhile.
        if policy.training:
            policy.set_training_mode(False)
        if quick is not None and isinstance(obs, np.ndarray):
            return quick(obs), state
        tensor, _ = policy.obs_to_tensor(obs)
        with th.no_grad():
            output = policy._predict(tensor, deterministic=deterministic)
        acts: Array = output.cpu().numpy().reshape(shape)
        if isinstance(space, spaces.Box):
            # SB3 rescales squashed actions from [-1, 1], and clips all others.
            if policy.squash_output:
                acts = policy.unscale_action(acts)
            else:
                acts = np.clip(acts, space.low, space.high)
        return acts, state

    return act


def _function_calls(function: Callable[..., Any], n_envs: int) -> PolicyCallable:
    takes_state = True
    with contextlib.suppress(ValueError):  # a built-in without a signature
        try:
            inspect.signature(function).bind(None, None, None)
        except TypeError:
            takes_state = False

    def act(
        obs: VecObs, state: State = None, episode_start: Array | None = None
    ) -> tuple[Array, State]:
        result = function(obs, state, episode_start) if takes_state else function(obs)
        acts, state = result if isinstance(result, tuple) else (result, None)
        acts = np.asarray(acts)
        if acts.shape[:1] != (n_envs,):
            raise DataError(
                f"the policy function must return one action for each of {n_envs} "
                f"environments, got an array of shape {acts.shape}."
            )
        return acts, state

    return act


def _check_policy_shapes(policy: BasePolicy, venv: VecEnv) -> None:
    """Bounds may differ: a policy loaded from elsewhere still acts as it should."""
    mine, theirs = policy.observation_space, venv.observation_space
    if _shape(mine) != _shape(theirs):
        raise ConfigError(
            f"Observation spaces do not match: {mine} != {theirs}"
            f"{_image_hint(policy, venv)}"
        )
    if _shape(policy.action_space) != _shape(venv.action_space):
        raise ConfigError(
            f"Action spaces do not match: {policy.action_space} != {venv.action_space}"
        )


def _image_hint(policy: BaseAlgorithm | BasePolicy, venv: VecEnv) -> str:
    """Advises if the spaces differ only in the place of the image channels."""
    space = venv.observation_space
    if not (isinstance(space, spaces.Box) and is_image_space(space)):
        return ""
    transposed = VecTransposeImage.transpose_space(space)
    if transposed.shape != policy.observation_space.shape:
        return ""
    return (
        "; the policy expects images with channels first: roll it out in the wrapped "
        "environment that expert.get_env() returns, or wrap yours in VecTransposeImage"
    )


def _shape(space: Space) -> Any:
    if isinstance(space, spaces.Dict):
        return {k: _shape(v) for k, v in space.spaces.items()}
    if isinstance(space, spaces.Discrete):
        return (int(space.n), int(space.start))
    return space.shape


def quick_actor(policy: BasePolicy, deterministic: bool) -> Actor | None:
    """Returns a quick version of ``policy.predict`` if there is one.

    It reads the weights in place, so the policy may be trained meanwhile, but must stay
    on its device.

    Args:
        policy: any policy.
        deterministic: asks for the most likely action.

    Returns:
        A function from observations of shape ``(n_envs, *observation_shape)`` to
        actions of shape ``(n_envs, *action_shape)``; None where there is no
        ``plain_network``. The function raises a DataError where ``predict`` would
        raise a ValueError: if logits or means are not finite.
    """
    network = plain_network(policy, gradients=False)
    if network is None:
        return None
    device, space = policy.device, policy.action_space
    on_cpu = device.type == "cpu"
    log_std: Any = getattr(policy, "log_std", None)  # of continuous actions

    def act(obs: Array) -> Array:
        inputs = safe_to_tensor(obs)
        output = network(inputs if on_cpu else inputs.to(device))
        # One reduction finds any NaN or infinity; SB3 checks by validating
        # distributions.
        if not math.isfinite(output.sum().item()):
            raise DataError(
                "the policy's output is not finite: its weights have diverged, or "
                f"the observations hold NaN ({np.isnan(obs).sum()} values)."
            )
        if isinstance(space, spaces.Discrete):
            if not deterministic:
                # An exponential race: the category of rate p is first with probability
                # p. So draws torch.multinomial, too, less its checks.
                probs = th.softmax(output, dim=1)
                output = probs / th.empty_like(probs).exponential_()
            categories: Array = th.argmax(output, dim=1).cpu().numpy()  # (n_envs,)
            return categories
        if not deterministic:
            # The draw of torch.distributions.Normal, and the same random numbers.
            output = output + th.randn_like(output) * log_std.detach().exp()
        assert isinstance(space, spaces.Box)
        acts: Array = output.cpu().numpy().reshape(-1, *space.shape)
        clipped: Array = np.clip(acts, space.low, space.high)
        return clipped

    return act
