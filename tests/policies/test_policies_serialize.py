"""Loading policies by type: files of Stable-Baselines3, ours, one's own loaders."""

import base64
import json
import pathlib
import zipfile
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
from stable_baselines3.common import callbacks, policies, vec_env

from imitation.errors import ArtifactError
from imitation.policies import base, experts, serialize
from imitation.policies.serialize import load_policy, policy_registry
from imitation.util import policy_io, util


def _venv(env_name: str = "Pendulum-v1") -> vec_env.DummyVecEnv:
    return vec_env.DummyVecEnv([lambda: gym.make(env_name)] * 2)


@pytest.fixture(scope="module")
def venv() -> Any:
    return _venv()


@pytest.fixture(scope="module", params=["ppo", "sac"])
def saved(
    request: pytest.FixtureRequest, venv: Any, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """An algorithm's name, the algorithm and the directory it is saved in."""
    cls = {"ppo": sb3.PPO, "sac": sb3.SAC}[request.param]
    model = cls("MlpPolicy", venv, policy_kwargs={"net_arch": [4]}, device="cpu")
    directory = tmp_path_factory.mktemp(request.param)
    serialize.save_stable_model(directory, model)
    return request.param, model, directory


@pytest.fixture(scope="module")
def ppo_zip(venv: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("ppo_zip")
    model = sb3.PPO("MlpPolicy", venv, policy_kwargs={"net_arch": [4]}, device="cpu")
    serialize.save_stable_model(directory, model)
    return model, directory / "model.zip"


def _obs(venv: Any) -> np.ndarray:
    space = venv.observation_space
    return np.stack([space.sample() for _ in range(16)])


def _assert_same(policy: Any, other: Any, venv: Any) -> None:
    obs = _obs(venv)
    acts, expected = (p.predict(obs, deterministic=True)[0] for p in (policy, other))
    np.testing.assert_array_equal(acts, expected)


def test_registered_types() -> None:
    assert set(policy_registry.keys()) >= {
        "bundled",
        "random",
        "zero",
        "ppo",
        "sac",
        "ppo-huggingface",
        "sac-huggingface",
    }


@pytest.mark.parametrize(
    ("policy_type", "cls"), [("random", base.RandomPolicy), ("zero", base.ZeroPolicy)]
)
def test_policies_without_arguments(policy_type: str, cls: Any, venv: Any) -> None:
    policy = load_policy(policy_type, venv)
    assert isinstance(policy, cls)
    assert policy.predict(_obs(venv))[0].shape == (16, 1)


def test_bundled_experts_are_found_by_the_environment() -> None:
    venv = util.make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=1)
    expected = experts.load_expert("CartPole-v1")
    for kwargs in ({}, {"env_name": "CartPole-v1"}):
        _assert_same(load_policy("bundled", venv, **kwargs), expected, venv)
    with pytest.raises(ValueError, match="bundled expert for Pendulum-v1 expects"):
        load_policy("bundled", venv, env_name="Pendulum-v1")
    with pytest.raises(ArtifactError, match="no expert for A-v0 is bundled"):
        load_policy("bundled", venv, env_name="A-v0")


@pytest.mark.parametrize("as_file", [True, False], ids=["zip", "directory"])
@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_saved_models_load(saved: Any, venv: Any, as_file: bool, as_text: bool) -> None:
    name, model, directory = saved
    path = directory / "model.zip" if as_file else directory
    policy = load_policy(name, venv, path=str(path) if as_text else path)
    _assert_same(policy, model.policy, venv)


def test_a_model_can_train_on_after_loading(ppo_zip: Any) -> None:
    _, path = ppo_zip
    loaded = serialize.load_stable_baselines_model(
        sb3.PPO, path, _venv(), n_steps=16, learning_rate=1e-2
    )
    assert loaded.learning_rate == 1e-2
    loaded.learn(32)


def test_policy_directories_of_ours_load(
    ppo_zip: Any, venv: Any, tmp_path: pathlib.Path
) -> None:
    model, _ = ppo_zip
    policy_io.save_policy(model.policy, tmp_path / "policy")
    policy = load_policy("ppo", venv, path=tmp_path / "policy")
    _assert_same(policy, model.policy, venv)
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        load_policy("ppo", _venv("MountainCarContinuous-v0"), path=tmp_path / "policy")


def _a_text_file(path: Any) -> Any:
    path.write_text("not a zip")
    return path


def _a_foreign_zip(path: Any) -> Any:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return path


def _an_outdated_directory(path: Any) -> Any:
    path.mkdir()
    (path / "model.zip").touch()
    (path / "vec_normalize.pkl").touch()
    return path


def _an_empty_directory(path: Any) -> Any:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (
            _an_empty_directory,
            FileNotFoundError,
            r"Expected .*x to be a directory containing a 'model.zip' file\.",
        ),
        (lambda path: path, FileNotFoundError, "containing a 'model.zip' file"),
        (_an_outdated_directory, FileExistsError, "Outdated policy format"),
        (_a_text_file, ArtifactError, "is not a Stable-Baselines3 zip"),
        (_a_foreign_zip, ArtifactError, "not of Stable-Baselines3"),
    ],
)
def test_paths_that_hold_no_model(
    tmp_path: pathlib.Path, venv: Any, make: Any, error: Any, complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        load_policy("ppo", venv, path=make(tmp_path / "x"))


def test_a_model_for_another_environment_is_refused(ppo_zip: Any) -> None:
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        load_policy("ppo", _venv("MountainCarContinuous-v0"), path=ppo_zip[1])


def test_unknown_types_are_refused(venv: Any) -> None:
    with pytest.raises(KeyError, match="not registered"):
        load_policy("ppo2", venv)


def test_missing_arguments_are_named(venv: Any) -> None:
    with pytest.raises(TypeError, match="path"):
        load_policy("ppo", venv)


def _pickle_that_fails(error: Any) -> Any:
    """A pickle that imports a missing module, or fails as a foreign function does."""
    code = {
        "import": b"cgym.spaces.box\nBox\n.",
        "function": b"cbuiltins\nint\n(lS'x'\ntR.",
    }[error]
    return base64.b64encode(code).decode()


@pytest.fixture
def old_zip(ppo_zip: Any, tmp_path: pathlib.Path) -> Any:
    """What Python 3.8 with the old Gym would have written."""
    path = tmp_path / "old.zip"
    with zipfile.ZipFile(ppo_zip[1]) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "data":
                data = json.loads(content)
                for key in ("observation_space", "action_space"):
                    data[key] = {
                        ":type:": "<class 'gym.spaces.box.Box'>",
                        ":serialized:": _pickle_that_fails("import"),
                    }
                for key in ("clip_range", "lr_schedule"):
                    data[key] = {
                        ":type:": "<class 'function'>",
                        ":serialized:": _pickle_that_fails("function"),
                    }
                content = json.dumps(data).encode()
            if name == "system_info.txt":
                content = b"OS: Linux\nPython: 3.8.10\nGym: 0.26.2\n"
            target.writestr(name, content)
    return path


def test_files_of_old_pythons_and_gyms_load_and_train(
    ppo_zip: Any, old_zip: Any, venv: Any
) -> None:
    model, _ = ppo_zip
    _assert_same(load_policy("ppo", venv, path=old_zip), model.policy, venv)
    loaded: Any = serialize.load_stable_baselines_model(
        sb3.PPO, old_zip, venv, n_steps=16
    )
    assert loaded.clip_range(1.0) == 0.2
    assert loaded.lr_schedule(1.0) == model.learning_rate
    loaded.learn(32)


def test_custom_objects_of_the_caller_win(old_zip: Any, venv: Any) -> None:
    loaded: Any = serialize.load_stable_baselines_model(
        sb3.PPO, old_zip, venv, custom_objects={"clip_range": 0.05}
    )
    assert loaded.clip_range(1.0) == 0.05


def test_a_current_file_keeps_its_own_schedules(
    venv: Any, tmp_path: pathlib.Path
) -> None:
    model = sb3.PPO("MlpPolicy", venv, clip_range=lambda left: 0.1 * left, device="cpu")
    serialize.save_stable_model(tmp_path, model)
    loaded: Any = serialize.load_stable_baselines_model(sb3.PPO, tmp_path, venv)
    assert loaded.clip_range(0.5) == pytest.approx(0.05)


def test_saving_makes_directories_and_replaces_the_file(
    ppo_zip: Any, tmp_path: pathlib.Path
) -> None:
    model, _ = ppo_zip
    directory = tmp_path / "a" / "b"
    for _ in range(2):
        serialize.save_stable_model(directory, model, "expert.zip")
    assert [p.name for p in directory.iterdir()] == ["expert.zip"]


def test_callback_saves_each_time_it_is_called(tmp_path: pathlib.Path) -> None:
    venv = _venv()
    model = sb3.PPO("MlpPolicy", venv, n_steps=16, batch_size=16, n_epochs=1)
    callback = callbacks.EveryNTimesteps(
        20, serialize.SavePolicyCallback(tmp_path / "policies")
    )
    model.learn(64, callback=callback)
    saved = sorted(p.name for p in (tmp_path / "policies").iterdir())
    assert saved == ["000000000020", "000000000040", "000000000060"]
    for name in saved:
        load_policy("ppo", venv, path=tmp_path / "policies" / name)


def test_documented_registration_of_ones_own_expert(venv: Any) -> None:
    def my_policy_loader(venv: Any, some_param: Any) -> policies.BasePolicy:
        policy = base.ZeroPolicy(venv.observation_space, venv.action_space)
        policy.some_param = some_param
        return policy

    policy_registry.register("a-policy-of-mine", my_policy_loader)
    assert load_policy("a-policy-of-mine", venv, some_param=42).some_param == 42
    with pytest.raises(KeyError, match="Duplicate registration"):
        policy_registry.register("a-policy-of-mine", my_policy_loader)


def test_paths_may_be_relative(
    ppo_zip: Any, venv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ppo_zip[1].parent)
    for path in ("model.zip", pathlib.Path()):
        policy = load_policy("ppo", venv, path=path)
        assert policy.action_space == venv.action_space


@pytest.mark.parametrize(
    ("policy_type", "arguments", "message"),
    [
        ("ppo", {}, r"load_policy\('ppo', venv, \.\.\.\): missing .*'path'"),
        ("ppo-huggingface", {}, "missing .*'env_name'"),
        ("bundled", {"path": "x"}, "unexpected keyword argument 'path'"),
    ],
)
def test_arguments_a_loader_does_not_take(
    venv: Any, policy_type: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        load_policy(policy_type, venv, **arguments)
