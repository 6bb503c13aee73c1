from typing import Any

import pytest
import torch as th
from torch.nn import Linear
from torch.optim import SGD, Adam, AdamW, Optimizer

from imitation.util import optimizers


def train(
    optimizer_cls: type[Optimizer], options: dict[str, bool | float], net: Linear
) -> Any:
    optimizer = optimizers.make_optimizer(optimizer_cls, net.parameters(), options)
    for _ in range(20):
        optimizer.zero_grad()
        net(th.ones(3, 4)).square().sum().backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("optimizer_cls", [th.optim.Adam, th.optim.AdamW])
def test_the_fused_form_takes_the_same_steps(
    optimizer_cls: type[Adam] | type[AdamW],
) -> None:
    plain, fused = th.nn.Linear(4, 2), th.nn.Linear(4, 2)
    fused.load_state_dict(plain.state_dict())
    options = {"lr": 1e-2, "eps": 1e-5}
    assert train(optimizer_cls, options, fused).param_groups[0]["fused"] is True
    assert not train(optimizer_cls, options | {"foreach": False}, plain).param_groups[
        0
    ]["fused"]
    th.testing.assert_close(fused.weight, plain.weight, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer_cls", "options"),
    [
        (th.optim.SGD, {"lr": 0.1}),
        (th.optim.Adam, {"fused": False}),
        (th.optim.Adam, {"foreach": True}),
        (th.optim.Adam, {"capturable": False}),
        (th.optim.Adam, {"differentiable": False}),
    ],
)
def test_what_was_asked_for_stays(
    optimizer_cls: type[Adam] | type[SGD], options: dict[str, bool | float]
) -> None:
    net = th.nn.Linear(4, 2)
    optimizer = train(optimizer_cls, options, net)
    assert type(optimizer) is optimizer_cls
    assert not optimizer.param_groups[0].get("fused")
    for name, value in options.items():
        assert optimizer.param_groups[0][name] == value


@pytest.mark.parametrize("optimizer_cls", [th.optim.Adam, th.optim.AdamW])
def test_others_optimizers_are_fused_for_a_block(
    optimizer_cls: type[Adam] | type[AdamW],
) -> None:
    nets = [th.nn.Linear(4, 2) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    plain, changed = (optimizer_cls(net.parameters(), lr=1e-2) for net in nets)
    for fused in (False, True, False, True):
        for net, optimizer in zip(nets, (plain, changed), strict=True):
            with optimizers.fused([optimizer] if fused and net is nets[1] else []):
                assert bool(optimizer.param_groups[0]["fused"]) is (
                    fused and net is nets[1]
                )
                for _ in range(5):
                    optimizer.zero_grad()
                    net(th.ones(3, 4)).square().sum().backward()
                    optimizer.step()
    th.testing.assert_close(nets[0].weight, nets[1].weight, rtol=1e-5, atol=1e-6)
    assert changed.param_groups[0]["fused"] is None


def test_a_block_that_fails_leaves_optimizers_as_they_were() -> None:
    optimizer = th.optim.Adam(th.nn.Linear(4, 2).parameters())
    before = optimizer.state_dict()
    with pytest.raises(RuntimeError, match="inside"), optimizers.fused([optimizer]):
        raise RuntimeError("inside")
    assert optimizer.state_dict() == before


@pytest.mark.parametrize(
    ("optimizer_cls", "options"),
    [
        (th.optim.SGD, {"lr": 0.1}),
        (th.optim.RMSprop, {}),
        (th.optim.Adam, {"fused": False}),
        (th.optim.Adam, {"foreach": False}),
        (th.optim.Adam, {"foreach": True}),
        (th.optim.Adam, {"capturable": True}),
        (th.optim.Adam, {"differentiable": True}),
    ],
)
def test_a_block_changes_no_choice_of_the_owner(
    optimizer_cls: Any, options: Any
) -> None:
    optimizer = optimizer_cls(th.nn.Linear(4, 2).parameters(), **options)
    before = optimizer.state_dict()
    with optimizers.fused([optimizer]):
        assert optimizer.state_dict() == before
    assert optimizer.state_dict() == before


def no_moment(state: Any) -> None:
    del state[0]["exp_avg"]


def text(state: Any) -> None:
    state[1]["exp_avg_sq"] = "bogus"


def another_shape(state: Any) -> None:
    state[0]["exp_avg"] = th.zeros(3, 4)


@pytest.mark.parametrize("damage", [no_moment, text, another_shape])
def test_moments_that_do_not_fit_are_refused(damage: Any) -> None:
    net = Linear(4, 2)
    optimizer = Adam(net.parameters())
    net(th.ones(4)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    optimizers.load_state(Adam(net.parameters()), state)
    damage(state["state"])
    with pytest.raises(ValueError, match="the optimizer's"):
        optimizers.load_state(Adam(net.parameters()), state)
