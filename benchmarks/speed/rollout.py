"""How long does one environment step of `rollout.rollout` take?

8 environments and a sampling PPO `MlpPolicy`, as the quick start does it: each
environment in a `RolloutInfoWrapper`, trajectories unwrapped, infos dropped. The
bare loop only predicts, steps and keeps what comes back, without the wrapper.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Case, Workload, main, same

if TYPE_CHECKING:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecEnv

N_ENVS = 8
N_STEPS = 10_000


def environments(env_name: str, *, wrap: bool) -> VecEnv:
    """Seeded vector environment; `wrap` records the original episodes."""
    import gymnasium as gym
    from stable_baselines3.common.vec_env import DummyVecEnv

    def make() -> gym.Env:
        if not wrap:
            return gym.make(env_name)
        from imitation.data.wrappers import RolloutInfoWrapper

        return RolloutInfoWrapper(gym.make(env_name))

    venv = DummyVecEnv([make] * N_ENVS)
    venv.seed(0)
    return venv


def agent(venv: VecEnv) -> PPO:
    """An untrained agent: its episodes of CartPole are short (about 20 steps)."""
    from stable_baselines3 import PPO

    return PPO("MlpPolicy", venv, seed=0, device="cpu")


def imitation_setup(env_name: str) -> Workload:
    """`rollout.rollout` until there are enough steps."""
    import numpy as np

    from imitation.data import rollout

    venv = environments(env_name, wrap=True)
    policy = agent(venv).policy
    enough = rollout.make_sample_until(min_timesteps=N_STEPS)
    rng = np.random.default_rng(0)
    return lambda: rollout.rollout(policy, venv, enough, rng=rng, verbose=False)


def bare_setup(env_name: str) -> Workload:
    """Predict, step, append."""
    venv = environments(env_name, wrap=False)
    policy = agent(venv).policy

    def work() -> list[object]:
        obs = venv.reset()
        kept: list[object] = []
        for _ in range(N_STEPS // N_ENVS):
            acts, _state = policy.predict(obs)
            obs, rews, dones, infos = venv.step(acts)
            kept.append((obs, acts, rews, dones, infos))
        return kept

    return work


if __name__ == "__main__":
    main(
        "How long does one environment step of rollout.rollout take?",
        [
            Case(
                name=env_name,
                setups=same(
                    partial(imitation_setup, env_name), partial(bare_setup, env_name)
                ),
                units=N_STEPS,
                unit="step",
                target=target,
            )
            for env_name, target in (("CartPole-v1", 1.5), ("Pendulum-v1", None))
        ],
    )
