import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch as th
from torch.nn import Linear
from torch.optim import Optimizer

from imitation.errors import ArtifactError
from imitation.training import state_files as checkpoint
from imitation.util import artifacts, seeding

STATE = {
    "none": None,
    "flag": True,
    "number": 3,
    "float": float("inf"),
    "text": "x",
    "list": [1, [2.5, "y"], {"z": None}],
    "empty": {},
    "keyed": {0: {"step": th.tensor(1.0)}, 1: {"step": th.tensor(2.0)}},
    "array": np.arange(3, dtype=np.int16),
    "scalar": np.float32(0.5),
}


def test_a_state_round_trips(tmp_path: pathlib.Path) -> None:
    checkpoint.save_state(tmp_path / "c", "test", STATE)
    again = checkpoint.load_state(tmp_path / "c", "test")
    assert again.keys() == STATE.keys()
    for key in ("none", "flag", "number", "float", "text", "list", "empty", "scalar"):
        assert again[key] == STATE[key]
    assert again["keyed"][1]["step"].item() == 2.0
    assert again["array"].dtype == np.int16
    np.testing.assert_array_equal(again["array"], STATE["array"])


@pytest.mark.parametrize(
    "optimizer_cls", [th.optim.Adam, th.optim.SGD, th.optim.RMSprop]
)
def test_optimizers_continue_bit_identically(
    tmp_path: pathlib.Path, optimizer_cls: Any
) -> None:
    def make() -> tuple[Any, ...]:
        net = th.nn.Linear(3, 2)
        th.nn.init.constant_(net.weight, 0.1)
        th.nn.init.zeros_(net.bias)
        return net, optimizer_cls(net.parameters(), lr=0.1)

    def step(net: Linear, optimizer: Optimizer, seed: int) -> None:
        x = th.as_tensor(np.random.default_rng(seed).normal(size=(4, 3))).float()
        optimizer.zero_grad()
        net(x).square().sum().backward()
        optimizer.step()

    net, optimizer = make()
    step(net, optimizer, 0)
    checkpoint.save_state(
        tmp_path / "c", "t", {"net": net.state_dict(), "opt": optimizer.state_dict()}
    )
    step(net, optimizer, 1)
    other, other_optimizer = make()
    state = checkpoint.load_state(tmp_path / "c", "t")
    other.load_state_dict(state["net"])
    other_optimizer.load_state_dict(state["opt"])
    step(other, other_optimizer, 1)
    assert th.equal(net.weight, other.weight)


def test_random_states_continue(tmp_path: pathlib.Path) -> None:
    for bits in (np.random.PCG64, np.random.MT19937, np.random.Philox):
        rng = np.random.Generator(bits(0))
        rng.normal(size=3)
        checkpoint.save_state(tmp_path / "c", "t", {"rng": seeding.rng_state(rng)})
        expected = rng.normal(size=5)
        again = np.random.Generator(bits(1))
        seeding.restore_rng(again, checkpoint.load_state(tmp_path / "c", "t")["rng"])
        np.testing.assert_array_equal(again.normal(size=5), expected)


def test_what_cannot_be_saved_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="t/deep/0, a function"):
        checkpoint.save_state(tmp_path / "c", "t", {"deep": [lambda: 0]})
    assert list(tmp_path.iterdir()) == []


def remove(name: Any) -> Any:
    return lambda directory: (directory / name).unlink()


def rewrite(**changes: Any) -> Any:
    def change(directory: pathlib.Path) -> None:
        document = artifacts.read_json(directory / "state.json")
        artifacts.write_json(directory / "state.json", document | changes)

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("state.json"), "state.json"),
        (remove("tensors.safetensors"), "tensors.safetensors"),
        (rewrite(kind="other"), "checkpoint of 'other', expected one of 't'"),
        (rewrite(format_version=99), "format 99"),
        (rewrite(state={"a": {"__tensor__": "gone"}}), "lacks the tensor 'gone'"),
        (rewrite(state={"a": {"__tensor__": []}}), "is damaged: unhashable"),
        (rewrite(state={"a": {"__keyed__": None}}), "is damaged: 'NoneType'"),
        (rewrite(state={"a": {"__keyed__": "x"}}), "is damaged: not enough"),
        (lambda d: artifacts.write_json(d / "state.json", []), "not hold a checkpoint"),
        (lambda d: (d / "state.json").write_text("{"), "as JSON"),
        (lambda d: (d / "tensors.safetensors").write_bytes(b"x"), "as safetensors"),
    ],
)
def test_damaged_checkpoints_are_refused(
    tmp_path: pathlib.Path, damage: Callable[..., Any], message: str
) -> None:
    checkpoint.save_state(tmp_path / "c", "t", {"a": th.zeros(2)})
    damage(tmp_path / "c")
    with pytest.raises(ArtifactError, match=message) as info:
        checkpoint.load_state(tmp_path / "c", "t")
    assert "\n" not in str(info.value)


def test_a_state_that_is_no_dictionary_is_refused(tmp_path: pathlib.Path) -> None:
    checkpoint.save_state(tmp_path / "c", "test", {})
    document = artifacts.read_json(tmp_path / "c" / "state.json")
    artifacts.write_json(tmp_path / "c" / "state.json", document | {"state": []})
    with pytest.raises(ArtifactError, match="does not hold a checkpoint"):
        checkpoint.load_state(tmp_path / "c", "test")


def test_a_missing_checkpoint_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match=r"no checkpoint at .*nowhere"):
        checkpoint.load_state(tmp_path / "nowhere", "t")


def test_keys_that_read_alike_do_not_collide(tmp_path: pathlib.Path) -> None:
    state = {
        "a": {"b": th.ones(1)},
        "a/b": th.zeros(1),
        "m": {0: th.full((1,), 2.0), "0": th.full((1,), 3.0)},
    }
    checkpoint.save_state(tmp_path / "c", "test", state)
    again = checkpoint.load_state(tmp_path / "c", "test")
    assert again["a"]["b"].item() == 1 and again["a/b"].item() == 0
    assert again["m"][0].item() == 2 and again["m"]["0"].item() == 3
