r"""Soft-optimal policies and the visits that policies make, for known dynamics.

From Brian Ziebart's thesis "Modeling Purposeful Adaptive Behavior with the Principle of
Maximum Causal Entropy" (2010), https://apps.dtic.mil/sti/citations/ADA608706, chapter
9. With T decisions, reward r, discount γ and no value after the last decision,

.. math::
    Q_t(s, a) = r(s, a) + γ \sum_{s'} p(s'|s, a) V_{t+1}(s'), \quad
    V_t(s) = \log \sum_a \exp Q_t(s, a), \quad
    π_t(a|s) = \exp(Q_t(s, a) - V_t(s)),

equations (9.1) to (9.3) for a finite horizon. Each time step is one product with the
matrix of all transition probabilities.
"""

import numpy as np

from imitation.envs.tabular.layouts import Array, Matrix
from imitation.envs.tabular.model import TabularArrays, TabularModel, read_model
from imitation.errors import ConfigError, DataError


def mce_partition_fh(
    env: TabularArrays, *, reward: Matrix | None = None, discount: float = 1.0
) -> tuple[Array, Array, Array]:
    """Performs the soft Bellman backup for a finite-horizon MDP.

    Calculates soft values, action values and the policy that has the largest causal
    entropy plus expected reward, by recurrences (9.1), (9.2) and (9.3) of Ziebart
    (2010).

    Args:
        env: an environment with known dynamics, S states, A actions and T steps.
        reward: rewards of shape ``(S,)``, ``(S, A)`` or ``(S, A, S)``. Defaults to
            ``env.reward_matrix``.
        discount: what a reward one step later is worth, in [0, 1].

    Returns:
        ``(V, Q, pi)``, float64: values ``V[t, s]`` of shape ``(T, S)``, action values
        ``Q[t, s, a]`` and the policy ``pi[t, s, a]`` of shape ``(T, S, A)``.

    Raises:
        ValueError: ``env.horizon`` is None (infinite horizon), or the arrays are no
            decision process.
    """
    check_discount(discount)
    model = read_model(env)
    return partition(model, model.reward(_reward_of(env, reward)), discount)


def mce_occupancy_measures(
    env: TabularArrays,
    *,
    reward: Matrix | None = None,
    pi: Array | None = None,
    discount: float = 1.0,
) -> tuple[Array, Array]:
    """Calculates state visitation frequencies under a policy.

    Args:
        env: an environment with known dynamics, S states, A actions and T steps.
        reward: rewards as in `mce_partition_fh`. Defaults to ``env.reward_matrix``.
        pi: policy ``pi[t, s, a]``, shape ``(T, S, A)``. Defaults to the soft-optimal
            one for `reward` and `discount`.
        discount: what a visit one step later counts, in [0, 1].

    Returns:
        ``(D, Dcum)``, float64: ``D[t, s]`` of shape ``(T + 1, S)``, the probability of
        being in a state at a time, where T is after the last action, and ``Dcum`` of
        shape ``(S,)``, the expected discounted number of visits of each state.

    Raises:
        ValueError: ``env.horizon`` is None (infinite horizon), the arrays are no
            decision process, or `pi` is not a valid policy for it.
    """
    check_discount(discount)
    model = read_model(env)
    if pi is None:
        rewards = model.reward(_reward_of(env, reward))
        _, _, pi = partition(model, rewards, discount)
    else:
        pi = _checked_policy(pi, model)
    visits = occupancy(model, pi)
    return visits, cumulative(visits, discount)


def partition(
    model: TabularModel, reward: Array, discount: float
) -> tuple[Array, Array, Array]:
    """Computes the backup of `mce_partition_fh` on arrays that are checked already.

    Args:
        model: the environment.
        reward: as `TabularModel.reward` returns it.
        discount: in [0, 1].

    Returns:
        See `mce_partition_fh`. The last two are views of arrays with actions first.
    """
    dynamics = model.dynamics
    shape = (model.horizon, dynamics.n_actions, dynamics.n_states)
    values, totals = np.empty(shape[::2]), np.empty(shape[::2])
    action_values, policy = np.empty(shape), np.empty(shape)
    # Actions first, (T, A, S), so that each time step is one product of matrices.
    largest, ones = np.empty(dynamics.n_states), np.ones(dynamics.n_actions)
    # Once for all steps, instead of in each addition.
    reward = np.broadcast_to(reward, shape[1:]).copy()
    later = None
    backwards = (array[::-1] for array in (action_values, policy, values, totals))
    for q, terms, value, total in zip(*backwards, strict=True):
        if later is None:
            q[...] = reward
        else:
            dynamics.expected(later if discount == 1.0 else discount * later, out=q)
            np.add(q, reward, out=q)
        # Log-sum-exp over actions, whose terms are the policy but for its norm. The
        # largest is subtracted so that large rewards do not overflow.
        np.maximum.reduce(q, axis=0, out=largest)
        np.subtract(q, largest, out=terms)
        np.exp(terms, out=terms)
        np.dot(ones, terms, out=total)
        np.add(np.log(total, out=value), largest, out=value)
        later = value
    policy /= totals[:, None]
    return values, action_values.transpose(0, 2, 1), policy.transpose(0, 2, 1)


