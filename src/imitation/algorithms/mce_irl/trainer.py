r"""Maximum causal entropy inverse reinforcement learning.

From Brian Ziebart's thesis "Modeling Purposeful Adaptive Behavior with the Principle of
Maximum Causal Entropy" (2010), https://apps.dtic.mil/sti/citations/ADA608706, chapters
9 and 10: find the reward r whose soft-optimal policy π visits states as often as the
demonstrator does. The gradient of the (negative) objective by r(s) is

.. math:: \sum_t γ^t D_t(s) - \sum_t γ^t \hat{D}_t(s),

the visits of π minus those of the demonstrator, and is passed on to the parameters of
the network that gives r. From demonstrations of whole episodes, the objective is the
likelihood of the demonstrator's actions, which has the same gradient in expectation but
leaves out what chance in the transitions has added to it; see `corrected_occupancy`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch as th

from imitation.algorithms.base import AnyTransitions, DemonstrationAlgorithm
from imitation.algorithms.mce_irl import state
from imitation.algorithms.mce_irl.demonstrations import (
    Demonstrated,
    read_demonstrations,
)
from imitation.algorithms.mce_irl.planning import (
    check_discount,
    corrected_occupancy,
    cumulative,
    occupancy,
    partition,
)
from imitation.algorithms.mce_irl.policy import TabularPolicy
from imitation.data import types
from imitation.envs.tabular.layouts import Array
from imitation.envs.tabular.model import TabularArrays, read_model
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets import RewardNet
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.optimizers import make_optimizer
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

__all__ = ["MCEIRL", "squeeze_r"]

OBJECTIVES = ("likelihood", "occupancy")


def squeeze_r(r_output: th.Tensor) -> th.Tensor:
    """Squeezes a reward output tensor down to one dimension, if necessary.

    Args:
        r_output: output of a reward model, shape ``(n_states,)`` or ``(n_states, 1)``.

    Returns:
        Shape ``(n_states,)``.

    Raises:
        DataError: it has another shape.
    """
    if r_output.ndim == 2 and r_output.shape[1] == 1:
        return r_output.squeeze(1)
    if r_output.ndim != 1:
        raise DataError(
            f"a reward network gave shape {tuple(r_output.shape)}, expected "
            "(n_states,) or (n_states, 1)"
        )
    return r_output


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What follows from one reward."""

    pi: Array
    """The soft-optimal policy, shape ``(T, S, A)``."""

    occupancy: Array
    """Its cumulative visits, shape ``(S,)``."""

    slope: Array
    """The gradient of the objective by the reward, shape ``(S,)``."""

    loss: float
    """The objective."""


