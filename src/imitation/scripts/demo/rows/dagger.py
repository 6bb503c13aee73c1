"""DAgger in the demo."""

from imitation.scripts.demo.rows import DemoRow

_COMMON = (
    # As in the paper's experiments: the expert acts in the first round only.
    "dagger.beta_schedule.kind=linear",
    "dagger.beta_schedule.rampdown_rounds=1",
    "bc.train_kwargs.log_rollouts_n_episodes=5",
)

ROW = DemoRow(
    label="DAgger",
    summary="DAgger lets the learner act and asks the expert what it would have done "
    "there, so that the learner sees its own mistakes.",
    command="dagger",
    settings={
        "seals/CartPole-v0": (*_COMMON, "dagger.total_timesteps=12500"),
        "Pendulum-v1": (
            *_COMMON,
            "dagger.total_timesteps=10000",
            "bc.optimizer_kwargs.lr=0.001",
        ),
    },
    fast=(
        "dagger.total_timesteps=200",
        "dagger.rollout_round_min_timesteps=50",
        "bc.train_kwargs.n_epochs=1",
    ),
    policy="final.th",
    learned_from="{m[dagger/total_timesteps]:,.0f} steps labeled by the expert",
    seconds=8,
    position=1,
)
