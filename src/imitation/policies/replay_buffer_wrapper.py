"""A replay buffer whose rewards are computed when transitions are sampled.

A reward that is being learned changes while a policy learns from it. Rewards stored
with the transitions would be those of an older reward, so off-policy algorithms must
not use them.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import BaseBuffer, DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import (
    DictReplayBufferSamples,
    ReplayBufferSamples,
)
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecEnvWrapper,
    VecNormalize,
    VecTransposeImage,
)
from typing_extensions import override

from imitation.data import tree
from imitation.errors import ConfigError, DataError
from imitation.policies.stored_layout import StoredLayout
from imitation.rewards.reward_function import (
    RewardFn,
    check_shape,
    check_spaces,
    checked_rewards,
    network_of,
)
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.util import tensors
from imitation.util.artifacts import State
from imitation.util.spaces import Info, Space

Samples = ReplayBufferSamples | DictReplayBufferSamples

# Key of the infos for the reward that a `RewardVecEnvWrapper` replaced.
ORIGINAL = "original_env_rew"


class ReplayBufferRewardWrapper(ReplayBuffer):
    """Relabels the rewards of the transitions sampled from a replay buffer.

    Use it as the ``replay_buffer_class`` of SAC, TD3, DDPG or DQN, with
    ``replay_buffer_kwargs={"replay_buffer_class": ReplayBuffer, "reward_fn": ...}``
    (`DictReplayBuffer` for dictionary observations); or put it into an algorithm that
    exists by `relabel`.

    The reward function sees transitions as the environment does: actions in its action
    space, images in its layout, observations that `VecNormalize` has not normalized,
    and ``done`` where an episode ended for whatever reason. Except for the rewards, the
    algorithm gets what it would get without the wrapper.

    Pickling and copying leave out the reward function, so that a saved buffer does not
    restore an old reward; assign `reward_fn` afterwards.

    Args:
        buffer_size: capacity in transitions, all environments together.
        observation_space: of the algorithm, which may have image channels first.
        action_space: of the environment.
        replay_buffer_class: `ReplayBuffer` or `DictReplayBuffer`.
        reward_fn: rates a batch of transitions, in one call for each sample.
        env_observation_space: the observation space that `reward_fn` is a function of;
            None for that of the network if `reward_fn` is a method of a `RewardNet`,
            otherwise `observation_space`.
        scaled_actions: whether the actions of a box that are added are scaled to
            [-1, 1], as the algorithms of Stable-Baselines3 do.
        pass_tensors: give `reward_fn` tensors on the buffer's device instead of arrays.
            Methods of `RewardNet` take both; with tensors, the observations go to a GPU
            once instead of twice, and what `predict_th` returns stays there.
        **kwargs: passed to `replay_buffer_class`, such as `device` and `n_envs`.

    Attributes:
        replay_buffer: the buffer that holds the transitions.
        reward_fn: the reward function; may be replaced at any time.

    Raises:
        AssertionError: `replay_buffer_class` is another class.
        ConfigError: the spaces do not fit those of the reward.
    """

    reward_fn: RewardFn | None

    def __init__(
        self,
        buffer_size: int,
        observation_space: Space,
        action_space: Space,
        *,
        replay_buffer_class: type[ReplayBuffer],
        reward_fn: RewardFn,
        env_observation_space: Space | None = None,
        scaled_actions: bool = True,
        pass_tensors: bool = False,
        **kwargs: Any,
    ) -> None:
        _check_class(replay_buffer_class)
        self._hold(
            replay_buffer_class(buffer_size, observation_space, action_space, **kwargs),
            reward_fn,
            env_observation_space,
            scaled_actions,
            pass_tensors,
        )

    @classmethod
    def around(
        cls,
        buffer: ReplayBuffer,
        reward_fn: RewardFn,
        *,
        env_observation_space: Space | None = None,
        scaled_actions: bool = True,
        pass_tensors: bool = False,
    ) -> "ReplayBufferRewardWrapper":
        """Relabels the transitions of a buffer that exists; nothing is copied.

        Raises:
            AssertionError: `buffer` is not a `ReplayBuffer` or `DictReplayBuffer`.
            ConfigError: the spaces do not fit; or `buffer` optimizes memory and holds
                transitions, which lack the last observations of episodes.
        """
        _check_class(type(buffer))
        if buffer.optimize_memory_usage and buffer.size():
            raise ConfigError(
                "the replay buffer has overwritten the last observations of episodes; "
                "relabel it before training, or set optimize_memory_usage=False"
            )
        wrapper = cls.__new__(cls)
        wrapper._hold(
            buffer, reward_fn, env_observation_space, scaled_actions, pass_tensors
        )
        return wrapper

    def _hold(
        self,
        buffer: ReplayBuffer,
        reward_fn: RewardFn,
        env_space: Space | None,
        scaled_actions: bool,
        pass_tensors: bool,
    ) -> None:
        stored_space, action_space = buffer.observation_space, buffer.action_space
        if env_space is None:
            net = network_of(reward_fn)
            env_space = net.observation_space if net else stored_space
        self._layout = StoredLayout(
            stored_space, env_space, action_space, scaled_actions
        )
        check_spaces(reward_fn, env_space, action_space)
        self.reward_fn = reward_fn
        self.pass_tensors = pass_tensors
        self.replay_buffer = buffer
        pos, full = buffer.pos, buffer.full
        # Not ReplayBuffer's constructor, which would allocate arrays of its own.
        BaseBuffer.__init__(
            self,
            buffer.buffer_size,
            stored_space,
            action_space,
            buffer.device,
            buffer.n_envs,
        )
        # BaseBuffer's constructor reset these, through the properties, in `buffer`.
        self.pos, self.full = pos, full
        self.optimize_memory_usage = buffer.optimize_memory_usage
        self.handle_timeout_termination = buffer.handle_timeout_termination
        self.observations = buffer.observations
        if not buffer.optimize_memory_usage:
            self.next_observations = buffer.next_observations
        self.actions, self.rewards = buffer.actions, buffer.rewards
        self.dones, self.timeouts = buffer.dones, buffer.timeouts
        # Last observations of episodes by place, where the buffer does not keep them.
        self._last_obs: dict[tuple[int, int], np.ndarray] = {}

    @property
    def pos(self) -> int:
        """Index of the next transition's time step."""
        return self.replay_buffer.pos

    @pos.setter
    def pos(self, pos: int) -> None:
        self.replay_buffer.pos = pos

    @property
    def full(self) -> bool:
        """True once the buffer overwrites its oldest transitions."""
        return self.replay_buffer.full

    @full.setter
    def full(self, full: bool) -> None:
        self.replay_buffer.full = full

    @override
    def add(
        self,
        obs: Any,
        next_obs: Any,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[Info],
    ) -> None:
        if self.optimize_memory_usage:
            # The buffer overwrites these by the first observations of new episodes.
            for env in range(self.n_envs):
                self._last_obs.pop((self.pos, env), None)
                if done[env]:
                    self._last_obs[self.pos, env] = np.array(next_obs[env])
        # The environment's own rewards, which `unrelabel` restores.
        own = [i.get(ORIGINAL, r) for i, r in zip(infos, reward, strict=True)]
        self.replay_buffer.add(obs, next_obs, action, np.array(own), done, infos)

    @override
    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Samples:  # type: ignore[override]  # of either kind
        """Samples transitions and computes their rewards.

        If `env` normalizes observations, it does so after the reward function has seen
        them. Except for the rewards, shape ``(batch_size, 1)`` and float32, the result
        is that of the buffer's own ``sample`` with the same random state.

        Raises:
            DataError: the rewards have another shape, or some are NaN or infinite.
            RuntimeError: the buffer is empty, or was unpickled and has no `reward_fn`.
        """
        if self.size() == 0:
            raise RuntimeError("The replay buffer is empty: add transitions first.")
        if self.reward_fn is None:
            raise RuntimeError(
                "Saved replay buffers hold no reward function: assign reward_fn."
            )
        where = self._draw(batch_size)
        raw = self._gather(*where)
        acts, dones = self.actions[where], self.dones[where]
        obs, next_obs = self._tensors(self._normalize_obs(part, env) for part in raw)
        before, after = raw
        if self.pass_tensors:
            unchanged = env is None or not env.norm_obs
            before, after = (obs, next_obs) if unchanged else self._tensors(raw)
        rewards = self._rate(before, after, acts, dones > 0)
        if env is not None and env.norm_reward:
            rewards = self.to_torch(env.normalize_reward(rewards.cpu().numpy()))
        kind: Any = (
            DictReplayBufferSamples if isinstance(obs, dict) else ReplayBufferSamples
        )
        samples: Samples = kind(
            observations=obs,
            actions=self.to_torch(acts),
            next_observations=next_obs,
            # A time limit is no end to Stable-Baselines3: it bootstraps there.
            dones=self.to_torch((dones * (1 - self.timeouts[where])).reshape(-1, 1)),
            rewards=rewards,
        )
        return samples

    def _rate(
        self, obs: Any, next_obs: Any, stored_acts: np.ndarray, dones: np.ndarray
    ) -> th.Tensor:
        """Computes rewards of shape ``(B, 1)`` on the buffer's device."""
        acts: Any = self._layout.actions(stored_acts)
        ends: Any = dones
        if self.pass_tensors:
            acts, ends = self.to_torch(acts), self.to_torch(dones)
        states, next_states = map(self._layout.observations, (obs, next_obs))
        assert self.reward_fn is not None
        rewards: Any = self.reward_fn(states, acts, next_states, ends)
        if isinstance(rewards, th.Tensor):
            check_shape(rewards.shape, len(dones))
        else:
            rewards = tensors.safe_to_tensor(checked_rewards(rewards, len(dones)))
        on_device: th.Tensor = rewards.detach().to(self.device, th.float32)
        finite = th.isfinite(on_device)
        if not finite.all():
            raise DataError(
                f"the reward is {on_device[~finite][0].item()} for a sampled "
                "transition; reward_fn must return finite rewards"
            )
        return on_device.reshape(-1, 1)

    @override
    def _get_samples(self, *args: Any, **kwargs: Any) -> Any:
        # Its indices are time steps; `sample` has to draw the environments, too.
        raise NotImplementedError("sample from a relabeled buffer by sample()")

    def _draw(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws time steps and environments as Stable-Baselines3 does."""
        # From NumPy's global state, because that is what Stable-Baselines3 seeds.
        if self.optimize_memory_usage and self.full:
            # The next observation of the newest transition lies in the next place.
            steps = np.random.randint(1, self.buffer_size, size=batch_size) + self.pos
            steps %= self.buffer_size
        else:
            steps = np.random.randint(0, self.size(), size=batch_size)
        return steps, np.random.randint(0, self.n_envs, size=batch_size)

    def _gather(self, steps: np.ndarray, envs: np.ndarray) -> tuple[Any, Any]:
        """Copies the observations before and after some transitions."""
        obs = tree.take(self.observations, (steps, envs))
        if not self.optimize_memory_usage:
            return obs, tree.take(self.next_observations, (steps, envs))
        # DictReplayBuffer refuses this option, so observations are arrays.
        next_obs = self.observations[(steps + 1) % self.buffer_size, envs]
        for i in np.flatnonzero(self.dones[steps, envs]).tolist():
            last = self._last_obs.get((int(steps[i]), int(envs[i])))
            if last is not None:  # Stable-Baselines3 sets dones when it restarts
                next_obs[i] = last
        return obs, next_obs

    def _tensors(self, parts: Iterable[Any]) -> list[Any]:
        return [tree.map(self.to_torch, part) for part in parts]

    def __getstate__(self) -> State:
        return {**self.__dict__, "reward_fn": None}


def relabel(
    gen_algo: OffPolicyAlgorithm,
    reward_fn: RewardFn,
    *,
    env_observation_space: Space | None = None,
    pass_tensors: bool = False,
) -> ReplayBufferRewardWrapper:
    """Makes an off-policy algorithm learn from the current values of a reward function.

    Wraps its replay buffer: size, options and content stay. If the buffer relabels
    already, only its reward function is replaced.

    Args:
        gen_algo: SAC, TD3, DDPG, DQN or another.
        reward_fn: rates a batch of transitions.
        env_observation_space: the observation space that `reward_fn` is a function of;
            None for that where the algorithm's environment is wrapped in a
            `RewardVecEnvWrapper`, or else that below the transposition of images.
        pass_tensors: see `ReplayBufferRewardWrapper`.

    Returns:
        The new ``gen_algo.replay_buffer``.

    Raises:
        AssertionError: the replay buffer is not a `ReplayBuffer` or `DictReplayBuffer`.
        ConfigError: `gen_algo` has no replay buffer; a `VecNormalize` lies below the
            replaced reward; the spaces do not fit; or a buffer that optimizes memory
            holds transitions already.
    """
    buffer = getattr(gen_algo, "replay_buffer", None)
    if not isinstance(gen_algo, OffPolicyAlgorithm) or buffer is None:
        raise ConfigError(
            f"{type(gen_algo).__name__} has no replay buffer to relabel; pass an "
            "off-policy algorithm such as SAC, made with an environment"
        )
    if isinstance(buffer, ReplayBufferRewardWrapper):
        buffer.reward_fn = reward_fn
        return buffer
    if env_observation_space is None:
        env_observation_space = _rated_space(gen_algo.get_env())
    wrapper = ReplayBufferRewardWrapper.around(
        buffer,
        reward_fn,
        env_observation_space=env_observation_space,
        pass_tensors=pass_tensors,
    )
    gen_algo.replay_buffer = wrapper
    return wrapper


def unrelabel(gen_algo: BaseAlgorithm) -> None:
    """Undoes `relabel`: the rewards in the replay buffer are the environment's own."""
    buffer = getattr(gen_algo, "replay_buffer", None)
    if isinstance(gen_algo, OffPolicyAlgorithm) and isinstance(
        buffer, ReplayBufferRewardWrapper
    ):
        gen_algo.replay_buffer = buffer.replay_buffer


def _check_class(replay_buffer_class: type[ReplayBuffer]) -> None:
    # Others, such as hindsight and n-step buffers, compute rewards of their own.
    assert replay_buffer_class in (ReplayBuffer, DictReplayBuffer), (
        "only ReplayBuffer is supported, and DictReplayBuffer, not "
        f"{getattr(replay_buffer_class, '__name__', replay_buffer_class)}"
    )


def _rated_space(env: VecEnv | None) -> Space | None:
    """Returns the observation space that the reward of an environment depends on.

    Raises:
        ConfigError: it depends on normalized observations.
    """
    found: Space | None = None
    is_replaced = False
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, RewardVecEnvWrapper):
            found, is_replaced = env.observation_space, True
        elif isinstance(env, VecNormalize) and is_replaced:
            raise ConfigError(
                "VecNormalize lies below the environment's new reward, where it would "
                "normalize that by statistics of the old; remove it, or wrap it around"
            )
        elif isinstance(env, VecTransposeImage) and not is_replaced:
            found = env.venv.observation_space
        env = env.venv
    return found
