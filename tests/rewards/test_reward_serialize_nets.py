"""Saving reward networks and loading them again."""

import copy
import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time
from typing import Any, cast

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
import torch as th
from torch import nn

from imitation.algorithms.adversarial.gail import RewardNetFromDiscriminatorLogit
from imitation.errors import ArtifactError
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net, save_reward_net
from imitation.testing import checks
from imitation.testing.reward_nets import MockRewardNet, make_ensemble
from imitation.util import artifacts, networks
from imitation.util.constructors import remembered_arguments

BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = gym.spaces.Discrete(2)
IMAGES = gym.spaces.Box(0, 255, (6, 6, 3), np.uint8)
DICT = gym.spaces.Dict({"image": IMAGES, "b": BOX, "a": gym.spaces.Discrete(3)})


class Doubled(reward_nets.ForwardWrapper):
    """A wrapper of a user, with a network that is no reward network inside."""

    def __init__(
        self, base: Any, extra: Any, *, scale: Any = (2.0,), scales: Any = None
    ) -> None:
        super().__init__(base)
        self.extra = extra
        self.scale = sum(scale)

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        rewards = self.base(state, action, next_state, done)
        return self.scale * rewards + self.extra(state).sum(dim=1)


class Potential(nn.Module):
    def __init__(self, size: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(size, 1)

    def forward(self, state: Any) -> Any:
        return self.layer(state).squeeze(1)


def basic(**kwargs: Any) -> Any:
    return reward_nets.BasicRewardNet(BOX, ACTIONS, **{"hid_sizes": (8,)} | kwargs)


def shaped(potential: Any = None) -> reward_nets.ShapedRewardNet:
    potential = potential or reward_nets.BasicPotentialMLP(BOX, (4,))
    return reward_nets.ShapedRewardNet(basic(), potential, 0.9)


def normalized(
    net: Any, layer: Any = networks.RunningNorm
) -> reward_nets.NormalizedRewardNet:
    return reward_nets.NormalizedRewardNet(net, layer)


def shared() -> reward_nets.RewardEnsemble:
    member = basic()
    return reward_nets.RewardEnsemble(BOX, ACTIONS, [member, member, basic()])


def layers() -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(3), nn.Linear(3, 4, bias=False), nn.ELU(0.5), nn.Linear(4, 1)
    )


def tied() -> Any:
    net: Any = basic(hid_sizes=(4, 4, 4))
    net.mlp.dense2.weight = net.mlp.dense1.weight
    return net


def frozen() -> Any:
    net = shaped()
    net.base.requires_grad_(False).eval()
    return net