class MCEIRL(DemonstrationAlgorithm[types.TransitionsMinimal]):
    """Tabular MCE IRL.

    Reward is a function of observations, but policy is a function of states. The
    observations exist to let MCE IRL learn a reward in a reasonable feature space,
    giving a helpful inductive bias, e.g. that similar states have similar reward. Since
    planning computes the policy, it needs no function approximation.

    Args:
        demonstrations: demonstrations from an expert, or None to set them later:
            trajectories, transitions, an iterable of batches of them, or a state
            occupancy measure of shape ``(S,)`` as `mce_occupancy_measures` returns it.
            Their observations must be states, as integers or one-hot, or rows of
            ``env.observation_matrix`` if these differ.
        env: an environment with known dynamics, such as `imitation.envs.tabular` makes.
        reward_net: computes rewards from the observations of states.
        rng: random state used for sampling from the policy; None uses fresh entropy.
        optimizer_cls: optimizer of the reward network. ``torch.optim.LBFGS`` works too.
        optimizer_kwargs: its arguments; ``{"lr": 1e-2}`` if None. Unless they are
            given, Adam's ``betas`` are (0.9, 0.9): the gradient is exact, so a long
            memory of its size only holds it back.
        discount: the discount of rewards and visits. Unless it is 1, demonstrations
            must be trajectories or a discounted occupancy measure, for the times of
            transitions are not known.
        linf_eps: stop if no state is visited oftener or more rarely than by the
            demonstrator, by this number.
        grad_l2_eps: also stop if the l2 norm of the gradient falls below this.
        log_interval: iterations between logs; None logs nothing.
        custom_logger: where to log to; None makes a new logger.
        objective: "likelihood" maximises the likelihood of the actions where whole
            episodes are demonstrated, which finds better rewards from few of them;
            "occupancy" always matches the visits that were counted.

    Raises:
        ValueError: the horizon of the environment is not finite, or an argument lies
            outside its range.
    """

    demo_state_om: Array | None
    """Mean discounted visits of the demonstrator, shape ``(S,)``."""

    def __init__(
        self,
        demonstrations: AnyTransitions | Array | None,
        env: TabularArrays,
        reward_net: RewardNet,
        rng: np.random.Generator | None = None,
        optimizer_cls: type[th.optim.Optimizer] = th.optim.Adam,
        optimizer_kwargs: Mapping[str, Any] | None = None,
        discount: float = 1.0,
        linf_eps: float = 1e-3,
        grad_l2_eps: float = 1e-4,
        log_interval: int | None = 100,
        *,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        objective: Literal["likelihood", "occupancy"] = "likelihood",
    ) -> None:
        check_discount(discount)
        if objective not in OBJECTIVES:
            raise ConfigError(
                f"objective={objective!r} must be one of {', '.join(OBJECTIVES)}"
            )
        if log_interval is not None and log_interval <= 0:
            raise ConfigError(
                f"log_interval={log_interval} must be a positive integer or None"
            )
        self.env = env
        self._model = read_model(env)
        self._observations = _observations(env, self._model.dynamics.n_states)
        self.reward_net = reward_net
        self.rng = seeding.make_rng(rng)
        self.discount = discount
        self.linf_eps = linf_eps
        self.grad_l2_eps = grad_l2_eps
        self.log_interval = log_interval
        self.objective = objective
        self.demo_state_om = None
        self._demonstrated: Demonstrated | None = None
        self.iterations_trained = 0
        """Iterations of all calls of `train`."""
        self.optimizer = _make_optimizer(optimizer_cls, reward_net, optimizer_kwargs)
        self._policy = self._uniform_policy()
        self._check_reward_net()
        super().__init__(demonstrations=demonstrations, custom_logger=custom_logger)

    @property
    def policy(self) -> TabularPolicy:
        """The soft-optimal policy for the learned reward; at first a uniform one."""
        return self._policy

    def set_demonstrations(self, demonstrations: AnyTransitions | Array) -> None:
        """Sets the demonstrations.

        Args:
            demonstrations: see the class.

        Raises:
            ValueError: they do not fit the environment, or are transitions without
                times ("Cannot compute discounted OM from timeless Transitions.").
            TypeError: they are of an unsupported kind.
        """
        arrays: Any = getattr(self.env, "unwrapped", self.env)
        self._demonstrated = read_demonstrations(
            demonstrations,
            self._model,
            getattr(arrays, "observation_matrix", None),
            self.discount,
        )
        self.demo_state_om = self._demonstrated.occupancy
        if self._demonstrated.only_obs:
            self.logger.warn(
                "Training MCEIRL with transitions that lack next observation. This "
                "means observed state occupancy measure will be inaccurate: the last "
                "state of each episode is missing."
            )

    def train(
        self, max_iter: int = 1000, callback: Callable[[int], None] | None = None
    ) -> Array:
        """Runs MCE IRL.

        Args:
            max_iter: most iterations to train for. May terminate earlier if the
                `linf_eps` or `grad_l2_eps` thresholds are reached.
            callback: called after each iteration with the number of iterations of all
                calls.

        Returns:
            State occupancy measure for the final reward function, shape ``(S,)``.
            `reward_net` and `optimizer` are updated in place.

        Raises:
            ConfigError: no demonstrations were set, or `max_iter` is negative.
            DataError: the reward became NaN or infinite.
        """
        if self._demonstrated is None:
            raise ConfigError("call set_demonstrations() before train()")
        if max_iter < 0:
            raise ConfigError(f"max_iter={max_iter} must be an integer ≥ 0")
        with training_threads(self.reward_net):
            for _ in range(max_iter):
                if self._iterate():
                    break
                self.iterations_trained += 1
                if callback is not None:
                    callback(self.iterations_trained)
            final = self._plan(self.rewards())
        self._policy.set_pi(final.pi)
        return final.occupancy

    def rewards(self) -> Array:
        """Computes the learned reward of each state, float64 of shape ``(S,)``."""
        with th.no_grad():
            return self._forward().double().cpu().numpy()

    def save(self, path: AnyPath) -> None:
        """Saves the state of the training as a directory, atomically.

        Args:
            path: the directory; `load` of a trainer that was made with the same
                arguments continues from it as if there had been no interruption.
        """
        state.save(self, path)

    def load(self, path: AnyPath) -> None:
        """Continues from a state that `save` has written.

        Args:
            path: the directory.

        Raises:
            ArtifactError: there is no state, or one that does not fit.
        """
        state.load(self, path)
        self._policy.set_pi(self._plan(self.rewards()).pi)

    def _iterate(self) -> bool:
        """Does one iteration; returns True, changing nothing, if training is done."""
        plans: list[_Plan] = []

        def closure() -> float:
            """Sets the gradients; an optimizer may call it several times."""
            self.optimizer.zero_grad()
            rewards = self._forward()
            plan = self._plan(rewards.detach().double().cpu().numpy())
            plans.append(plan)
            th.autograd.backward(rewards, th.as_tensor(plan.slope).to(rewards))
            return plan.loss

        closure()
        done = self._log_and_judge(plans[0])
        if not done and isinstance(self.optimizer, th.optim.LBFGS):
            optimizer: Any = self.optimizer
            optimizer.step(closure)
        elif not done:
            self.optimizer.step()
        return done

    def _log_and_judge(self, plan: _Plan) -> bool:
        """Logs an iteration; returns whether it is good enough to be the last one."""
        assert self.demo_state_om is not None
        linf_delta = float(np.abs(plan.occupancy - self.demo_state_om).max())
        parameters = list(self.reward_net.parameters())
        grad_norm = _norm([p.grad for p in parameters if p.grad is not None])
        interval = self.log_interval
        if interval is not None and self.iterations_trained % interval == 0:
            self.logger.record("iteration", self.iterations_trained)
            self.logger.record("linf_delta", linf_delta)
            self.logger.record("weight_norm", _norm([p.detach() for p in parameters]))
            self.logger.record("grad_norm", grad_norm)
            self.logger.record("loss", plan.loss)
            self.logger.dump(self.iterations_trained)
        largest_slope = float(np.abs(plan.slope).max())
        reached = min(linf_delta, largest_slope) <= self.linf_eps
        return reached or grad_norm <= self.grad_l2_eps

    def _plan(self, rewards: Array) -> _Plan:
        """Plans with a reward, and compares the visits with the demonstrator's."""
        model, discount, demos = self._model, self.discount, self._demonstrated
        if not np.isfinite(rewards).all():
            raise DataError(
                f"the reward network gives NaN or infinity after "
                f"{self.iterations_trained} iterations; lower the learning rate"
            )
        values, _, pi = partition(model, rewards[None], discount)
        visits = occupancy(model, pi)
        total = cumulative(visits, discount)
        if demos is None:
            return _Plan(pi, total, np.zeros_like(total), np.nan)
        if demos.pairs is not None and self.objective == "likelihood":
            theirs = corrected_occupancy(model, pi, demos.pairs)
            # No reward is paid after the last action.
            slope = cumulative((visits - theirs)[:-1], discount)
            return _Plan(
                pi, total, slope, _neg_log_likelihood(pi, demos.pairs, discount)
            )
        slope = total - demos.occupancy
        paid = demos.occupancy - discount**model.horizon * visits[-1]
        return _Plan(
            pi, total, slope, float(model.initial @ values[0] - rewards @ paid)
        )

    def _forward(self) -> th.Tensor:
        net = self.reward_net
        observations = th.as_tensor(self._observations, dtype=net.dtype)
        # The reward is of states only; a network that looks at more fails.
        missing: Any = None
        return squeeze_r(net(observations.to(net.device), missing, missing, missing))

    def _check_reward_net(self) -> None:
        try:
            with th.no_grad():
                rewards = self._forward()
        except (AttributeError, TypeError) as error:
            raise ConfigError(
                "MCE IRL learns rewards of states; make the reward network with "
                "use_action=False, use_next_state=False and use_done=False"
            ) from error
        if rewards.shape != (n := self._model.dynamics.n_states,):
            raise DataError(
                f"the reward network gave shape {tuple(rewards.shape)} for {n} states"
            )

    def _uniform_policy(self) -> TabularPolicy:
        dynamics = self._model.dynamics
        shape = (self._model.horizon, dynamics.n_states, dynamics.n_actions)
        return TabularPolicy(
            gym.spaces.Discrete(dynamics.n_states),
            gym.spaces.Discrete(dynamics.n_actions),
            np.full(shape, 1 / dynamics.n_actions),
            self.rng,
        )


