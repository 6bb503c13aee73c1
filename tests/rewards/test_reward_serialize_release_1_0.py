"""Networks that release 1.0 saved; `release_1_0_nets/make.py` made the files."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.errors import ArtifactError, UnsafeLoadError
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net, save_reward_net

HERE = pathlib.Path(__file__).parent / "release_1_0_nets"
FILES = sorted(HERE.glob("*.pt"))
KEYS = ("state", "action", "next_state", "done")


@pytest.fixture(scope="module")
def answers() -> Any:
    with np.load(HERE / "expected.npz") as file:
        return dict(file)


def test_the_files_are_there() -> None:
    assert len(FILES) == 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_network_of_release_1_0_predicts_the_same(
    tmp_path: pathlib.Path, answers: Any, path: Any
) -> None:
    with pytest.raises(UnsafeLoadError, match="allow_pickle=True") as info:
        load_reward_net(path)
    assert "\n" not in str(info.value)
    net = load_reward_net(path, allow_pickle=True)
    inputs = [answers[f"{path.stem}/{key}"] for key in KEYS]
    raw = net.predict(*inputs)
    np.testing.assert_allclose(raw, answers[f"{path.stem}/raw"], rtol=0, atol=1e-6)
    processed = net.predict_processed(*inputs, update_stats=False)
    # Normalisation enlarges the rounding errors of gail's rewards, 50 times.
    atol = 1e-5 if path.stem == "gail" else 1e-6
    expected = answers[f"{path.stem}/processed"]
    np.testing.assert_allclose(processed, expected, rtol=0, atol=atol)
    save_reward_net(net, tmp_path / "net")
    again = load_reward_net(tmp_path / "net")
    np.testing.assert_array_equal(
        again.predict_processed(*inputs), net.predict_processed(*inputs)
    )


def test_statistics_have_the_types_of_this_version() -> None:
    net: Any = load_reward_net(HERE / "normalized.pt", allow_pickle=True)
    assert net.normalize_output_layer.count.dtype == th.int64
    assert net.normalize_output_layer.count == 48
    assert net.normalize_output_layer.running_mean.dtype == th.float64
    inner: Any = load_reward_net(HERE / "input_normalized.pt", allow_pickle=True).mlp
    norm: Any = inner.reward_normalize_input
    assert norm.num_batches == 3
    assert norm.inv_learning_rate == pytest.approx(1 + 0.99 + 0.99**2)


class Mine(reward_nets.RewardNetWrapper):
    """A wrapper of a user, as release 1.0 pickled it: without its arguments."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        self.scale = 2.0

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return self.scale * self.base(state, action, next_state, done)


def unpickled(path: Any) -> Any:
    return th.load(path, weights_only=False)


def old_style(cls: Any, **attributes: Any) -> Any:
    """What unpickling makes of a whole module."""
    net = cls.__new__(cls)
    th.nn.Module.__init__(net)
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def test_networks_inside_those_of_users_are_converted(
    answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imitation.rewards import legacy_nets

    base = unpickled(HERE / "basic.pt")
    spaces = vars(base)["observation_space"], vars(base)["action_space"]
    net = legacy_nets.converted(
        old_style(
            Mine,
            observation_space=spaces[0],
            action_space=spaces[1],
            normalize_images=True,
            _base=base,
            scale=2.0,
        )
    )
    assert type(net) is Mine
    inputs = [answers[f"basic/{key}"] for key in KEYS]
    np.testing.assert_allclose(
        net.predict(*inputs), 2 * answers["basic/raw"], rtol=0, atol=1e-6
    )


def test_a_network_that_lacks_parts_is_one_line() -> None:
    from imitation.rewards import legacy_nets

    for attributes in ({}, {"mlp": th.nn.Sequential(th.nn.Linear(1, 1))}):
        net = old_style(reward_nets.BasicRewardNet, **attributes)
        with pytest.raises(ArtifactError, match="is not one of release") as info:
            legacy_nets.converted(net)
        assert "\n" not in str(info.value)
