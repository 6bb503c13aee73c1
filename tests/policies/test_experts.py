"""Bundled experts: found under every name, safe to load, as good as their cards say."""

import importlib.util
import json
import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common import vec_env

from imitation.data import rollout
from imitation.errors import ArtifactError
from imitation.policies import experts
from imitation.policies.serialize import load_policy
from imitation.util import seeding, util

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENV_NAMES = [
    "Acrobot-v1",
    "CartPole-v1",
    "MountainCar-v0",
    "Pendulum-v1",
    "seals/CartPole-v0",
    "seals/MountainCar-v0",
]
LEAST_RETURN = {
    "Acrobot-v1": -90.0,
    "CartPole-v1": 500.0,
    "MountainCar-v0": -102.0,
    "Pendulum-v1": -180.0,
    "seals/CartPole-v0": 500.0,
    "seals/MountainCar-v0": -102.0,
}
MODES = {"sampled": False, "deterministic": True}


def test_available_lists_environments_sorted() -> None:
    assert experts.available() == ENV_NAMES


@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_every_spelling_of_a_name_finds_the_same_expert(env_name: Any) -> None:
    spellings = [env_name, env_name.replace("/", "-"), f"seals:{env_name}"]
    cards = [experts.expert_card(name) for name in spellings]
    assert all(card == cards[0] for card in cards)
    assert all(experts.is_available(name) for name in spellings)
    assert cards[0]["env_name"] == env_name


@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_weights_are_safetensors_and_json_only(env_name: Any) -> None:
    directory = experts.WEIGHTS / experts.directory_name(env_name)
    names = {path.name for path in directory.iterdir()}
    assert names == {"policy.safetensors", "artifact.json", "card.json"}


@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_cards_are_complete(env_name: Any) -> None:
    card = experts.expert_card(env_name)
    assert card["command"].startswith("python -m imitation.scripts.train_rl with ")
    assert f"environment.gym_id={env_name}" in card["command"]
    assert f"seed={card['seed']}" in card["command"]
    assert f"total_timesteps={card['steps']}" in card["command"]
    assert card["wall_time_s"] > 0
    assert {"python", "torch", "stable-baselines3", "gymnasium"} <= set(
        card["versions"]
    )
    for mode in MODES:
        low, high = card[mode]["return_ci95"]
        assert card[mode]["n_episodes"] >= 100
        assert low <= card[mode]["return_mean"] <= high
        assert card[mode]["return_mean"] >= LEAST_RETURN[env_name]


@pytest.mark.parametrize("name", ["NoSuch-v0", "", "../experts", "CartPole-v0"])
def test_an_absent_expert_is_an_error_that_lists_the_others(name: str) -> None:
    assert not experts.is_available(name)
    for call in (experts.load_expert, experts.expert_card):
        with pytest.raises(
            ArtifactError, match="is bundled; bundled experts"
        ) as caught:
            call(name)
        assert all(env_name in str(caught.value) for env_name in ENV_NAMES)


def test_environments_with_other_spaces_are_refused() -> None:
    venv = vec_env.DummyVecEnv([lambda: gym.make("Pendulum-v1")])
    with pytest.raises(ValueError, match="bundled expert for CartPole-v1 expects"):
        experts.load_expert("CartPole-v1", venv)


@pytest.mark.parametrize("arguments", [{}, {"env_name": "Pendulum-v1"}])
def test_load_policy_knows_bundled_experts(arguments: dict[str, Any]) -> None:
    venv = vec_env.DummyVecEnv([lambda: gym.make("Pendulum-v1")])
    policy = load_policy("bundled", venv, **arguments)
    expected = experts.load_expert("Pendulum-v1").state_dict()
    assert all(policy.state_dict()[k].equal(v) for k, v in expected.items())


def test_loading_leaves_the_random_state_of_torch_alone() -> None:
    import torch as th

    before = th.get_rng_state()
    experts.load_expert("CartPole-v1")
    assert th.equal(before, th.get_rng_state())


def _returns(
    env_name: Any, deterministic: Any, n_episodes: Any, seed: Any
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n_envs = min(n_episodes, 10)
    venv = util.make_vec_env(env_name, rng=rng, n_envs=n_envs)
    policy = experts.load_expert(env_name, venv)
    with seeding.torch_seeded(rng):
        episodes = rollout.generate_trajectories(
            policy,
            venv,
            rollout.make_min_episodes(n_episodes),
            rng,
            deterministic_policy=deterministic,
        )
    return np.array([np.sum(episode.rews) for episode in episodes])


def _assert_as_good_as_the_card(
    env_name: Any, mode: Any, n_episodes: Any, seed: Any
) -> None:
    """Compares means: four standard errors of the difference may lie between them."""
    card = experts.expert_card(env_name)[mode]
    returns = _returns(env_name, MODES[mode], n_episodes, seed)
    variance = card["return_std"] ** 2 * (1 / len(returns) + 1 / card["n_episodes"])
    margin = 4 * np.sqrt(variance) + 1e-6
    assert abs(returns.mean() - card["return_mean"]) <= margin


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_a_few_episodes_agree_with_the_card(env_name: Any, mode: Any) -> None:
    _assert_as_good_as_the_card(env_name, mode, n_episodes=5, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_a_hundred_episodes_agree_with_the_card(env_name: Any, mode: Any) -> None:
    _assert_as_good_as_the_card(env_name, mode, n_episodes=100, seed=2)


def _train_experts() -> Any:
    path = ROOT / "benchmarks" / "returns" / "train_experts.py"
    spec: Any = importlib.util.spec_from_file_location("train_experts", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_show_the_cards() -> None:
    script = _train_experts()
    cards = [experts.expert_card(name) for name in ENV_NAMES]
    assert json.loads(script.TABLE.read_text()) == cards
    assert script.markdown_table(cards) in script.DOCS.read_text()


@pytest.mark.parametrize("env_name", ENV_NAMES)
def test_the_recipes_are_the_recorded_commands(env_name: Any) -> None:
    command = " ".join(_train_experts().command(env_name))
    assert command == experts.expert_card(env_name)["command"]
