"""DAgger with an expert that can be asked at any time."""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base, bc
from imitation.algorithms.dagger.collector import (
    Expert,
    RoundSize,
    check_expert_spaces,
    collect,
    demonstration_name,
)
from imitation.algorithms.dagger.trainer import DAggerTrainer, Saved
from imitation.data import flatten, tree, types
from imitation.data.storage import episode_files
from imitation.errors import ConfigError
from imitation.util import logger as imit_logger
from imitation.util import progress


class SimpleDAggerTrainer(DAggerTrainer):
    """DAgger with an expert policy: collects and trains by itself.

    Args:
        venv: the training environments.
        scratch_dir: directory for demonstrations and checkpoints.
        expert_policy: labels every visited state: a policy or algorithm of
            Stable-Baselines3 (asked deterministically), a person (an interactive
            policy), or a function of (observations, state, episode_starts) that returns
            (actions, state).
        rng: decides who acts and names the episodes; None for fresh entropy.
        expert_trajs: demonstrations that are part of round 0 from the start; saved with
            the prefix ``initial_data-``, each once however often this is called.
        **dagger_trainer_kwargs: passed to `DAggerTrainer`: `bc_trainer`,
            `beta_schedule`, `custom_logger`.

    Raises:
        ValueError: the spaces of `venv` and `expert_policy` (or `bc_trainer`) differ,
            or `expert_trajs` do not fit them; no trajectory was saved then.
        TypeError: `expert_policy` cannot act, or `expert_trajs` are not trajectories.
    """

    def __init__(
        self,
        *,
        venv: VecEnv,
        scratch_dir: types.AnyPath,
        expert_policy: Expert,
        rng: np.random.Generator | None = None,
        expert_trajs: Sequence[types.Trajectory] | None = None,
        **dagger_trainer_kwargs: Any,
    ) -> None:
        super().__init__(
            venv=venv, scratch_dir=scratch_dir, rng=rng, **dagger_trainer_kwargs
        )
        check_expert_spaces(expert_policy, venv)
        self.expert_policy = expert_policy
        initial = list(expert_trajs or ())
        for trajectory in initial:
            if not isinstance(trajectory, types.Trajectory):
                raise TypeError(
                    "expert_trajs must be a sequence of trajectories, got one of "
                    f"{type(trajectory).__name__}"
                )
            pairs = flatten.flatten_pairs([trajectory])
            base.check_demonstrations(pairs, venv.observation_space, venv.action_space)
        for i, trajectory in enumerate(initial):
            self._add_initial(i, trajectory)

    @classmethod
    def load(
        cls,
        scratch_dir: types.AnyPath,
        *,
        venv: VecEnv,
        expert_policy: Expert,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        device: th.device | str = "auto",
        beta_schedule: Callable[[int], float] | None = None,
        lr_schedule: Callable[[float], float] | None = None,
    ) -> "SimpleDAggerTrainer":
        """Continues a run from its scratch directory, after a kill at any instant.

        Args:
            scratch_dir: the directory of the earlier run.
            venv: the training environments.
            expert_policy: the expert.
            custom_logger: where to log to; None makes a new logger.
            device: where to put the policy.
            beta_schedule: see `reconstruct_trainer`.
            lr_schedule: see `reconstruct_trainer`.

        Returns:
            The trainer; `train(total_timesteps, resume=True)` finishes the run.

        Raises:
            ArtifactError: there is no complete checkpoint.
            ConfigError: `beta_schedule` is needed.
        """
        saved = Saved.read(
            scratch_dir, custom_logger, device, beta_schedule, lr_schedule
        )
        trainer = cls(
            venv=venv,
            scratch_dir=scratch_dir,
            expert_policy=expert_policy,
            rng=saved.rng,
            beta_schedule=saved.beta_schedule,
            bc_trainer=saved.bc_trainer,
            custom_logger=custom_logger,
        )
        trainer.load_state(saved.path)
        return trainer

    def train(
        self,
        total_timesteps: int,
        *,
        rollout_round_min_episodes: int = 3,
        rollout_round_min_timesteps: int = 500,
        bc_train_kwargs: Mapping[str, Any] | None = None,
        resume: bool = False,
        progress_bar: bool = True,
    ) -> None:
        """Repeats collecting a round of demonstrations and training BC on all of them.

        Args:
            total_timesteps: how many environment steps to take, at least; rounded up to
                whole rounds. A second call takes that many more.
            rollout_round_min_episodes: episodes that a round has at least.
            rollout_round_min_timesteps: steps that a round has at least; never less
                than `batch_size`.
            bc_train_kwargs: arguments of `BC.train`, see `extend_and_update`; its
                `progress_bar` is off unless set here.
            resume: let the steps taken by this trainer before count towards
                `total_timesteps`, and finish an interrupted round first.
            progress_bar: show one bar over the environment steps.

        Raises:
            ConfigError: a number is not positive, or `bc_train_kwargs` holds something
                that `BC.train` does not take.
        """
        if total_timesteps <= 0:
            raise ConfigError(
                f"total_timesteps must be positive, got {total_timesteps}"
            )
        size = RoundSize(
            rollout_round_min_episodes,
            max(rollout_round_min_timesteps, self.batch_size),
        )
        before = self.total_timesteps
        target = total_timesteps if resume else before + total_timesteps
        kwargs = {"progress_bar": False, **(bc_train_kwargs or {})}
        # Before an expert, maybe a person, is asked anything.
        known = inspect.signature(bc.BC.train).parameters.keys() - {"self"}
        if unknown := sorted(kwargs.keys() - known):
            raise ConfigError(
                f"BC.train does not take {', '.join(unknown)}; bc_train_kwargs may "
                f"hold {', '.join(sorted(known))}"
            )
        # An expert may be slow or a person: a kill in the first round can be resumed,
        # too.
        if not self._owns_checkpoint:
            self._save_as("latest")
        with progress.progress_bar(
            target, "DAgger", "step", initial=before, disable=not progress_bar
        ) as bar:
            while self.total_timesteps < target or self._round_records():
                collector = self.create_trajectory_collector()
                collect(collector, self.expert_policy, self.policy, size)
                self._log_round()
                bar.update(self.total_timesteps - bar.n)
                self.extend_and_update(kwargs)

    def _log_round(self) -> None:
        """Records the round's statistics; BC writes them out with its first batch."""
        returns = [record.episode_return for record in self._round_records()]
        n_timesteps = sum(record.n_timesteps for record in self._round_records())
        self.logger.record("dagger/mean_episode_reward", float(np.mean(returns)))
        self.logger.record("dagger/total_timesteps", self.total_timesteps)
        self.logger.record("dagger/round_num", self.round_num)
        self.logger.record("dagger/round_episode_count", len(returns))
        self.logger.record("dagger/round_timestep_count", n_timesteps)

    def _add_initial(self, index: int, trajectory: types.Trajectory) -> None:
        """Writes a trajectory into round 0, under a name made from its content.

        So the same trajectories passed again, by a script that was killed and started
        once more, name the files that are already there.
        """
        arrays = (*tree.leaves(trajectory.obs), trajectory.acts)
        digest = hashlib.blake2b(digest_size=16)
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        name = demonstration_name(index, digest.digest(), prefix="initial_data")
        path = self.store.round_dir(0) / name
        if not path.exists():
            episode_files.write_episode(path, trajectory)
