"""Loading and saving policies by type: zips of Stable-Baselines3, ours, the hub's.

Stable-Baselines3's `.zip` holds pickled objects: **loading one can run code** that its
author put there, whether it comes from a disk or from a hub. Load only files of people
you trust. Our own policy directories (`imitation.util.policy_io`) cannot run code.
"""

import inspect
import json
import logging
import pathlib
import platform
import re
import zipfile
from collections.abc import Callable
from typing import Any, TypeVar

from stable_baselines3 import PPO, SAC
from stable_baselines3.common import callbacks
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ArtifactError
from imitation.policies import base, experts, hub
from imitation.util import artifacts, policy_io
from imitation.util.registry import Registry, build_loader_fn_require_space

Algorithm = TypeVar("Algorithm", bound=BaseAlgorithm)

# Takes a `VecEnv` and then its own keyword arguments; returns a policy.
PolicyLoaderFn = Callable[..., BasePolicy]

# Loaders by policy type; `policy_registry.register(name, loader)` adds yours.
policy_registry: Registry[PolicyLoaderFn] = Registry()

# Owner of the hub's experts; the bundled experts stand in for these.
DEFAULT_ORGANIZATION = "HumanCompatibleAI"

_logger = logging.getLogger(__name__)


def load_policy(policy_type: str, venv: VecEnv, **kwargs: Any) -> BasePolicy:
    """Loads a policy.

    Args:
        policy_type: a key of `policy_registry`: `random` and `zero` take no further
            arguments; `ppo` and `sac` take `path`, a zip of Stable-Baselines3, a
            directory with a `model.zip`, or a policy directory of ours;
            `ppo-huggingface` and `sac-huggingface` take `env_name` and optionally
            `organization`; `bundled` is the expert that comes with the package, the
            same with and without a network, and takes `env_name` only if it is not
            that of `venv`. Zips can run code: see the module's first lines.
        venv: the environments the policy shall act in.
        **kwargs: passed to the loader.

    Returns:
        The policy.

    Raises:
        KeyError: no such policy type is registered.
        TypeError: the loader lacks an argument, or gets one it does not take.
    """
    loader = policy_registry.get(policy_type)
    try:
        inspect.signature(loader).bind(venv, **kwargs)
    except TypeError as error:
        raise TypeError(f"load_policy({policy_type!r}, venv, ...): {error}") from error
    return loader(venv, **kwargs)


def load_stable_baselines_model(
    cls: type[Algorithm], path: str | pathlib.Path, venv: VecEnv, **kwargs: Any
) -> Algorithm:
    """Loads an algorithm of Stable-Baselines3, which can run code in the file.

    Files written by other versions of Python and by the old Gym load too: what cannot
    be read there is replaced by the environment's spaces and default schedules.

    Args:
        cls: the algorithm's class, such as `PPO`.
        path: a zip file, or a directory with a `model.zip`.
        venv: the environments to use it with; their spaces have to be the model's.
        **kwargs: passed to `cls.load`.

    Returns:
        The algorithm with its policy.

    Raises:
        FileNotFoundError: there is neither a zip nor a directory with a `model.zip`.
        FileExistsError: there is a `vec_normalize.pkl`, an unsupported old format.
    """
    model_path = _model_zip(pathlib.Path(path))
    custom_objects = _replacements(model_path, venv) | kwargs.pop("custom_objects", {})
    return cls.load(model_path, env=venv, custom_objects=custom_objects, **kwargs)


def _model_zip(path: pathlib.Path) -> pathlib.Path:
    if path.is_dir():
        if (path / "vec_normalize.pkl").exists():
            raise FileExistsError(
                f"Outdated policy format: {path} holds a vec_normalize.pkl, which is "
                "not supported; normalize inside the policy instead "
                "(NormalizeFeaturesExtractor) and train it again"
            )
        path = path / "model.zip"
        if not path.is_file():
            raise FileNotFoundError(
                f"Expected {path.parent} to be a directory containing a 'model.zip' "
                "file."
            )
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected {path} to be a zip file, or to be a directory containing a "
            "'model.zip' file."
        )
    if not zipfile.is_zipfile(path):
        raise ArtifactError(f"{path} is not a Stable-Baselines3 zip")
    return path


