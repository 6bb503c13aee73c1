"""How long does a call of `RewardNet.predict_processed` take?

Once with normalized inputs and outputs on a step of 8 environments, which is what
`RewardVecEnvWrapper` asks for. And for an ensemble of five networks, on a step and on a
rollout of 2,048 transitions, beside one of these networks: "five nets ÷ one" is what
the ensemble costs. The spaces are those of Pendulum. Every batch is new; the release
predicts with arrays as well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Case, Ratio, Workload, main, same

if TYPE_CHECKING:
    from collections.abc import Callable

    import gymnasium as gym
    import numpy as np

    from imitation.rewards.reward_nets import RewardNet

N_BATCHES = 50
N_MEMBERS = 5


def spaces() -> tuple[gym.Space, gym.Space]:
    """Those of Pendulum."""
    import gymnasium as gym
    import numpy as np

    observation_space = gym.spaces.Box(-8, 8, (3,), np.float32)
    return observation_space, gym.spaces.Box(-2, 2, (1,), np.float32)


def batches(size: int) -> list[tuple[np.ndarray, ...]]:
    """Batches of transitions: states, actions, next states, dones."""
    import numpy as np

    rng = np.random.default_rng(0)

    def normal(width: int) -> np.ndarray:
        return rng.normal(size=(size, width)).astype(np.float32)

    return [
        (normal(3), normal(1), normal(3), np.zeros(size, bool))
        for _ in range(N_BATCHES)
    ]


def plain() -> RewardNet:
    """A network of two hidden layers."""
    from imitation.rewards.reward_nets import BasicRewardNet

    return BasicRewardNet(*spaces())


def normalized() -> RewardNet:
    """The same with normalized inputs and outputs."""
    from imitation.rewards.reward_nets import BasicRewardNet, NormalizedRewardNet
    from imitation.util.networks import RunningNorm

    base = BasicRewardNet(*spaces(), normalize_input_layer=RunningNorm)
    return NormalizedRewardNet(base, RunningNorm)


def ensemble(member: Callable[[], RewardNet]) -> RewardNet:
    """Five networks."""
    from imitation.rewards.reward_nets import RewardEnsemble

    return RewardEnsemble(*spaces(), [member() for _ in range(N_MEMBERS)])


def optimistic(member: Callable[[], RewardNet]) -> RewardNet:
    """The mean of five networks plus their standard deviation."""
    from imitation.rewards.reward_nets import AddSTDRewardWrapper

    return AddSTDRewardWrapper(ensemble(member), default_alpha=1.0)


def setup(make: Callable[[], RewardNet], batch_size: int, n_passes: int) -> Workload:
    """`predict_processed` of each batch, in some passes over all of them."""
    net = make()
    data = batches(batch_size)

    def work() -> None:
        for _ in range(n_passes):
            for batch in data:
                net.predict_processed(*batch)

    return work


def single_case() -> Case:
    """One network, one step."""
    return Case(
        name="normalized net, step of 8 environments",
        setups=same(partial(setup, normalized, 8, 20)),
        units=20 * N_BATCHES,
        unit="call",
        target=2.0,
    )


def ensemble_case(
    name: str,
    five: Callable[[], RewardNet],
    one: Callable[[], RewardNet],
    batch_size: int,
) -> Case:
    """Five networks, beside one of them and beside the release."""
    n_passes = 10 if batch_size == 8 else 2
    what = "step of 8 environments" if batch_size == 8 else f"batch of {batch_size:,}"
    many, single = (partial(setup, x, batch_size, n_passes) for x in (five, one))
    return Case(
        name=f"{name}, {what}",
        setups={
            **same(many),
            "ours one net": single,
            "release one net": single,
        },
        units=n_passes * N_BATCHES,
        unit="call",
        ratios=(
            Ratio("release ÷ ours", "release", "ours"),
            Ratio("five nets ÷ one", "ours", "ours one net"),
            Ratio("release, five nets ÷ one", "release", "release one net"),
        ),
    )


if __name__ == "__main__":
    main(
        "How long does a call of RewardNet.predict_processed take?",
        [
            single_case(),
            *(
                ensemble_case(name, five, one, size)
                for name, five, one in (
                    ("ensemble of 5", partial(ensemble, plain), plain),
                    (
                        "ensemble of 5, with its spread",
                        partial(optimistic, plain),
                        plain,
                    ),
                    (
                        "ensemble of 5 normalized nets",
                        partial(ensemble, normalized),
                        normalized,
                    ),
                )
                for size in (8, 2048)
            ),
        ],
        repeats=11,
    )
