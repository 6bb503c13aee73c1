"""Experts of the model hub, against a small hub of our own on this machine."""

import http.server
import logging
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
from huggingface_hub import constants
from stable_baselines3.common import vec_env

from imitation.errors import ArtifactError
from imitation.policies import experts, hub, serialize

REPO = "HumanCompatibleAI/ppo-seals-CartPole-v0"
FILE = "ppo-seals-CartPole-v0.zip"
COMMIT = "0123456789012345678901234567890123456789"


class _Hub(http.server.BaseHTTPRequestHandler):
    """Serves files the way the hub does; `files` maps repositories to contents."""

    files: ClassVar[dict[str, bytes]] = {}
    requests: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET(with_body=False)

    def do_GET(self, with_body: bool = True) -> None:
        self.requests.append(f"{self.command} {self.path}")
        if self.path == "/":
            self._reply(200, b"", with_body)
            return
        content = self.files.get(self.path.removeprefix("/"))
        if content is None:
            self._reply(404, b"", with_body, **{"X-Error-Code": "RepoNotFound"})
            return
        self._reply(200, content, with_body, ETag='"etag"', **{"X-Repo-Commit": COMMIT})

    def _reply(self, status: Any, content: Any, with_body: Any, **headers: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _fresh_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> Iterator[Any]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.is_reachable.cache_clear()
    yield
    hub.is_reachable.cache_clear()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The hub answers; gives the handler, to put files in and see requests."""
    handler = type("Handler", (_Hub,), {"files": {}, "requests": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(hub, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where the hub should be."""
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def venv() -> vec_env.DummyVecEnv:
    return vec_env.DummyVecEnv([lambda: gym.make("seals:seals/CartPole-v0")] * 2)


@pytest.fixture(scope="module")
def model(venv: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model that differs from every bundled expert, and the bytes of its zip."""
    ppo = sb3.PPO("MlpPolicy", venv, policy_kwargs={"net_arch": [3]}, device="cpu")
    directory = tmp_path_factory.mktemp("model")
    serialize.save_stable_model(directory, ppo)
    return ppo, (directory / "model.zip").read_bytes()


def _load(venv: Any, policy_type: str = "ppo-huggingface", **kwargs: Any) -> Any:
    arguments = {"env_name": "seals-CartPole-v0", **kwargs}
    return serialize.load_policy(policy_type, venv, **arguments)


def _is_bundled(policy: Any) -> Any:
    expert = experts.load_expert("seals/CartPole-v0")
    return policy.state_dict().keys() == expert.state_dict().keys() and all(
        value.equal(expert.state_dict()[name])
        for name, value in policy.state_dict().items()
    )


@pytest.mark.parametrize(
    "env_name", ["seals-CartPole-v0", "seals/CartPole-v0", "seals:seals/CartPole-v0"]
)
def test_loads_the_real_one_when_the_hub_answers(
    served: Any, venv: Any, model: Any, env_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    ppo, content = model
    served.files[f"{REPO}/resolve/main/{FILE}"] = content
    policy = _load(venv, organization="HumanCompatibleAI", env_name=env_name)
    obs = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    np.testing.assert_array_equal(
        policy.predict(obs, deterministic=True)[0],
        ppo.predict(obs, deterministic=True)[0],
    )
    assert policy.mlp_extractor.policy_net[0].out_features == 3
    assert "bundled" not in caplog.text


def test_other_organizations_and_algorithms_have_their_own_repositories(
    served: Any, venv: Any, model: Any
) -> None:
    served.files["me/ppo-A-v3/resolve/main/ppo-A-v3.zip"] = model[1]
    _load(venv, organization="me", env_name="A-v3")
    with pytest.raises(ArtifactError, match=r"has no sac-A-v3\.zip in me/sac-A-v3"):
        _load(venv, "sac-huggingface", organization="me", env_name="A-v3")


def test_asks_the_hub_only_once_whether_it_is_there(
    served: Any, venv: Any, model: Any
) -> None:
    served.files[f"{REPO}/resolve/main/{FILE}"] = model[1]
    for _ in range(3):
        _load(venv)
    assert served.requests.count("HEAD /") == 1


def test_bundled_expert_stands_in_with_one_log_line(
    closed: Any, venv: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        start = time.perf_counter()
        policy = _load(venv, organization="HumanCompatibleAI")
        seconds = time.perf_counter() - start
    assert _is_bundled(policy)
    assert seconds < 2
    (record,) = [r for r in caplog.records if r.name.startswith("imitation")]
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert "using the bundled expert for seals-CartPole-v0" in message
    assert REPO in message
    assert "cannot be reached" in message
    assert "\n" not in message


def test_offline_mode_asks_nobody(
    served: Any, venv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert _is_bundled(_load(venv))
    assert served.requests == []


def test_an_absent_repository_is_stood_in_for_too(
    served: Any, venv: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert _is_bundled(_load(venv))
    assert "has no ppo-seals-CartPole-v0.zip" in caplog.text


def test_what_was_downloaded_before_loads_offline(
    served: Any, venv: Any, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.files[f"{REPO}/resolve/main/{FILE}"] = model[1]
    _load(venv)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not _is_bundled(_load(venv))


@pytest.mark.parametrize(
    ("policy_type", "kwargs"),
    [
        ("ppo-huggingface", {"env_name": "NoSuch-v0"}),
        ("ppo-huggingface", {"organization": "somebody-else"}),
        ("sac-huggingface", {}),
    ],
)
def test_nothing_anywhere_is_one_error_that_lists_what_is_bundled(
    closed: Any, venv: Any, policy_type: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(ArtifactError) as caught:
        _load(venv, policy_type, **kwargs)
    message = str(caught.value)
    assert "cannot be reached" in message
    assert "bundled experts exist for Acrobot-v1, CartPole-v1, " in message
    assert "\n" not in message


def test_a_hub_that_never_answers_costs_a_few_seconds_once(
    monkeypatch: pytest.MonkeyPatch, venv: Any
) -> None:
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.2)
    with_no_reply = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler, bind_and_activate=False
    )
    with_no_reply.server_bind()
    with_no_reply.server_activate()  # connections queue up and get no answer
    port = with_no_reply.server_port
    monkeypatch.setattr(hub, "ENDPOINT", f"http://127.0.0.1:{port}")
    start = time.perf_counter()
    _load(venv)
    first = time.perf_counter() - start
    start = time.perf_counter()
    _load(venv)
    second = time.perf_counter() - start
    with_no_reply.server_close()
    assert first < 2
    assert second < 0.15


def test_fetch_says_which_file_is_missing(served: Any) -> None:
    with pytest.raises(ArtifactError, match=r"has no b\.zip in me/repo"):
        hub.fetch("me/repo", "b.zip")


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: pathlib.Path) -> Iterator[Any]:
    yield
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
