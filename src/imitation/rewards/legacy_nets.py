"""Reward networks that release 1.0 pickled, as networks of this version.

A pickle of a whole module holds its attributes and layers, but not its constructor
arguments; these are read off the layers here, so that the networks can be saved again.
"""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn

from imitation.errors import ArtifactError, reason
from imitation.rewards import reward_nets
from imitation.util.constructors import remembered_arguments

# A module of release 1.0: mypy does not know its attributes.
Old: TypeAlias = Any


def converted(loaded: Any) -> Any:
    """Turns an unpickled network of release 1.0 into one of this version.

    Networks of this version and other objects are returned as they are; so are networks
    of classes of your own, but with the networks inside them converted.

    Raises:
        ArtifactError: it looks like a network of release 1.0, but lacks parts of it.
    """
    if not isinstance(loaded, nn.Module) or remembered_arguments(loaded) is not None:
        return loaded
    convert = _CONVERSIONS.get(type(loaded))
    try:
        if convert is not None:
            return convert(loaded).train(loaded.training)
        ours = type(loaded).__module__.startswith("imitation.")
        if ours and set(loaded._modules) == {"base"}:  # GAIL's and AIRL's
            base = converted(loaded._modules["base"])
            return type(loaded)(base).train(loaded.training)
        for name, child in list(loaded.named_children()):
            setattr(loaded, name, converted(child))
        return loaded
    except (AttributeError, LookupError, RuntimeError, TypeError) as error:
        raise ArtifactError(
            f"this {type(loaded).__name__} is not one of release 1.0: {reason(error)}"
        ) from error


def _basic_shaped(old: Old) -> nn.Module:
    base: Old = old._modules["_base"]
    options = _layers(base.mlp, "reward_hid_sizes") | _layers(
        old.potential._potential_net, "potential_hid_sizes"
    )
    new = reward_nets.BasicShapedRewardNet(
        **_spaces(old), **_uses(base), **options, discount_factor=old.discount_factor
    )
    return _with_tensors(new, old)


def _shaped(old: Old) -> nn.Module:
    # Other potentials, functions or networks of a user's class, stay as they are.
    potential, space = old.potential, old.observation_space
    if isinstance(potential, reward_nets.BasicPotentialMLP):
        potential = _with_tensors(
            reward_nets.BasicPotentialMLP(
                space, **_layers(potential._potential_net, "hid_sizes")
            ),
            potential,
        )
    elif isinstance(potential, reward_nets.BasicPotentialCNN):
        potential = _with_tensors(
            reward_nets.BasicPotentialCNN(
                space,
                hwc_format=potential.hwc_format,
                **_layers(potential._potential_net, "hid_sizes"),
            ),
            potential,
        )
    return reward_nets.ShapedRewardNet(_base(old), potential, old.discount_factor)


def _normalized(old: Old) -> nn.Module:
    # Release 1.0 kept the statistics in the layer under the same names.
    layer = old.normalize_output_layer
    new = reward_nets.NormalizedRewardNet(_base(old), type(layer))
    _with_tensors(new.normalize_output_layer, layer)
    return new


_CONVERSIONS: dict[type, Callable[[Old], nn.Module]] = {
    reward_nets.BasicRewardNet: lambda old: _with_tensors(
        reward_nets.BasicRewardNet(
            **_spaces(old), **_uses(old), **_layers(old.mlp, "hid_sizes")
        ),
        old,
    ),
    reward_nets.CnnRewardNet: lambda old: _with_tensors(
        reward_nets.CnnRewardNet(
            **_spaces(old),
            **_uses(old),
            **_layers(old.cnn, "hid_channels"),
            hwc_format=bool(old.hwc_format),
        ),
        old,
    ),
    reward_nets.BasicShapedRewardNet: _basic_shaped,
    reward_nets.ShapedRewardNet: _shaped,
    reward_nets.NormalizedRewardNet: _normalized,
    reward_nets.AddSTDRewardWrapper: lambda old: reward_nets.AddSTDRewardWrapper(
        _base(old), old.default_alpha
    ),
    reward_nets.RewardEnsemble: lambda old: reward_nets.RewardEnsemble(
        **_spaces(old), members=[converted(member) for member in old.members]
    ),
}


def _with_tensors(new: nn.Module, old: nn.Module) -> nn.Module:
    new.load_state_dict(old.state_dict())
    return new


def _base(old: Old) -> reward_nets.RewardNet:
    base = converted(old._modules["_base"])
    if not isinstance(base, reward_nets.RewardNet):
        raise TypeError(f"it wraps a {type(base).__name__}")
    return base


def _spaces(old: Old) -> dict[str, Any]:
    return {
        "observation_space": old.observation_space,
        "action_space": old.action_space,
    }


def _uses(old: Old) -> dict[str, Any]:
    names = ("use_state", "use_action", "use_next_state", "use_done")
    return {name: bool(getattr(old, name)) for name in names}


def _layers(network: Old, sizes: str) -> dict[str, Any]:
    """Reads the arguments of `build_mlp` or `build_cnn` off the layers they made.

    `sizes` names the argument that takes the sizes of hidden layers.
    """
    options: dict[str, Any] = {sizes: []}
    for full_name, layer in network.named_children():
        prefix, name, number = _NAME.fullmatch(full_name).groups()  # type: ignore[union-attr]  # an error becomes ours
        if prefix:
            options["name"] = prefix[:-1]
        if name == "dense" and number:
            options[sizes].append(layer.out_features)
        elif name == "conv":
            options[sizes].append(layer.out_channels)
            named = isinstance(layer.padding, str)  # "same" or "valid"
            options |= {
                "kernel_size": layer.kernel_size[0],
                "stride": layer.stride[0],
                "padding": layer.padding if named else int(layer.padding[0]),
            }
        elif name == "act":
            options["activation"] = type(layer)
        elif name == "dropout":
            options["dropout_prob"] = layer.p
        elif name == "normalize_input":
            options["normalize_input_layer"] = type(layer)
    return options


_NAME = re.compile(
    r"(.*_)?(flatten|normalize_input|dense|conv|act|dropout|dense_final|avg_pool|squeeze)"
    r"(\d*)"
)