def _replacements(model_path: pathlib.Path, venv: VecEnv) -> dict[str, Any]:
    """Chooses stand-ins for the pickles in a model file that we cannot read."""
    with zipfile.ZipFile(model_path) as archive:
        if "data" not in archive.namelist():
            raise ArtifactError(f"{model_path} is a zip, but not of Stable-Baselines3")
        data = json.loads(archive.read("data"))
        about = ""
        if "system_info.txt" in archive.namelist():
            about = archive.read("system_info.txt").decode(errors="replace")
    # Stable-Baselines3 marks the values that it had to pickle like this.
    kinds = {
        key: value[":type:"]
        for key, value in data.items()
        if isinstance(value, dict) and ":serialized:" in value
    }
    replacements: dict[str, Any] = {}
    for key in ("observation_space", "action_space"):
        if "'gym.spaces" in kinds.get(key, ""):
            # Unpickling spaces of OpenAI Gym would need that package.
            replacements[key] = getattr(venv, key)
    # Functions are pickled as byte code, which differs between versions of Python.
    version = re.search(r"^[- ]*Python: *(\d+)\.(\d+)", about, re.MULTILINE)
    if version is None or version.groups() != platform.python_version_tuple()[:2]:
        for key, default in (("clip_range", 0.2), ("learning_rate", 3e-4)):
            if "function" in kinds.get(key, ""):
                replacements[key] = default
        if "function" in kinds.get("lr_schedule", ""):
            replacements["lr_schedule"] = None  # made from learning_rate on loading
    return replacements


def save_stable_model(
    output_dir: pathlib.Path, model: BaseAlgorithm, filename: str = "model.zip"
) -> None:
    """Saves an algorithm of Stable-Baselines3, for `load_policy(..., path=output_dir)`.

    Args:
        output_dir: the directory to write into; created if it does not exist.
        model: the algorithm.
        filename: the file's name inside the directory.
    """
    output_dir = pathlib.Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    with (
        artifacts.replacing_file(output_dir / filename) as temporary,
        # An open file, because SB3 appends a suffix to a path that lacks one.
        temporary.open("wb") as file,
    ):
        model.save(file)
    _logger.info("saved the policy to %s", output_dir)


class SavePolicyCallback(callbacks.EventCallback):
    """Saves the model to `<policy_dir>/<steps, 12 digits>/model.zip` at each event.

    To be called by `callbacks.EveryNTimesteps` or another event.

    Args:
        policy_dir: the directory to save into.
        *args: passed to `callbacks.EventCallback`.
        **kwargs: passed on as well.
    """

    def __init__(self, policy_dir: pathlib.Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy_dir = pathlib.Path(policy_dir)

    def _on_step(self) -> bool:
        save_stable_model(self.policy_dir / f"{self.num_timesteps:012d}", self.model)
        return True


def _file_loader(cls: type[BaseAlgorithm]) -> PolicyLoaderFn:
    """Makes the loader of an algorithm's policies from local files."""

    def load(
        venv: VecEnv, path: str | pathlib.Path, device: str = "auto"
    ) -> BasePolicy:
        if (pathlib.Path(path) / "artifact.json").is_file():
            policy = policy_io.load_policy(path, device)
            base.check_spaces(policy, venv, str(path))
            return policy
        return load_stable_baselines_model(cls, path, venv, device=device).policy

    return load


def _hub_loader(cls: type[BaseAlgorithm], name: str) -> PolicyLoaderFn:
    """Makes the loader of an algorithm's policies from the hub's `<name>-<env>`."""

    def load(
        venv: VecEnv,
        env_name: str,
        organization: str = DEFAULT_ORGANIZATION,
        device: str = "auto",
    ) -> BasePolicy:
        model_name = f"{name}-{experts.directory_name(env_name)}"
        repo_id = f"{organization}/{model_name}"
        try:
            path = hub.fetch(repo_id, f"{model_name}.zip")
        except ArtifactError as error:
            documented = (organization, name) == (DEFAULT_ORGANIZATION, "ppo")
            if not documented or not experts.is_available(env_name):
                raise ArtifactError(f"{error}; {experts.describe()}") from error
            policy = experts.load_expert(env_name, venv, device)
            _logger.warning(
                "using the bundled expert for %s instead of %s: %s",
                env_name,
                repo_id,
                error,
            )
            return policy
        return load_stable_baselines_model(cls, path, venv, device=device).policy

    return load


def _load_bundled(
    venv: VecEnv, env_name: str | None = None, device: str = "auto"
) -> BasePolicy:
    """Loads the bundled expert for an environment, by default for that of `venv`."""
    if env_name is None:
        env_name = str(venv.get_attr("spec", [0])[0].id)
    return experts.load_expert(env_name, venv, device)


policy_registry.register("random", build_loader_fn_require_space(base.RandomPolicy))
policy_registry.register("zero", build_loader_fn_require_space(base.ZeroPolicy))
policy_registry.register("bundled", _load_bundled)
policy_registry.register("ppo", _file_loader(PPO))
policy_registry.register("sac", _file_loader(SAC))
policy_registry.register("ppo-huggingface", _hub_loader(PPO, "ppo"))
policy_registry.register("sac-huggingface", _hub_loader(SAC, "sac"))
