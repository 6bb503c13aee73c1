import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest
from torch import nn

from imitation.errors import ArtifactError
from imitation.util import arguments, constructors


@constructors.remember_arguments
class Parent:
    def __init__(self, *sizes: object, items: Any = (), **options: Any) -> None:
        self.items = tuple(items)


class Child(Parent):
    def __init__(self, size: int) -> None:
        super().__init__(size, size, items=(i for i in range(size)))


remembering_child = constructors.remember_arguments(Child)


class Plain:
    pass


def test_the_arguments_of_the_outermost_constructor_are_remembered() -> None:
    found = constructors.remembered_arguments(Child(3))
    assert found == constructors.Arguments((3,), {})
    found = constructors.remembered_arguments(Parent(1, 2, items=[3], more=4))
    assert found == constructors.Arguments((1, 2), {"items": [3], "more": 4})
    assert constructors.remembered_arguments(Plain()) is None


def test_remembering_twice_changes_nothing() -> None:
    before = Parent.__init__
    assert constructors.remember_arguments(Parent) is Parent
    assert Parent.__init__ is before
    assert constructors.remember_arguments(Child) is remembering_child


def test_iterators_are_remembered_and_reach_the_constructor() -> None:
    made = Parent(items=iter("ab"))
    assert made.items == ("a", "b")
    arguments = constructors.remembered_arguments(made)
    assert arguments is not None
    assert arguments.kwargs == {"items": ["a", "b"]}


def test_later_changes_of_an_argument_do_not_count() -> None:
    items: Any = [1, {"deep": [2]}]
    found: Any = constructors.remembered_arguments(Parent(items=items))
    items[1]["deep"].append(3)
    assert found.kwargs == {"items": [1, {"deep": [2]}]}


def test_what_cannot_be_saved_is_not_kept_alive() -> None:
    big = Plain()
    gone = weakref.ref(big)
    made = Parent(big, items=[np.float32(0.5), np.arange(3)])
    del big
    gc.collect()
    assert gone() is None
    found: Any = constructors.remembered_arguments(copy.deepcopy(made))
    assert found.args == (constructors.Unsavable("Plain"),)
    assert found.kwargs["items"] == [0.5, constructors.Unsavable("ndarray")]
    with pytest.raises(ArtifactError, match="the argument x is a Plain, which cannot"):
        arguments.to_json(found.args[0], "the argument x")


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, "text", [1, [2, {"a": None}]], nn.Tanh, {"b": float("inf")}],
)
def test_arguments_survive_json(value: Any) -> None:
    again = arguments.from_json(arguments.to_json(value, "the argument"))
    assert again == value
    assert type(again) is type(value)


def test_networks_need_somebody_who_numbers_them() -> None:
    net = nn.Identity()
    with pytest.raises(ArtifactError, match="is a Identity"):
        arguments.to_json(net, "the argument")
    stored = arguments.to_json({"net": net}, "the argument", lambda _: 0)
    assert arguments.from_json(stored, [net]) == {"net": net}
