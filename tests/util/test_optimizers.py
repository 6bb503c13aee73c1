import pytest
import torch as th

from imitation.util import optimizers


def train(optimizer_cls, options, net):
    optimizer = optimizers.make_optimizer(optimizer_cls, net.parameters(), options)
    for _ in range(20):
        optimizer.zero_grad()
        net(th.ones(3, 4)).square().sum().backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("optimizer_cls", [th.optim.Adam, th.optim.AdamW])
def test_the_fused_form_takes_the_same_steps(optimizer_cls):
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
def test_what_was_asked_for_stays(optimizer_cls, options):
    net = th.nn.Linear(4, 2)
    optimizer = train(optimizer_cls, options, net)
    assert type(optimizer) is optimizer_cls
    assert not optimizer.param_groups[0].get("fused")
    for name, value in options.items():
        assert optimizer.param_groups[0][name] == value
