"""Settings and presets of `imitation.scripts.eval_policy`."""

import dataclasses
from typing import ClassVar, Self

from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.reward import check_reward
from imitation.scripts.settings import Config, Presets, When, group, setting
from imitation.util.video_wrapper import VideoWrapper

_PRESETS: Presets = {
    "cliff_world": {
        "environment.gym_id": "seals/CliffWorld7x4XY-v0",
        "environment.env_make_kwargs.horizon": 40,
    },
    "explore_eps_greedy": {"explore_kwargs": {"switch_prob": 1.0, "random_prob": 0.1}},
    "render": {
        "environment.num_vec": 1,
        "environment.parallel": False,
        "render": True,
    },
    "fast": {"eval_n_timesteps": 1, "eval_n_episodes": None},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalPolicySettings(CommandSettings):
    """Settings of eval_policy."""

    replaces_runs = True

    named_configs: ClassVar[Presets] = environment_presets(_PRESETS)

    environment: EnvironmentSettings = group(EnvironmentSettings)
    """The environment to evaluate in."""

    expert: ExpertSettings = group(ExpertSettings)
    """The policy to evaluate."""

    eval_n_timesteps: int | None = setting(10_000, more_than=0)
    """Least number of steps; None if eval_n_episodes decides."""

    eval_n_episodes: int | None = setting(None, more_than=0)
    """Least number of episodes; giving it replaces the default of eval_n_timesteps."""

    videos: bool = setting(False)
    """Record videos to videos/ in the run directory."""

    video_kwargs: Config = setting(
        {},
        arguments_of=VideoWrapper,
        filled=("env", "directory"),
        applies=When("videos"),
    )
    """Keyword arguments of `VideoWrapper`, such as single_video."""

    render: bool = setting(False)
    """Show the environments in windows."""

    render_fps: int = setting(60, more_than=0, applies=When("render"))
    """Frames per second of the windows."""

    reward_type: str | None = setting(None)
    """Key of the reward registry: return_* of the result are of this reward;
    monitor_return_* stay those of the environment."""

    reward_path: str | None = setting(None, path=True, applies=When("reward_type"))
    """Where the reward of `reward_type` is saved."""

    rollout_save_path: str | None = setting(None)
    """Where to save the rollouts, relative to the run directory; None does not."""

    explore_kwargs: Config | None = setting(None)
    """Arguments of an `ExplorationWrapper`: random_prob and switch_prob; None acts as
    the policy does."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eval_n_timesteps is None and self.eval_n_episodes is None:
            raise ConfigError("set eval_n_timesteps or eval_n_episodes")
        if self.videos and self.render:
            raise ConfigError(
                "videos and render need different render modes; choose one of them"
            )
        if self.explore_kwargs is not None:
            needed = {"random_prob", "switch_prob"}
            if set(self.explore_kwargs) - {"deterministic_policy"} != needed:
                raise ConfigError(
                    "explore_kwargs must hold random_prob and switch_prob, got "
                    f"{dict(self.explore_kwargs)!r}"
                )
        # Gymnasium fixes the render mode when the environment is made.
        asked = self.environment.env_make_kwargs.get("render_mode")
        mode = self.render_mode
        if mode is not None and asked not in (None, mode):
            raise ConfigError(
                f"environment.env_make_kwargs.render_mode={asked!r} contradicts "
                f"{'videos' if self.videos else 'render'}, which needs {mode!r}"
            )

    @property
    @override
    def place(self) -> str:
        return self.environment.env_name

    @property
    def render_mode(self) -> str | None:
        """The render mode that the settings need."""
        if self.videos:
            return "rgb_array"
        return "human" if self.render else None

    @override
    def resolved(self, command: str) -> Self:
        environment = self.environment.resolved()
        if self.render_mode is not None:
            kwargs = {**environment.env_make_kwargs, "render_mode": self.render_mode}
            environment = dataclasses.replace(environment, env_make_kwargs=kwargs)
        # A class attribute of a dataclass is the field's default.
        by_default = type(self).eval_n_timesteps
        steps = self.eval_n_timesteps
        if self.eval_n_episodes is not None and steps == by_default:
            steps = None
        return dataclasses.replace(
            super().resolved(command),
            environment=environment,
            expert=self.expert.resolved(environment.env_name),
            eval_n_timesteps=steps,
        )

    @override
    def check(self, command: str) -> None:
        super().check(command)
        self.expert.check()
        check_reward(self.reward_type, self.reward_path)
