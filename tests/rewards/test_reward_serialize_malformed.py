"""What is no reward network, or not a harmless one, is refused in one line."""

import copy
import json
import os
import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.errors import ArtifactError, UnsafeLoadError
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net, save_reward_net
from imitation.testing.reward_nets import make_ensemble
from imitation.util import artifacts, rebuilding

BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)


def network() -> reward_nets.NormalizedRewardNet:
    return reward_nets.NormalizedRewardNet(make_ensemble(BOX, BOX), th.nn.BatchNorm1d)


@pytest.fixture
def saved(tmp_path: pathlib.Path) -> Any:
    save_reward_net(network(), tmp_path / "net")
    return tmp_path / "net"


class Call:
    """Pickles as a call of a function, as a hostile file would have it."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


def change(**values: Any) -> Any:
    def apply(document: Any, tensors: Any) -> None:
        document.update(values)

    return apply


def change_entry(number: Any, **values: Any) -> Any:
    def apply(document: Any, tensors: Any) -> None:
        document["modules"][number].update(values)

    return apply


def argument(name: Any, value: Any, number: int = 0) -> Any:
    def apply(document: Any, tensors: Any) -> None:
        document["modules"][number]["kwargs"][name] = value

    return apply


def tensor(name: Any, value: Any) -> Any:
    def apply(document: Any, tensors: Any) -> None:
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value

    return apply


def hostile_inside(document: Any, tensors: Any) -> None:
    entry = {"class": "subprocess:Popen", "args": [["touch", "x"]], "kwargs": {}}
    document["modules"].insert(0, entry)


def no_entries(document: Any, tensors: Any) -> None:
    document["modules"] = []


def deep(document: Any, tensors: Any) -> None:
    nested: list[Any] = []
    for _ in range(500):
        nested = [nested]
    document["modules"][0]["args"] = [nested]


FIRST = "_base.members.0.mlp.dense0.weight"
COUNT = "normalize_output_layer.num_batches_tracked"

MALFORMED = {
    "wrong kind": (change(kind="policy"), "'policy', expected 'reward_net'"),
    "no kind": (lambda document, _: document.pop("kind"), "None, expected"),
    "a new format": (change(format_version=2), "format 2"),
    "no format": (lambda document, _: document.pop("format_version"), "damaged"),
    "no networks": (no_entries, "damaged"),
    "networks of another type": (change(modules={"a": 1}), "damaged"),
    "networks that are numbers": (change(modules=[1]), "damaged"),
    "a function": (change_entry(0, **{"class": "os:system"}), "not known to be safe"),
    "a class that is gone": (
        change_entry(0, **{"class": "imitation.rewards.reward_nets.basic:Gone"}),
        "does not have",
    ),
    "a class of somebody": (change_entry(0, **{"class": "evil:Net"}), "register_class"),
    "a class that is a number": (change_entry(0, **{"class": 3}), "damaged"),
    "a class that is no network": (
        change_entry(0, **{"class": "imitation.util.logger:HierarchicalLogger"}),
        "is not a network",
    ),
    "an abstract class": (
        change_entry(0, **{"class": "imitation.rewards.reward_nets.base:RewardNet"}),
        "saved arguments",
    ),
    "no arguments": (lambda document, _: document["modules"][0].pop("args"), "damaged"),
    "arguments of another type": (change_entry(0, kwargs=[1]), "damaged"),
    "an unknown argument": (argument("nonsense", 1), "saved arguments"),
    "a wrong argument": (argument("hid_sizes", [-1]), "saved arguments"),
    "a hostile class as an argument": (
        argument("activation", {"__class__": "os:system"}),
        "not known to be safe",
    ),
    "another class of ours as an argument": (
        argument("activation", {"__class__": "imitation.util.registry:Registry"}),
        "neither a network nor an optimizer",
    ),
    "a hostile class inside": (hostile_inside, "not known to be safe"),
    "a space that is none": (argument("a", {"__space__": {"type": "X"}}), "space"),
    "a space beyond all memory": (
        argument(
            "a",
            {
                "__space__": {
                    "type": "Box",
                    "shape": [2**50],
                    "dtype": "<f4",
                    "low": 0,
                    "high": 1,
                }
            },
        ),
        "damaged",
    ),
    "a network that comes later": (argument("a", {"__module__": 3}), "does not come"),
    "a network before the first": (argument("a", {"__module__": -1}), "does not come"),
    "a network that is a text": (argument("a", {"__module__": "0"}), "does not come"),
    "deep nesting": (deep, "damaged"),
    "no modes": (lambda document, _: document.pop("evaluating"), "damaged"),
    "modes of another type": (change(frozen=3), "damaged"),
    "a tensor missing": (tensor(FIRST, None), "there is no tensor"),
    "a tensor too many": (tensor("more", th.zeros(1)), "there is a tensor 'more'"),
    "another shape": (tensor(FIRST, th.zeros(2, 2)), r"of shape \(2, 2\), expected"),
    "integers for weights": (
        tensor(FIRST, th.zeros(32, 6, dtype=th.int64)),
        "is torch.int64",
    ),
    "a fraction as a count": (tensor(COUNT, th.zeros(())), "is torch.float32"),
}


def malform(path: Any, apply: Any) -> None:
    document = json.loads((path / "artifact.json").read_text())
    tensors = artifacts.read_tensors(path / "net.safetensors")
    apply(document, tensors)
    (path / "artifact.json").write_text(json.dumps(document))
    artifacts.write_tensors(path / "net.safetensors", tensors)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_directory_is_one_line(saved: Any, name: Any) -> None:
    apply, message = MALFORMED[name]
    malform(saved, apply)
    with pytest.raises(ArtifactError, match=message) as info:
        load_reward_net(saved, allow_pickle=True)
    assert str(saved) in str(info.value)
    assert "\n" not in str(info.value)


# Files of torch hold no kind, because the pickled function says what they are.
@pytest.mark.parametrize("name", [n for n in MALFORMED if "kind" not in n])
def test_a_malformed_file_is_one_line(tmp_path: pathlib.Path, name: Any) -> None:
    apply, message = MALFORMED[name]
    document = {"kind": "reward_net"} | rebuilding.describe(network())
    tensors = rebuilding.tensors_of(network())
    apply(document, tensors)
    call = Call(rebuilding.rebuild_pickled, json.dumps(document), tensors)
    th.save(call, tmp_path / "net.pt")
    with pytest.raises(ArtifactError, match=message) as info:
        load_reward_net(tmp_path / "net.pt", allow_pickle=True)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("name", ["artifact.json", "net.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "directory"])
def test_a_damaged_directory_is_one_line(saved: Any, name: str, damage: str) -> None:
    path = saved / name
    content = path.read_bytes()
    path.unlink()
    if damage == "directory":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(content[: 0 if damage == "empty" else -20])
    with pytest.raises(ArtifactError, match="cannot load") as info:
        load_reward_net(saved)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("content", [b"[]", b"3", b"[" * 100_000])
def test_a_document_that_is_no_dictionary_is_one_line(saved: Any, content: Any) -> None:
    (saved / "artifact.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot load"):
        load_reward_net(saved)


def test_nothing_there_is_one_line(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ArtifactError, match="cannot load"):
            load_reward_net(path)


@pytest.mark.parametrize("allow_pickle", [False, True])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x80\x04", b"nonsense", b"\x00" * 1000]
)
def test_bytes_that_are_no_network_are_one_line(
    tmp_path: pathlib.Path, content: Any, allow_pickle: bool
) -> None:
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot load") as info:
        load_reward_net(tmp_path / "net.pt", allow_pickle=allow_pickle)
    assert "\n" not in str(info.value)


def test_a_truncated_file_is_one_line(tmp_path: pathlib.Path) -> None:
    th.save(network(), tmp_path / "net.pt")
    content = (tmp_path / "net.pt").read_bytes()
    (tmp_path / "net.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="cannot load") as info:
        load_reward_net(tmp_path / "net.pt")
    assert "\n" not in str(info.value)


def test_other_objects_in_a_file_are_refused(tmp_path: pathlib.Path) -> None:
    for value in ({"weight": th.zeros(3)}, [1, 2], None):
        th.save(value, tmp_path / "net.pt")
        with pytest.raises(ArtifactError, match=f"holds a {type(value).__name__}"):
            load_reward_net(tmp_path / "net.pt")


def test_a_bomb_does_not_go_off(tmp_path: pathlib.Path) -> None:
    traces = [tmp_path / "one", tmp_path / "two"]
    th.save(Call(pathlib.Path.touch, traces[0]), tmp_path / "a.pt")
    th.save(Call(os.system, f"touch {traces[1]}"), tmp_path / "b.pt")
    for name in ("a.pt", "b.pt"):
        with pytest.raises(UnsafeLoadError, match="allow_pickle=True") as info:
            load_reward_net(tmp_path / name)
        assert "\n" not in str(info.value)
    assert not any(trace.exists() for trace in traces)


def test_a_bomb_inside_a_network_does_not_go_off(tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace"
    bomb = Call(pathlib.Path.touch, trace)
    document = json.dumps(rebuilding.describe(network()))
    tensors = network().state_dict()
    for arguments in ((document, dict(tensors, bomb=bomb)), (bomb, dict(tensors))):
        call = Call(rebuilding.rebuild_pickled, *arguments)
        th.save(call, tmp_path / "net.pt")
        with pytest.raises(UnsafeLoadError):
            load_reward_net(tmp_path / "net.pt")
    assert not trace.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (3, {}),
        ("not json", {}),
        ("[" * 100_000, {}),
        ("{}", {}),
        ("{}", 3),
        ('{"format_version": 1, "modules": []}', {}),
    ],
)
def test_a_call_with_wrong_arguments_is_one_line(
    tmp_path: pathlib.Path, arguments: Any
) -> None:
    th.save(Call(rebuilding.rebuild_pickled, *arguments), tmp_path / "net.pt")
    with pytest.raises(ArtifactError, match="cannot load") as info:
        load_reward_net(tmp_path / "net.pt")
    assert "\n" not in str(info.value)


def test_the_document_is_not_changed_by_loading(saved: Any) -> None:
    document = json.loads((saved / "artifact.json").read_text())
    before = copy.deepcopy(document)
    rebuilding.rebuild(document, artifacts.read_tensors(saved / "net.safetensors"))
    assert document == before
