"""How long does one batch of behavior cloning take?

25,000 transitions, the default policy and settings of `BC`. The bare loop is the
same network, loss and fused optimizer written out by hand in torch: nothing is logged,
checked or saved.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Case, Setup, Workload, main, same

if TYPE_CHECKING:
    import gymnasium as gym
    import numpy as np

N_TRANSITIONS = 25_000


def spaces(kind: str) -> tuple[gym.Space, gym.Space]:
    """The spaces of CartPole (discrete actions) or of Pendulum (a box)."""
    import gymnasium as gym
    import numpy as np

    if kind == "discrete":
        return gym.spaces.Box(-10, 10, (4,), np.float32), gym.spaces.Discrete(2)
    return gym.spaces.Box(-8, 8, (3,), np.float32), gym.spaces.Box(-2, 2, (1,))


def data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Normal observations and the actions of a simple expert."""
    import numpy as np

    dim = spaces(kind)[0].shape[0]
    obs = np.random.default_rng(0).normal(size=(N_TRANSITIONS, dim))
    acts = (obs[:, 0] > 0).astype(np.int64) if kind == "discrete" else obs[:, :1]
    if kind != "discrete":
        acts = acts.astype(np.float32)
    return obs.astype(np.float32), acts


def imitation_setup(kind: str, batch_size: int, n_batches: int) -> Workload:
    """`BC.train(n_batches=...)`."""
    import numpy as np

    from imitation.algorithms.bc import BC
    from imitation.data.types import Transitions

    obs, acts = data(kind)
    observation_space, action_space = spaces(kind)
    trainer = BC(
        observation_space=observation_space,
        action_space=action_space,
        rng=np.random.default_rng(0),
        demonstrations=Transitions(
            obs=obs,
            acts=acts,
            next_obs=obs.copy(),
            dones=np.zeros(N_TRANSITIONS, bool),
            infos=np.array([{}] * N_TRANSITIONS),
        ),
        batch_size=batch_size,
        device="cpu",
    )
    return lambda: trainer.train(n_batches=n_batches, progress_bar=False)


def bare_setup(kind: str, batch_size: int, n_batches: int) -> Workload:
    """A hand-written training loop over the policy's own layers."""
    import torch as th
    from stable_baselines3.common.policies import ActorCriticPolicy

    obs, acts = (th.as_tensor(x) for x in data(kind))
    policy = ActorCriticPolicy(*spaces(kind), lambda _: 1.0, net_arch=[32, 32])
    net = th.nn.Sequential(policy.mlp_extractor.policy_net, policy.action_net)
    log_std = getattr(policy, "log_std", None)
    optimizer = th.optim.Adam(
        [*net.parameters(), *([] if log_std is None else [log_std])]
    )

    def loss_of(batch_obs: th.Tensor, batch_acts: th.Tensor) -> th.Tensor:
        out = net(batch_obs)
        if log_std is None:
            logp = out.log_softmax(-1)
            entropy = -(logp.exp() * logp).sum(-1).mean()
            return th.nn.functional.nll_loss(logp, batch_acts) - 1e-3 * entropy
        z = (batch_acts - out) / log_std.exp()
        # constants of the normal density do not change the gradient
        return (0.5 * z.square().sum(-1) + log_std.sum()).mean() - 1e-3 * log_std.sum()

    def work() -> None:
        done = 0
        while done < n_batches:
            order = th.randperm(N_TRANSITIONS)
            for rows in order.split(batch_size)[: n_batches - done]:
                if len(rows) == batch_size:
                    optimizer.zero_grad()
                    batch = obs.index_select(0, rows), acts.index_select(0, rows)
                    loss_of(*batch).backward()
                    optimizer.step()
                    done += 1

    return work


def case(kind: str, batch_size: int, n_batches: int, target: float) -> Case:
    """The case of one action space and batch size."""
    sizes = (kind, batch_size, n_batches)
    bare: Setup = partial(bare_setup, *sizes)
    return Case(
        name=f"{kind} actions, batch {batch_size}",
        setups=same(partial(imitation_setup, *sizes), bare),
        units=n_batches,
        unit="batch",
        target=target,
    )


if __name__ == "__main__":
    main(
        "How long does one batch of behavior cloning take?",
        [
            case("discrete", 32, 781, 2.5),
            case("discrete", 1024, 48, 6.0),
            case("box", 32, 781, 2.5),
            case("box", 1024, 48, 6.0),
        ],
    )
