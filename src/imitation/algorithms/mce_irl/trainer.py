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
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch as th
from typing_extensions import override

from imitation.algorithms.base import AnyTransitions, DemonstrationAlgorithm
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
from imitation.algorithms.mce_irl.tables import Tables
from imitation.data import types
from imitation.envs.tabular.layouts import Array
from imitation.envs.tabular.model import TabularArrays, read_model
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.serialize import save_reward_net
from imitation.training.checkpoints import Checkpoints
from imitation.training.trainer import State
from imitation.util import logger as imit_logger
from imitation.util import rebuilding, seeding
from imitation.util.optimizers import load_state, make_optimizer
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

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
class Plan:
    """The consequences of one reward."""

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
        linf_eps: stop if the visits of no state differ from the demonstrator's by more
            than this: the L∞ tolerance on visit counts.
        grad_l2_eps: also stop if the l2 norm of the gradient falls below this.
        log_interval: iterations between logs; None logs nothing.
        custom_logger: where to log to; None makes a new logger.
        objective: "likelihood" maximizes the likelihood of the actions where whole
            episodes are demonstrated, which finds better rewards from few of them;
            "occupancy" always matches the visits that were counted.

    Raises:
        ValueError: the horizon of the environment is not finite, or an argument lies
            outside its range.
    """

    kind = "mce_irl"

    demo_state_om: Array | None
    """Mean discounted visits of the demonstrator, shape ``(S,)``."""

    def __init__(
        self,
        demonstrations: AnyTransitions | Array | None,
        env: TabularArrays,
        reward_net: RewardNet,
        rng: np.random.Generator | None = None,
        optimizer_cls: type[th.optim.Optimizer] = th.optim.Adam,
        optimizer_kwargs: Mapping[str, object] | None = None,
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
        kwargs = {"lr": 1e-2} if optimizer_kwargs is None else dict(optimizer_kwargs)
        # Nothing is sampled, so there is no noise for a long memory to average out.
        if issubclass(optimizer_cls, th.optim.Adam):
            kwargs = {"betas": (0.9, 0.9), **kwargs}
        self.optimizer = make_optimizer(optimizer_cls, reward_net.parameters(), kwargs)
        dynamics = self._model.dynamics
        self._policy = TabularPolicy(
            gym.spaces.Discrete(dynamics.n_states),
            gym.spaces.Discrete(dynamics.n_actions),
            self._uniform_pi(),
            self.rng,
        )
        self._check_reward_net()
        super().__init__(demonstrations=demonstrations, custom_logger=custom_logger)

    @property
    @override
    def policy(self) -> TabularPolicy:
        """The soft-optimal policy for the learned reward; at first a uniform one."""
        return self._policy

    @override
    def set_demonstrations(self, demonstrations: AnyTransitions | Array) -> None:
        """Sets the demonstrations, of any kind that the class takes.

        Raises:
            ValueError: they do not fit the environment, or are transitions without
                times ("Cannot compute discounted OM from timeless Transitions.").
            TypeError: they are of an unsupported kind.
        """
        arrays: object = getattr(self.env, "unwrapped", self.env)
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
        self,
        max_iter: int = 1000,
        callback: Callable[[int], object] | None = None,
        *,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
    ) -> Array:
        """Runs MCE IRL.

        Args:
            max_iter: most iterations to train for. May terminate earlier if the
                `linf_eps` or `grad_l2_eps` thresholds are reached.
            callback: called after each iteration with the number of iterations of all
                calls, `progress`.
            checkpoint_dir: where to save ``final/``, what `export` writes, and
                ``latest/``, the state to resume from; None saves nothing.
            checkpoint_interval: iterations between states; 0 saves only the last.
            resume: continue from the state in `checkpoint_dir`, if any; `max_iter` then
                counts from where the training began.

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
        saver = Checkpoints(self, checkpoint_dir, state_every=checkpoint_interval)
        done = saver.resume() if resume else 0
        with training_threads(self.reward_net):
            for _ in range(max_iter - done):
                if self._iterate():
                    break
                self.progress += 1
                if callback is not None:
                    callback(self.progress)
                saver.after(self.progress)
            # Release 1.0 returned the policy for the reward before the last step.
            final = self.plan(self.rewards())
        self._policy.set_pi(final.pi)
        saver.finish()
        return final.occupancy

    def rewards(self) -> Array:
        """Computes the learned reward of each state, float64 of shape ``(S,)``."""
        with th.no_grad():
            return self.reward_tensor().double().cpu().numpy()

    def reward_tensor(self) -> th.Tensor:
        """Computes the learned rewards with gradients, shape ``(S,)``."""
        net = self.reward_net
        observations = th.as_tensor(self._observations, dtype=net.dtype)
        # The reward is of states only; a network that looks at more fails.
        missing: object = None
        return squeeze_r(net(observations.to(net.device), missing, missing, missing))

    def tables(self) -> Tables:
        """Computes the results by state, for a trainer with demonstrations."""
        env: Any = getattr(self.env, "unwrapped", self.env)
        assert self.demo_state_om is not None, "a trained trainer has demonstrations"
        reward = self.rewards()
        true_reward = self._model.reward(env.reward_matrix)  # broadcasts to (A, S)
        true_pi = partition(self._model, true_reward, self.discount)[2]
        true_visits = occupancy(self._model, true_pi)
        height, width = (getattr(env, name, None) for name in ("height", "width"))
        grid = None
        if height is not None and width is not None and height * width == len(reward):
            grid = (int(height), int(width))
        return Tables(
            reward=reward,
            true_reward=np.broadcast_to(true_reward.mean(axis=0), reward.shape).copy(),
            occupancy=self.plan(reward).occupancy,
            demo_occupancy=self.demo_state_om,
            true_occupancy=cumulative(true_visits, self.discount),
            grid=grid,
        )

    @override
    def kinds(self) -> dict[str, str]:
        parts = {"reward network": self.reward_net, "optimizer": self.optimizer}
        return super().kinds() | {role: type(x).__name__ for role, x in parts.items()}

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "reward_net": self.reward_net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.reward_net.load_state_dict(state["reward_net"])
        load_state(self.optimizer, state["optimizer"])
        # The policy is not in the state, which is written often: it can be planned.
        is_new = self.progress == 0
        self._policy.set_pi(
            self._uniform_pi() if is_new else self.plan(self.rewards()).pi
        )

    @override
    def check_export(self) -> None:
        rebuilding.describe(self.reward_net)

    @override
    def export(self, directory: pathlib.Path) -> None:
        """Writes ``reward_net.pt``, ``policy``, and the tables for `load_tables`."""
        save_reward_net(self.reward_net, directory / "reward_net.pt")
        self.policy.save(directory / "policy")
        self.tables().save(directory)

    def _iterate(self) -> bool:
        """Does one iteration; returns True, changing nothing, if training is done."""
        plans: list[Plan] = []

        def closure() -> float:
            """Sets the gradients; an optimizer may call it several times."""
            self.optimizer.zero_grad()
            rewards = self.reward_tensor()
            plan = self.plan(rewards.detach().double().cpu().numpy())
            plans.append(plan)
            # Planning is not differentiated: its gradient by the rewards is known.
            th.autograd.backward(rewards, th.as_tensor(plan.slope).to(rewards))
            return plan.loss

        closure()  # an iteration is judged, and maybe the last, before its step
        done = self._log_and_judge(plans[0])
        # LBFGS evaluates the objective several times in a step; others do not take it.
        if not done and isinstance(self.optimizer, th.optim.LBFGS):
            optimizer: Any = self.optimizer
            optimizer.step(closure)
        elif not done:
            self.optimizer.step()
        return done

    def _log_and_judge(self, plan: Plan) -> bool:
        """Logs an iteration; returns whether it is good enough to be the last one."""
        assert self.demo_state_om is not None
        linf_delta = float(np.abs(plan.occupancy - self.demo_state_om).max())
        parameters = list(self.reward_net.parameters())
        grad_norm = _norm([p.grad for p in parameters if p.grad is not None])
        interval = self.log_interval
        if interval is not None and self.progress % interval == 0:
            self.logger.record("iteration", self.progress)
            self.logger.record("linf_delta", linf_delta)
            self.logger.record("weight_norm", _norm([p.detach() for p in parameters]))
            self.logger.record("grad_norm", grad_norm)
            self.logger.record("loss", plan.loss)
            self.logger.dump(self.progress)
        # Of the likelihood, visits may differ by chance while the slope is 0.
        largest_slope = float(np.abs(plan.slope).max())
        reached = min(linf_delta, largest_slope) <= self.linf_eps
        return reached or grad_norm <= self.grad_l2_eps

    def plan(self, rewards: Array) -> Plan:
        """Plans with a reward, and compares the visits with the demonstrator's.

        Args:
            rewards: of each state, shape ``(S,)``.

        Raises:
            DataError: one is NaN or infinite.
        """
        model, discount, demos = self._model, self.discount, self._demonstrated
        if not np.isfinite(rewards).all():
            raise DataError(
                f"the reward network gives NaN or infinity after "
                f"{self.progress} iterations; lower the learning rate"
            )
        values, _, pi = partition(model, rewards[None], discount)
        visits = occupancy(model, pi)
        total = cumulative(visits, discount)
        if demos is None:
            return Plan(pi, total, np.zeros_like(total), np.nan)
        if demos.pairs is not None and self.objective == "likelihood":
            theirs = corrected_occupancy(model, pi, demos.pairs)
            # No reward is paid after the last action.
            slope = cumulative((visits - theirs)[:-1], discount)
            # Minus the discounted log-likelihood of the mean demonstration. Actions
            # that were never chosen count 0 even where their log is −∞.
            chosen, log_likelihood = demos.pairs > 0, np.zeros_like(demos.pairs)
            log_pi = np.log(pi.transpose(0, 2, 1)[chosen])  # as pairs, (T, A, S)
            log_likelihood[chosen] = demos.pairs[chosen] * log_pi
            by_time = log_likelihood.sum(axis=(1, 2))
            loss = -float(discount ** np.arange(len(by_time)) @ by_time)
            return Plan(pi, total, slope, loss)
        # As in release 1.0, the visits after the last action count in the slope.
        slope = total - demos.occupancy
        # The last visits are after the last action, where no reward is paid.
        paid = demos.occupancy - discount**model.horizon * visits[-1]
        return Plan(pi, total, slope, float(model.initial @ values[0] - rewards @ paid))

    def _check_reward_net(self) -> None:
        try:
            with th.no_grad():
                rewards = self.reward_tensor()
        except (AttributeError, TypeError) as error:
            raise ConfigError(
                "MCE IRL learns rewards of states; make the reward network with "
                "use_action=False, use_next_state=False and use_done=False"
            ) from error
        if rewards.shape != (n := self._model.dynamics.n_states,):
            raise DataError(
                f"the reward network gave shape {tuple(rewards.shape)} for {n} states"
            )

    def _uniform_pi(self) -> Array:
        dynamics = self._model.dynamics
        shape = (self._model.horizon, dynamics.n_states, dynamics.n_actions)
        return np.full(shape, 1 / dynamics.n_actions)


def _observations(env: Any, n_states: int) -> Array:
    """Returns the observation of each state; one-hot if these are the states."""
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


def _norm(tensors: list[th.Tensor]) -> float:
    """Computes the l2 norm of all entries of some tensors."""
    return float(th.sqrt(sum((t.double() ** 2).sum() for t in tensors) + th.zeros(())))
