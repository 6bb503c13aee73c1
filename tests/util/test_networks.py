"""Tests of the network builders and of switching between training and evaluation."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch as th
from torch import nn

from imitation.util import networks


def layer_names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]


def test_training_mode_restores_every_submodule_after_an_exception() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    model[1].eval()  # a frozen part, which m.train() would thaw
    for context, inside in [
        (networks.training(model), True),
        (networks.evaluating(model), False),
        (networks.training_mode(model), False),
        (networks.training_mode(model, True), True),
        (networks.training(model, mode=False), False),
    ]:
        with pytest.raises(KeyError), context as module:
            assert module is model
            assert [m.training for m in model.modules()] == [inside] * 4
            raise KeyError
        assert [m.training for m in model.modules()] == [True, True, False, True]


def test_training_modes_nest() -> None:
    model: Any = nn.Linear(1, 1)
    with networks.evaluating(model):
        with networks.training(model):
            assert model.training
        assert not model.training
    assert model.training


def test_squeeze_layer() -> None:
    assert networks.SqueezeLayer()(th.ones(3, 1)).shape == (3,)
    assert networks.SqueezeLayer()(th.ones(1, 1)).shape == (1,)
    with pytest.raises(AssertionError):
        networks.SqueezeLayer()(th.ones(3, 2))


def test_mlp_layers_and_names() -> None:
    model = networks.build_mlp(
        12,
        (8, 4),
        name="net",
        activation=nn.Tanh,
        dropout_prob=0.1,
        squeeze_output=True,
        flatten_input=True,
        normalize_input_layer=networks.RunningNorm,
    )
    assert layer_names(model) == [
        "net_flatten",
        "net_normalize_input",
        *["net_dense0", "net_act0", "net_dropout0"],
        *["net_dense1", "net_act1", "net_dropout1"],
        "net_dense_final",
        "net_squeeze",
    ]
    assert model(th.ones(5, 3, 4)).shape == (5,)


def test_mlp_computes_what_its_weights_say() -> None:
    model = networks.build_mlp(3, [4], out_size=2)
    assert layer_names(model) == ["dense0", "act0", "dense_final"]
    weights = dict(model.named_parameters())
    x = th.randn(6, 3)
    hidden = th.relu(x @ weights["dense0.weight"].T + weights["dense0.bias"])
    expected = hidden @ weights["dense_final.weight"].T + weights["dense_final.bias"]
    th.testing.assert_close(model(x), expected)


def test_mlp_without_hidden_layers_is_linear() -> None:
    model = networks.build_mlp(3, iter([]), out_size=2)
    x = th.randn(4, 3)
    th.testing.assert_close(model(2 * x) - model(x), model(x) - model(0 * x))


def test_cnn_layers_and_names() -> None:
    model = networks.build_cnn(3, (8, 4), dropout_prob=0.1, squeeze_output=True)
    assert layer_names(model) == [
        *["conv0", "act0", "dropout0", "conv1", "act1", "dropout1"],
        *["avg_pool", "flatten", "dense_final", "squeeze"],
    ]
    assert model(th.ones(2, 3, 10, 7)).shape == (2,)


def test_cnn_averages_over_the_image() -> None:
    model = networks.build_cnn(2, (), out_size=3, name="cnn")
    assert layer_names(model) == ["cnn_avg_pool", "cnn_flatten", "cnn_dense_final"]
    x = th.randn(4, 2, 5, 5)
    linear = model.get_submodule("cnn_dense_final")
    th.testing.assert_close(model(x), linear(x.mean(dim=(2, 3))))
    strided = networks.build_cnn(2, [4], out_size=3, stride=2, padding=1)
    assert strided(x).shape == (4, 3)


@pytest.mark.parametrize("build", [networks.build_mlp, networks.build_cnn])
def test_squeeze_needs_one_output(build: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="squeeze_output is only applicable when out"):
        build(3, [4], out_size=2, squeeze_output=True)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Conv2d, lambda: nn.ReLU(), "norm"])
def test_mlp_refuses_what_is_no_normalization_layer(layer: Any) -> None:
    with pytest.raises(
        ValueError, match=r"normalize_input_layer=.* is not a valid nor"
    ):
        networks.build_mlp(3, [4], normalize_input_layer=layer)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d, nn.LayerNorm, networks.EMANorm])
def test_mlp_takes_any_layer_made_from_a_number_of_features(
    layer: type[nn.Module],
) -> None:
    model = networks.build_mlp(3, [4], normalize_input_layer=layer)
    assert isinstance(model.get_submodule("normalize_input"), layer)
    model(th.randn(5, 3)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


class CountsSwitches(nn.Linear):
    def train(self, mode: bool = True) -> "CountsSwitches":
        self.switches = getattr(self, "switches", 0) + 1
        return super().train(mode)


def test_training_mode_honours_modules_that_switch_in_their_own_way() -> None:
    inner = CountsSwitches(1, 1)
    model = nn.Sequential(nn.Sequential(inner), nn.Dropout())
    with networks.evaluating(model):
        assert inner.switches == 1
        assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.modules())


def test_submodules_come_in_the_order_of_torch() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(
        nn.Sequential(nn.Linear(1, 1), shared), nn.Linear(1, 1), shared
    )
    found = list(networks.submodules(model))
    assert found == [*model.modules(), shared]


def test_scripted_modules_switch_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of scripting itself
        model = th.jit.script(nn.Sequential(nn.Dropout(0.5)))
    x = th.ones(64)
    with networks.evaluating(model):
        th.testing.assert_close(model(x), x)
    assert model.training and not th.equal(model(x), x)