def _observations(env: Any, n_states: int) -> Array:
    """What is observed in each state; one-hot if these are the states themselves."""
    arrays = getattr(env, "unwrapped", env)
    matrix = getattr(arrays, "observation_matrix", None)
    if matrix is None:
        return np.eye(n_states, dtype=np.float32)
    if np.ndim(matrix) != 2 or len(matrix) != n_states:
        raise DataError(
            f"observation_matrix has shape {np.shape(matrix)}, expected "
            f"({n_states}, n_features)"
        )
    return np.asarray(matrix)


def _make_optimizer(
    optimizer_cls: type[th.optim.Optimizer],
    reward_net: RewardNet,
    optimizer_kwargs: Mapping[str, Any] | None,
) -> th.optim.Optimizer:
    kwargs = {"lr": 1e-2} if optimizer_kwargs is None else dict(optimizer_kwargs)
    if issubclass(optimizer_cls, th.optim.Adam):
        kwargs = {"betas": (0.9, 0.9), **kwargs}
    return make_optimizer(optimizer_cls, reward_net.parameters(), kwargs)


def _neg_log_likelihood(pi: Array, pairs: Array, discount: float) -> float:
    """Minus the discounted log-likelihood of the mean demonstration."""
    chosen = pairs > 0
    terms = np.zeros_like(pairs)
    terms[chosen] = pairs[chosen] * np.log(pi.transpose(0, 2, 1)[chosen])
    return -float(discount ** np.arange(len(pairs)) @ terms.sum(axis=(1, 2)))


def _norm(tensors: list[th.Tensor]) -> float:
    """The l2 norm of all entries of some tensors."""
    return float(th.sqrt(sum((t.double() ** 2).sum() for t in tensors) + th.zeros(())))