def occupancy(model: TabularModel, pi: Array) -> Array:
    """Computes where a policy is at each time.

    Args:
        model: the environment.
        pi: the policy, shape ``(T, S, A)``; fastest as `partition` returns it.

    Returns:
        Probabilities of shape ``(T + 1, S)``.
    """
    dynamics = model.dynamics
    policy = np.ascontiguousarray(pi.transpose(0, 2, 1))  # (T, A, S)
    visits = np.empty((model.horizon + 1, dynamics.n_states))
    joint = np.empty((dynamics.n_actions, dynamics.n_states))
    visits[0] = model.initial
    # Views of one array: each step writes the next row in place.
    for choices, now, later in zip(policy, visits[:-1], visits[1:], strict=True):
        dynamics.next_states(np.multiply(choices, now, out=joint), out=later)
    return visits


def corrected_occupancy(model: TabularModel, pi: Array, pairs: Array) -> Array:
    r"""Estimates where a demonstrator is, with what is known of the dynamics.

    Demonstrations differ by the demonstrator's choices and by chance in the
    transitions; the latter is known exactly and need not be estimated. The estimate is

    .. math::
        E_{t+1}(s') = \sum_{s, a} p(s'|s, a) \left[
            E_t(s) π_t(a|s) + n_t(s, a) - n_t(s) π_t(a|s) \right],

    where n counts the demonstrations: visits under π, corrected by how often the
    demonstrator has chosen otherwise than π.

    Args:
        model: the environment.
        pi: any policy, shape ``(T, S, A)``.
        pairs: mean number n of times that each action was done in each state at each
            time, shape ``(T, A, S)``.

    Returns:
        Shape ``(T + 1, S)``; may be a little negative.
    """
    dynamics = model.dynamics
    policy = np.ascontiguousarray(pi.transpose(0, 2, 1))
    visits = np.empty((model.horizon + 1, dynamics.n_states))
    visits[0] = model.initial  # known, so not estimated from the demonstrations
    for t in range(model.horizon):
        unexplained = visits[t] - pairs[t].sum(axis=0)
        joint = policy[t] * unexplained + pairs[t]
        dynamics.next_states(joint, out=visits[t + 1])
    return visits


def cumulative(visits: Array, discount: float) -> Array:
    """Sums visits over time, discounted.

    Args:
        visits: at each time, shape ``(n_times, S)``.
        discount: in [0, 1].

    Returns:
        Shape ``(S,)``.
    """
    weights = discount ** np.arange(len(visits))
    total: Array = weights @ visits
    return total


def check_discount(discount: float) -> None:
    """Raises a ConfigError unless a discount lies in [0, 1]."""
    if not 0.0 <= discount <= 1.0:
        raise ConfigError(f"discount={discount} must lie in [0, 1]")


def _reward_of(env: TabularArrays, reward: Matrix | None) -> Matrix:
    arrays = getattr(env, "unwrapped", env)
    return arrays.reward_matrix if reward is None else reward


def _checked_policy(pi: Array, model: TabularModel) -> Array:
    pi = np.asarray(pi, dtype=np.float64)
    dynamics = model.dynamics
    expected = (model.horizon, dynamics.n_states, dynamics.n_actions)
    if pi.shape != expected:
        raise DataError(
            f"pi has shape {pi.shape}, expected (horizon, n_states, n_actions) = "
            f"{expected}"
        )
    if not (pi.min() >= 0 and np.abs(pi.sum(axis=2) - 1.0).max() <= 1e-5):
        raise DataError(
            "pi is not a valid policy: at each time and in each state the "
            "probabilities must be ≥ 0 and sum to 1"
        )
    return pi
