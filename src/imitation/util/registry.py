"""A registry from names to objects, which can import an object when it is asked for."""

import dataclasses
import importlib
import operator
from collections.abc import Callable, KeysView
from typing import Any, Generic, TypeVar

from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError, ImitationError

T = TypeVar("T")

# What a registry commonly holds: a function from an environment to an object.
LoaderFn = Callable[..., T]


class RegistryKeyError(ImitationError, KeyError):
    """A name is not registered, or is registered twice."""

    def __str__(self) -> str:
        """Returns the message itself, where `KeyError` would show its `repr`."""
        return str(self.args[0])


@dataclasses.dataclass(frozen=True)
class _Indirect:
    """An object to be imported when it is asked for."""

    path: str  # "path.to.module:attribute"


def load_attr(name: str) -> Any:
    """Imports an attribute of a module.

    >>> load_attr("math:pi")
    3.141592653589793

    Args:
        name: `path.to.module:attribute`; the attribute may have dots.

    Returns:
        The attribute.

    Raises:
        ValueError: `name` has another form.
        ModuleNotFoundError: there is no such module.
        AttributeError: the module has no such attribute.
    """
    module_name, separator, attribute = name.partition(":")
    if not (module_name and separator and attribute):
        raise ConfigError(f"expected 'path.to.module:attribute', got {name!r}")
    return operator.attrgetter(attribute)(importlib.import_module(module_name))


class Registry(Generic[T]):
    """Names of objects of one kind; entries can be added but not changed.

    An entry given as `indirect="path.to.module:attribute"` is imported when it is
    asked for, so that unused and missing optional modules cost nothing.

    >>> registry = Registry()
    >>> registry.register("pi", indirect="math:pi")
    >>> registry.register("two", 2)
    >>> registry.get("pi"), list(registry.keys())
    (3.141592653589793, ['pi', 'two'])
    """

    def __init__(self) -> None:
        self._entries: dict[str, T | _Indirect] = {}

    def get(self, key: str) -> T:
        """Returns the object registered under a name.

        Args:
            key: the name.

        Returns:
            The object, imported now if it was registered by its path.

        Raises:
            KeyError: nothing is registered under that name.
        """
        try:
            entry = self._entries[key]
        except KeyError:
            known = ", ".join(sorted(self._entries)) or "none"
            raise RegistryKeyError(
                f"Key '{key}' is not registered; registered are: {known}"
            ) from None
        # Not stored: a module that was imported once is a dictionary lookup away.
        if isinstance(entry, _Indirect):
            value: T = load_attr(entry.path)
            return value
        return entry

    def keys(self) -> KeysView[str]:
        """Returns the names in the order of their registration."""
        return self._entries.keys()

    def register(
        self, key: str, value: T | None = None, *, indirect: str | None = None
    ) -> None:
        """Adds an object.

        Args:
            key: the name.
            value: the object itself.
            indirect: instead of `value`, where to import it from:
                `path.to.module:attribute`.

        Raises:
            KeyError: the name is taken.
            ValueError: both or neither of `value` and `indirect` are given.
        """
        n_given = (value is not None) + (indirect is not None)
        if n_given != 1:
            raise ConfigError(
                "Must provide exactly one of 'value' and 'indirect', "
                f"{n_given} have been provided."
            )
        if key in self._entries:
            raise RegistryKeyError(f"Duplicate registration for '{key}'")
        if indirect is not None:
            self._entries[key] = _Indirect(indirect)
        else:
            assert value is not None
            self._entries[key] = value


def build_loader_fn_require_space(fn: Callable[..., T], **kwargs: Any) -> LoaderFn[T]:
    """Turns a function of two spaces into one of a vectorised environment.

    Args:
        fn: called with the observation space and the action space.
        **kwargs: passed on to `fn`; the loader's own keywords take precedence.

    Returns:
        A function of an environment and keywords.
    """

    def load(venv: VecEnv, **loader_kwargs: Any) -> T:
        return fn(
            venv.observation_space, venv.action_space, **{**kwargs, **loader_kwargs}
        )

    return load


def build_loader_fn_require_env(fn: Callable[..., T], **kwargs: Any) -> LoaderFn[T]:
    """Turns a function of a vectorised environment into a loader with keywords bound.

    Args:
        fn: called with the environment.
        **kwargs: passed on to `fn`; the loader's own keywords take precedence.

    Returns:
        A function of an environment and keywords.
    """

    def load(venv: VecEnv, **loader_kwargs: Any) -> T:
        return fn(venv, **{**kwargs, **loader_kwargs})

    return load
