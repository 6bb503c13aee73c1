"""DAgger in the demo."""

from collections.abc import Mapping

from imitation.scripts.demo.rows import (
    Chart,
    DemoRow,
    Task,
    Trained,
    load_policy,
    read_progress,
    series,
)

_RETURN = tuple(f"rollout/return_{name}" for name in ("mean", "min", "max"))


def train(task: Task) -> Trained:
    """Runs ``dagger`` and reads its log."""
    task.run()
    rounds = [row for row in read_progress(task.directory) if "dagger/round_num" in row]
    labels = rounds[-1]["dagger/total_timesteps"]
    chart = Chart(
        title="DAgger: return while it learns",
        x_label="steps labelled by the expert",
        y_label="return",
        curves=(series(rounds, "return", _labels_before, _RETURN, task.colour),),
        is_return=True,
        final_x=labels,
        note="Mean of 5 episodes after each round (of all episodes for the last one); "
        "the band is their range.",
    )
    return Trained(
        policy=load_policy(task.directory / "final.th", "cpu"),
        learnt_from=f"{labels:,.0f} labelled steps in {len(rounds)} rounds",
        charts=(chart,),
    )


def _labels_before(row: Mapping[str, float]) -> float:
    """The labels that the policy had when this row was logged.

    BC measures returns with its first batch of a round, so they are those of the policy
    that the rounds before have made (and one optimiser step).
    """
    return row["dagger/total_timesteps"] - row["dagger/round_timestep_count"]


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
    train=train,
    position=1,
)
