"""Writes the files beside this one; run with release 1.0.1 of `imitation` installed.

Each file is a network as `torch.save` of that release writes it; `expected.npz` holds
the batch that it was asked about and what it answered. It does not import from this
repository.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th

from imitation.algorithms.adversarial import gail
from imitation.rewards import reward_nets
from imitation.util import networks

HERE = pathlib.Path(__file__).parent
BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = gym.spaces.Discrete(2)
IMAGES = gym.spaces.Box(0, 255, (6, 6, 3), np.uint8)


def basic(**kwargs: Any) -> reward_nets.BasicRewardNet:
    return reward_nets.BasicRewardNet(BOX, ACTIONS, **{"hid_sizes": (4,)} | kwargs)


def shaped() -> reward_nets.ShapedRewardNet:
    potential = reward_nets.BasicPotentialMLP(BOX, (4, 3), activation=th.nn.Tanh)
    return reward_nets.ShapedRewardNet(basic(use_done=True), potential, 0.9)


def cnn(**kwargs: Any) -> reward_nets.CnnRewardNet:
    options: dict[str, Any] = {
        "hid_channels": (2,),
        "kernel_size": 3,
        "stride": 2,
        "padding": 1,
    }
    return reward_nets.CnnRewardNet(IMAGES, ACTIONS, **options, **kwargs)


def ensemble(member: Any) -> reward_nets.RewardEnsemble:
    return reward_nets.RewardEnsemble(BOX, ACTIONS, [member(), member()])


def normalized(
    net: Any, layer: Any = networks.RunningNorm
) -> reward_nets.NormalizedRewardNet:
    return reward_nets.NormalizedRewardNet(net, layer)


def input_normalized() -> Any:
    return basic(
        use_state=False,
        use_next_state=True,
        normalize_input_layer=networks.EMANorm,
        dropout_prob=0.1,
        name="reward",
    )


NETS = {
    "basic": basic,
    "input_normalized": input_normalized,
    "shaped": shaped,
    "basic_shaped": lambda: reward_nets.BasicShapedRewardNet(
        BOX, ACTIONS, reward_hid_sizes=(4,), potential_hid_sizes=(3,)
    ),
    "cnn": lambda: cnn(use_done=True, use_next_state=True),
    "cnn_shaped": lambda: reward_nets.ShapedRewardNet(
        cnn(use_action=False), reward_nets.BasicPotentialCNN(IMAGES, (2,)), 0.5
    ),
    "normalized": lambda: normalized(shaped()),
    "ema_normalized": lambda: normalized(basic(), networks.EMANorm),
    "std_added": lambda: normalized(
        reward_nets.AddSTDRewardWrapper(ensemble(basic), 0.7)
    ),
    "gail": lambda: gail.RewardNetFromDiscriminatorLogit(normalized(basic())),
}


def batch(rng: Any, obs_space: Any, n: int = 16) -> Any:
    def observations() -> Any:
        if obs_space is IMAGES:
            return rng.integers(0, 256, (n, *IMAGES.shape), dtype=np.uint8)
        return rng.normal(size=(n, 3)).astype(np.float32)

    return observations(), rng.integers(0, 2, n), observations(), np.arange(n) % 3 == 0


def main() -> None:
    th.manual_seed(0)
    rng = np.random.default_rng(0)
    expected = {}
    make: Callable[[], Any]
    for name, make in NETS.items():
        net = make()
        net.train()
        inputs = batch(rng, net.observation_space)
        for _ in range(3):  # fills the statistics of all normalising layers
            seen = batch(rng, net.observation_space)
            if name != "std_added":  # ensembles have no forward
                net(*net.preprocess(*seen))
            net.predict_processed(*seen)
        th.save(net, HERE / f"{name}.pt")
        expected[f"{name}/raw"] = net.predict(*inputs)
        frozen = net.predict_processed(*inputs, update_stats=False)
        expected[f"{name}/processed"] = frozen
        for key, value in zip(
            ("state", "action", "next_state", "done"), inputs, strict=True
        ):
            expected[f"{name}/{key}"] = value
    np.savez_compressed(HERE / "expected.npz", **expected)


if __name__ == "__main__":
    main()
