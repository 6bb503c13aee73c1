"""How long does it take to train with DAgger for 6,000 steps?

`SimpleDAggerTrainer` with its default settings on `seals/CartPole-v0`, one
environment, and the same expert: a linear controller that balances the pole for all
500 steps. The time covers collecting, saving the demonstrations and training. It is
reported per environment step. Checked afterwards: the clone's mean return.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness import Case, Workload, main, same

if TYPE_CHECKING:
    from stable_baselines3.common.policies import ActorCriticPolicy
    from stable_baselines3.common.vec_env import VecEnv

N_STEPS = 6_000
ENV = "seals/CartPole-v0"
GAINS = (0.3, 1.0, 10.0, 2.5)
"""The push to the right grows with position, speed, angle and angular speed."""


def environment() -> VecEnv:
    """One seeded environment."""
    import gymnasium as gym
    import seals  # noqa: F401  (registers the environments)
    from stable_baselines3.common.vec_env import DummyVecEnv

    venv = DummyVecEnv([lambda: gym.make(ENV)])
    venv.seed(0)
    return venv


def expert(venv: VecEnv) -> ActorCriticPolicy:
    """A policy without hidden layers whose logits are a linear controller."""
    import torch as th
    from stable_baselines3.common.policies import ActorCriticPolicy

    policy = ActorCriticPolicy(
        venv.observation_space, venv.action_space, lambda _: 1.0, net_arch=[]
    )
    with th.no_grad():
        policy.action_net.weight.copy_(th.tensor([[-g for g in GAINS], GAINS]) * 10)
        policy.action_net.bias.zero_()
    return policy


def imitation_setup() -> Workload:
    """`SimpleDAggerTrainer.train(6_000)`."""
    import numpy as np
    from stable_baselines3.common.evaluation import evaluate_policy

    from imitation.algorithms.bc import BC
    from imitation.algorithms.dagger import SimpleDAggerTrainer

    venv = environment()
    teacher = expert(venv)
    scratch = tempfile.TemporaryDirectory()  # removed when the process ends

    def work() -> Callable[[], float]:
        rng = np.random.default_rng(0)
        trainer = SimpleDAggerTrainer(
            venv=venv,
            scratch_dir=tempfile.mkdtemp(dir=scratch.name),
            expert_policy=teacher,
            rng=rng,
            bc_trainer=BC(
                observation_space=venv.observation_space,
                action_space=venv.action_space,
                rng=rng,
                device="cpu",
            ),
        )
        trainer.train(N_STEPS, bc_train_kwargs={"progress_bar": False})
        return lambda: float(evaluate_policy(trainer.policy, venv, 5, warn=False)[0])

    return work


if __name__ == "__main__":
    main(
        "How long does it take to train with DAgger for 6,000 steps?",
        [
            Case(
                name=f"{ENV}, 6,000 steps",
                setups=same(imitation_setup),
                units=N_STEPS,
                unit="step",
                target=4.0,
            )
        ],
        repeats=5,
    )