NETS: Any = {
    "basic": basic,
    "options": lambda: basic(
        use_done=True,
        activation=nn.Tanh,
        dropout_prob=0.2,
        normalize_input_layer=networks.EMANorm,
    ),
    "dict": lambda: reward_nets.BasicRewardNet(DICT, ACTIONS, hid_sizes=[4]),
    "cnn": lambda: reward_nets.CnnRewardNet(IMAGES, ACTIONS, True, use_done=True),
    "shaped": shaped,
    "cnn_shaped": lambda: reward_nets.ShapedRewardNet(
        reward_nets.CnnRewardNet(IMAGES, ACTIONS, hid_channels=(2,)),
        reward_nets.BasicPotentialCNN(IMAGES, (2,)),
        discount_factor=0.5,
    ),
    "basic_shaped": lambda: reward_nets.BasicShapedRewardNet(
        BOX, ACTIONS, reward_hid_sizes=(4,), use_next_state=True
    ),
    "normalized": lambda: normalized(shaped()),
    "batch_norm": lambda: normalized(basic(), nn.BatchNorm1d),
    "identity": lambda: normalized(basic(), nn.Identity),
    "ensemble": lambda: make_ensemble(BOX, ACTIONS, 3),
    "iterator": lambda: reward_nets.RewardEnsemble(
        BOX, ACTIONS, (basic() for _ in range(2))
    ),
    "module_list": lambda: reward_nets.RewardEnsemble(
        BOX, ACTIONS, cast("Any", nn.ModuleList([basic(), basic()]))
    ),
    "shared": shared,
    "std_added": lambda: normalized(
        reward_nets.AddSTDRewardWrapper(make_ensemble(BOX, ACTIONS), 0.7),
        networks.EMANorm,
    ),
    "gail": lambda: RewardNetFromDiscriminatorLogit(normalized(basic()), "fairl"),
    "mock": lambda: MockRewardNet(BOX, ACTIONS, value=cast("Any", np.float32(2.5))),
    "double": lambda: basic().double(),
    "half": lambda: basic(hid_sizes=()).to(th.bfloat16).double().half().float(),
    "frozen": frozen,
    "evaluating": lambda: shaped().eval(),
    "own": lambda: normalized(Doubled(shaped(Potential(3)), layers(), scale=[1, 2])),
    "mlp_potential": lambda: shaped(
        nn.Sequential(networks.build_mlp(3, (4,)), nn.Flatten(0))
    ),
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_REGISTERED", dict(artifacts._REGISTERED))
    artifacts.register_class(Doubled)
    artifacts.register_class(Potential)


def batch(net: Any, n: int = 7) -> Any:
    rng = np.random.default_rng(0)

    def observations(space: Any) -> Any:
        if isinstance(space, gym.spaces.Dict):
            return {key: observations(part) for key, part in space.spaces.items()}
        if isinstance(space, gym.spaces.Discrete):
            return rng.integers(0, space.n, n)
        if space.dtype == np.uint8:
            return rng.integers(0, 256, (n, *space.shape), dtype=np.uint8)
        return rng.normal(size=(n, *space.shape)).astype(space.dtype)

    spaces = net.observation_space, net.action_space, net.observation_space
    state, action, next_state = map(observations, spaces)
    return state, action, next_state, np.arange(n) % 3 == 0


def made(name: Any) -> Any:
    """The network with statistics that are not the initial ones."""
    net = NETS[name]()
    for _ in range(2):
        net.predict_processed(*batch(net, 5))
    return net


def through_directory(net: Any, tmp_path: pathlib.Path) -> Any:
    save_reward_net(net, tmp_path / "net")
    return load_reward_net(tmp_path / "net")


def through_file(net: Any, tmp_path: pathlib.Path) -> Any:
    th.save(net, tmp_path / "net.pt")
    return th.load(tmp_path / "net.pt")


def through_pickle(net: Any, _: Any) -> Any:
    return pickle.loads(cloudpickle.dumps(net))


def through_copy(net: Any, _: Any) -> Any:
    return copy.deepcopy(net)


WAYS = [through_directory, through_file, through_pickle, through_copy]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETS)
def test_a_network_comes_back_to_the_last_bit(
    tmp_path: pathlib.Path, name: Any, way: Any
) -> None:
    net = made(name)
    random_state = th.get_rng_state()
    again = way(net, tmp_path)
    assert th.equal(th.get_rng_state(), random_state)
    assert type(again) is type(net)
    assert again.observation_space == net.observation_space
    assert again.action_space == net.action_space
    inputs = batch(net)
    if not isinstance(net, reward_nets.RewardNetWrapper) and "ensemble" not in name:
        np.testing.assert_array_equal(again.predict(*inputs), net.predict(*inputs))
    for _ in range(2):  # the second shows that statistics go on alike
        expected = net.predict_processed(*inputs)
        np.testing.assert_array_equal(again.predict_processed(*inputs), expected)
        assert expected.std() > 0 or name in ("mock", "batch_norm", "identity")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETS)
def test_all_of_the_state_comes_back_as_a_copy(
    tmp_path: pathlib.Path, name: Any, way: Any
) -> None:
    net = made(name)
    again = way(net, tmp_path)
    ours, theirs = net.state_dict(keep_vars=True), again.state_dict(keep_vars=True)
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        assert value.dtype == theirs[key].dtype
        assert th.equal(value, theirs[key])
        assert value.requires_grad == theirs[key].requires_grad
        assert type(value) is type(theirs[key])
        assert value.numel() == 0 or value.data_ptr() != theirs[key].data_ptr()
    modes = {key: part.training for key, part in net.named_modules()}
    assert modes == {key: part.training for key, part in again.named_modules()}
    again.train()
    assert all(part.training for part in again.modules())


@pytest.mark.parametrize("way", WAYS)
def test_what_is_shared_stays_shared(tmp_path: pathlib.Path, way: Any) -> None:
    again = way(shared(), tmp_path)
    first, second, third = again.members
    assert first is second is not third
    if way is through_file or way is through_copy:
        tensors = way(tied(), tmp_path).mlp
        assert tensors.dense1.weight is tensors.dense2.weight


def test_a_pickle_of_network_and_optimizer_keeps_them_together() -> None:
    net = basic()
    net, optimizer = pickle.loads(pickle.dumps((net, th.optim.SGD(net.parameters()))))
    ours = {id(parameter) for parameter in net.parameters()}
    assert ours == {id(p) for group in optimizer.param_groups for p in group["params"]}


def test_the_constructor_arguments_of_a_copy_are_its_own_networks() -> None:
    net: Any = copy.deepcopy(normalized(shaped()))
    inner = cast("Any", remembered_arguments(net)).args[0]
    assert inner is net.base
    assert cast("Any", remembered_arguments(inner)).args[0] is inner.base


def test_a_shallow_copy_shares_everything() -> None:
    net = basic()
    again = copy.copy(net)
    assert again is not net
    assert again.mlp is net.mlp


