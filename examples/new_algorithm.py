"""A new algorithm: all it takes to save, resume after a kill, export and checkpoint."""

import pathlib

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import base
from imitation.data import types
from imitation.policies.base import FeedForward32Policy
from imitation.training.checkpoints import Checkpoints
from imitation.training.trainer import State
from imitation.util import seeding
from imitation.util.policy_io import save_policy
from imitation.util.tensors import safe_to_tensor


class Mimic(base.DemonstrationAlgorithm[types.TransitionsMinimal]):
    """Maximizes log π(a|s) of expert transitions drawn at random."""

    kind = "mimic"

    def __init__(
        self,
        demonstrations: base.AnyTransitions,
        venv: VecEnv,
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        with seeding.torch_seeded(rng):
            self._policy = FeedForward32Policy(
                venv.observation_space, venv.action_space, lambda _: 1e-2
            )
        super().__init__(demonstrations=demonstrations)

    @property
    @override
    def policy(self) -> FeedForward32Policy:
        return self._policy

    @override
    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        data = base.transitions_of(demonstrations, pairs_only=True)
        assert isinstance(data, types.TransitionsMinimal), "batches are not supported"
        self.obs, self.acts = map(safe_to_tensor, (data.obs, data.acts))

    def train(self, n_steps: int, saver: Checkpoints) -> None:
        """Makes optimizer steps until `progress` is `n_steps`."""
        while self.progress < n_steps:
            rows = self.rng.integers(len(self.obs), size=64)
            _, log_probs, _ = self.policy.evaluate_actions(
                self.obs[rows], self.acts[rows]
            )
            self.policy.optimizer.zero_grad()
            log_probs.mean().neg().backward()
            self.policy.optimizer.step()
            self.progress += 1
            saver.after(self.progress)
        saver.finish()

    @override
    def state_dict(self) -> State:
        optimizer = self.policy.optimizer.state_dict()
        own = {"policy": self.policy.state_dict(), "optimizer": optimizer}
        return super().state_dict() | own

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.policy.load_state_dict(state["policy"])
        self.policy.optimizer.load_state_dict(state["optimizer"])

    @override
    def export(self, directory: pathlib.Path) -> None:
        save_policy(self.policy, directory / "policy")
