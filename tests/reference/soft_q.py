"""Soft Q-learning and IQ-Learn, one transition and one action at a time."""

import math
from typing import Any


def soft_value(q_values: Any, temperature: Any) -> Any:
    """Haarnoja et al. (2017), equation 9; the largest taken out, for large Q."""
    best = max(q_values)
    total = sum(math.exp((q - best) / temperature) for q in q_values)
    return best + temperature * math.log(total)


def soft_bellman_error(rows: Any, temperature: Any, discount: Any) -> Any:
    """SQIL, equation 6 (halved): rows of (q_values, action, reward, done, next_q)."""
    errors = []
    for q_values, action, reward, done, next_q in rows:
        target = reward
        if not done:
            target += discount * soft_value(next_q, temperature)
        errors.append((q_values[action] - target) ** 2)
    return 0.5 * sum(errors) / len(errors)


def iq_objective(rows: Any, temperature: Any, discount: Any, alpha: Any) -> Any:
    """Garg et al. (2021): rows of (q_values, action, done, next_q, is_expert)."""
    expert_rewards, value_steps, squares = [], [], []
    for q_values, action, done, next_q, is_expert in rows:
        after = 0.0 if done else discount * soft_value(next_q, temperature)
        reward = q_values[action] - after
        if is_expert:
            expert_rewards.append(reward)
        value_steps.append(soft_value(q_values, temperature) - after)
        squares.append(reward**2)
    return (
        sum(expert_rewards) / len(expert_rewards)
        - sum(value_steps) / len(value_steps)
        - sum(squares) / len(squares) / (4 * alpha)
    )


def solve_soft_mdp(
    rewards: Any, successors: Any, discount: Any, temperature: Any, n_sweeps: int = 2000
) -> Any:
    """Soft value iteration; rewards[s][a], successors[s][a] is a state or None."""
    n_states, n_actions = len(rewards), len(rewards[0])
    q_values = [[0.0] * n_actions for _ in range(n_states)]
    for _ in range(n_sweeps):
        values = [soft_value(row, temperature) for row in q_values]
        q_values = [
            [
                rewards[s][a]
                + (
                    0.0
                    if successors[s][a] is None
                    else discount * values[successors[s][a]]
                )
                for a in range(n_actions)
            ]
            for s in range(n_states)
        ]
    return q_values