def test_a_copy_keeps_attributes_that_were_set_later() -> None:
    net = reward_nets.AddSTDRewardWrapper(make_ensemble(BOX, ACTIONS), 0.7)
    net.default_alpha = 3.0
    cast("Any", net).note = ["mine"]
    again = copy.deepcopy(net)
    assert again.default_alpha == 3.0
    assert cast("Any", again).note == ["mine"]
    assert again.note is not net.note


FRESH = """
import sys
import torch as th
import imitation.rewards.reward_nets
net = th.load(sys.argv[1])
print(type(net).__name__, sum(p.double().sum().item() for p in net.parameters()))
"""


def test_a_fresh_process_loads_what_torch_saved(tmp_path: pathlib.Path) -> None:
    net = normalized(shaped())
    th.save(net, tmp_path / "net.pt")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRESH, str(tmp_path / "net.pt")],
        capture_output=True,
        text=True,
        check=False,
    )
    total = sum(p.double().sum().item() for p in net.parameters())
    assert done.stdout.split() == ["NormalizedRewardNet", str(total)], done.stderr


def test_a_file_of_torch_loads_as_a_reward_network(tmp_path: pathlib.Path) -> None:
    net = made("std_added")
    th.save(net, tmp_path / "net.pt")
    again = load_reward_net(tmp_path / "net.pt")
    inputs = batch(net)
    np.testing.assert_array_equal(
        again.predict_processed(*inputs), net.predict_processed(*inputs)
    )


def test_the_pickle_names_nothing_but_the_function_that_rebuilds(
    tmp_path: pathlib.Path,
) -> None:
    th.save(made("own"), tmp_path / "net.pt")
    functions = th.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "net.pt")
    assert functions == []


class Unregistered(reward_nets.RewardNet):
    def __init__(self, observation_space: Any, action_space: Any, weight: Any) -> None:
        super().__init__(observation_space, action_space)
        self.weight = nn.Parameter(th.tensor(weight))

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return self.weight * state.sum(dim=1)


def test_a_class_that_is_not_registered_is_refused_when_saving(
    tmp_path: pathlib.Path,
) -> None:
    net = Unregistered(BOX, ACTIONS, 2.0)
    for one in (net, normalized(net)):
        with pytest.raises(ArtifactError, match="register_class") as info:
            save_reward_net(one, tmp_path / "net")
        assert "Unregistered" in str(info.value)
        assert "\n" not in str(info.value)
    assert list(tmp_path.iterdir()) == []
    artifacts.register_class(Unregistered)  # afterwards is early enough
    assert through_directory(net, tmp_path).weight == 2.0


def test_a_class_that_is_not_registered_goes_to_other_processes(
    tmp_path: pathlib.Path,
) -> None:
    net = normalized(Unregistered(BOX, ACTIONS, 2.0))
    with pytest.warns(UserWarning, match="register_class"):
        again = through_pickle(net, None)
    inputs = batch(net)
    np.testing.assert_array_equal(again.predict(*inputs), net.predict(*inputs))
    with pytest.warns(UserWarning, match="register_class"):
        th.save(net, tmp_path / "net.pt")
    with pytest.raises(ArtifactError, match="allow_pickle"):
        load_reward_net(tmp_path / "net.pt")
    again = load_reward_net(tmp_path / "net.pt", allow_pickle=True)
    np.testing.assert_array_equal(again.predict(*inputs), net.predict(*inputs))


class Loose(reward_nets.RewardNetWrapper):
    """Keeps the network where torch does not see it."""

    def __init__(self, base: Any, listed: None = None) -> None:
        super().__init__(base)
        self.listed = [listed]

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return self.base(state, action, next_state, done)


def grown() -> Any:
    net = basic()
    net.more = nn.Linear(2, 2)
    return net


def widened() -> Any:
    net = basic()
    net.mlp.dense0 = nn.Linear(5, 9)
    return net


