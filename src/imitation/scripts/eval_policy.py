"""Evaluates a policy: its returns, videos of it, or a window to watch it in."""

import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from imitation.data import rollout, serialize, wrappers
from imitation.policies import exploration_wrapper
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.eval_policy import EvalPolicySettings
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.expert import get_expert_policy
from imitation.scripts.ingredients.logging import make_log_dir
from imitation.scripts.ingredients.reward import replace_reward
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import building
from imitation.util import util, video_wrapper
from imitation.util.spaces import Env

_logger = logging.getLogger("imitation.scripts.eval_policy")  # also as __main__

EnvWrapper = Callable[[Env, int], Env]


class InteractiveRender(VecEnvWrapper):
    """Shows the wrapped environments on screen, no faster than a frame rate.

    The environments have ``render_mode="human"`` and draw themselves at each reset and
    step.
    """

    def __init__(self, venv: VecEnv, fps: float) -> None:
        super().__init__(venv)
        self.render_fps = fps
        self._next_frame = 0.0

    def reset(self) -> VecEnvObs:
        """Resets the environments, which draws the first frame."""
        obs = self.venv.reset()
        self._wait()
        return obs

    def step_wait(self) -> VecEnvStepReturn:
        """Finishes a step and keeps its frame on screen for its share of a second."""
        result = self.venv.step_wait()
        self._wait()
        return result

    def _wait(self) -> None:
        time.sleep(max(0.0, self._next_frame - time.monotonic()))
        self._next_frame = time.monotonic() + 1 / self.render_fps


def video_wrapper_factory(log_dir: pathlib.Path, **kwargs: Any) -> EnvWrapper:
    """Returns a function that wraps an environment in a video recorder."""
    return lambda env, i: video_wrapper.VideoWrapper(
        env, log_dir / "videos" / str(i), **kwargs
    )


def eval_policy(settings: EvalPolicySettings, run: RunHandle) -> Mapping[str, float]:
    """Rolls a policy out and collects statistics.

    Returns:
        The statistics of `rollout_stats`. If a reward is loaded, ``return_*`` are of
        it, and ``monitor_return_*`` of the environment's.
    """
    log_dir = make_log_dir(run, settings.logging)
    sample_until = rollout.make_sample_until(
        settings.eval_n_timesteps, settings.eval_n_episodes
    )
    post_wrappers: list[EnvWrapper] = []
    if settings.videos:
        post_wrappers.append(video_wrapper_factory(log_dir, **settings.video_kwargs))
    if settings.rollout_save_path is not None:
        post_wrappers.append(lambda env, _: wrappers.RolloutInfoWrapper(env))
    rng = settings.rng("evaluation")
    with make_venv(
        settings.environment, rng, log_dir=log_dir, post_wrappers=post_wrappers
    ) as venv:
        if settings.reward_type is not None:
            venv = replace_reward(venv, settings.reward_type, settings.reward_path)
        if settings.render:
            # Outermost, so that every wrapper has seen the step before it is shown.
            venv = InteractiveRender(venv, settings.render_fps)
        policy: Any = get_expert_policy(venv, settings.expert)
        if settings.explore_kwargs is not None:
            with building("the policy with explore_kwargs"):
                policy = exploration_wrapper.ExplorationWrapper(
                    policy, venv, rng=rng, **settings.explore_kwargs
                )
        trajectories = rollout.generate_trajectories(policy, venv, sample_until, rng)
    if settings.rollout_save_path is not None:
        path = util.parse_path(settings.rollout_save_path, base_directory=log_dir)
        unwrapped = [rollout.unwrap_traj(trajectory) for trajectory in trajectories]
        # Infos of wrappers need not be JSON, which data sets store them as.
        serialize.save(path, [dataclasses.replace(t, infos=None) for t in unwrapped])
        _logger.info("Saved the rollouts to %s", path)
    return rollout.rollout_stats(trajectories)


eval_policy_ex = SacredExperiment(
    Script(
        name="eval_policy",
        doc="Evaluates a policy: its returns, videos of it, or a window to watch it.",
        settings_cls=EvalPolicySettings,
        commands={"eval_policy": eval_policy},
    )
)

main_console = eval_policy_ex.main_console


if __name__ == "__main__":
    main_console()