def spectral() -> Any:
    net = basic()
    nn.utils.parametrizations.spectral_norm(net.mlp.dense0)
    return net


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: shaped(lambda state: state.sum(dim=1)), "is a function"),
        (lambda: basic(activation=lambda: nn.ReLU()), "is a function"),
        (lambda: Loose(basic(), basic()), "kept as no submodule"),
        (grown, "there is a tensor 'more"),
        (widened, "expected torch.float32 of shape"),
        (lambda: Doubled(basic(), Potential(3), scales={1: {2}}), "is a set"),
        (spectral, "there is no tensor"),
        (lambda: basic(normalize_input_layer=nn.LazyLinear), "is not a tensor"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused_when_saving(
    tmp_path: pathlib.Path, make: Any, message: str
) -> None:
    artifacts.register_class(Loose)
    with pytest.raises(ArtifactError, match=message) as info:
        save_reward_net(make(), tmp_path / "net")
    assert "\n" not in str(info.value)
    assert list(tmp_path.iterdir()) == []


def test_a_potential_made_before_its_class_was_registered_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    class Late(Potential):
        def __init__(self) -> None:
            super().__init__(3)

    del artifacts._REGISTERED[artifacts.class_path(Potential)]
    with pytest.raises(ArtifactError, match="register") as info:
        save_reward_net(shaped(Late()), tmp_path / "net")
    assert "\n" not in str(info.value)


def test_nan_weights_are_saved_as_they_are(tmp_path: pathlib.Path) -> None:
    net = basic()
    net.mlp.dense0.weight.data.fill_(th.nan)
    assert through_directory(net, tmp_path).mlp.dense0.weight.isnan().all()


def test_a_network_replaces_an_older_one_or_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "net").write_text("old")
    save_reward_net(basic(), tmp_path / "net")
    save_reward_net(shaped(), tmp_path / "net")
    assert type(load_reward_net(tmp_path / "net")) is reward_nets.ShapedRewardNet
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == [
        "artifact.json",
        "net.safetensors",
    ]
    document = json.loads((tmp_path / "net" / "artifact.json").read_text())
    assert document["kind"] == "reward_net"
    assert document["class"].endswith(":ShapedRewardNet")


def test_a_directory_of_something_else_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match=r"holds thesis\.tex"):
        save_reward_net(basic(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.gpu
def test_a_network_on_a_gpu_comes_back_where_it_is_asked_for(
    tmp_path: pathlib.Path,
) -> None:
    net = made("std_added").cuda()
    inputs = batch(net)
    expected = net.predict_processed(*inputs, update_stats=False)
    on_cpu = through_directory(net, tmp_path)
    assert on_cpu.device.type == "cpu"
    on_gpu = load_reward_net(tmp_path / "net", device="cuda")
    assert {t.device.type for t in on_gpu.state_dict().values()} == {"cuda"}
    for again in (on_gpu, through_file(net, tmp_path), through_pickle(net, None)):
        assert again.device.type == "cuda"
        rewards = again.predict_processed(*inputs, update_stats=False)
        np.testing.assert_array_equal(rewards, expected)
    th.save(net, tmp_path / "net.pt")
    assert th.load(tmp_path / "net.pt", map_location="cpu").device.type == "cpu"


WRITER = """
import sys
import gymnasium as gym, numpy as np, torch as th
from imitation.util.constructors import remembered_arguments
from imitation.rewards import reward_nets, serialize
box = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
net = reward_nets.BasicRewardNet(box, box, hid_sizes=(256, 256))
while True:
    with th.no_grad():
        for parameter in net.parameters():
            parameter += 1
    serialize.save_reward_net(net, sys.argv[1])
    print("saved", flush=True)
"""


@pytest.mark.slow
def test_a_kill_while_saving_leaves_a_whole_network(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "net")],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saved\n"
            time.sleep(rng.uniform(0, 0.1))
            os.kill(process.pid, signal.SIGKILL)
        net = load_reward_net(tmp_path / "net")
        # Every bias started within ±1 and gained the same whole number.
        offsets = {round(p.mean().item()) for p in net.parameters()}
        assert len(offsets) == 1


def test_nets_saved_before_their_modules_were_merged_load(
    tmp_path: pathlib.Path,
) -> None:
    moved = {
        "mlp:BasicRewardNet": "basic:BasicRewardNet",
        "mlp:BasicPotentialMLP": "potentials:BasicPotentialMLP",
        "wrappers:NormalizedRewardNet": "normalized:NormalizedRewardNet",
        "wrappers:AddSTDRewardWrapper": "add_std:AddSTDRewardWrapper",
    }
    box = gym.spaces.Box(-1, 1, (3,), np.float32)
    potential = reward_nets.BasicPotentialMLP(box, (4,))
    members = [reward_nets.BasicRewardNet(box, box) for _ in range(2)]
    nets = [
        reward_nets.ShapedRewardNet(members[0], potential, 0.9),
        reward_nets.NormalizedRewardNet(
            reward_nets.AddSTDRewardWrapper(
                reward_nets.RewardEnsemble(box, box, members), 0.5
            ),
            networks.RunningNorm,
        ),
    ]
    transitions = checks.sample_transitions(box, box, 5)
    for i, net in enumerate(nets):
        path = tmp_path / f"{i}"
        save_reward_net(net, path)
        text = (path / "artifact.json").read_text()
        for new, old in moved.items():
            text = text.replace(f"reward_nets.{new}", f"reward_nets.{old}")
        assert text.count("reward_nets.basic:") > 0
        (path / "artifact.json").write_text(text)
        loaded = load_reward_net(path)
        np.testing.assert_array_equal(
            loaded.predict(*transitions), net.predict(*transitions)
        )
