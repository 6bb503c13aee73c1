"""Saved and resumed is as if uninterrupted; checkpoints hold what they say."""

import csv
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from imitation.algorithms.adversarial import common
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.errors import ArtifactError
from imitation.policies.evaluate import Episodes, Evaluation
from imitation.policies.serialize import load_policy
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward, load_reward_net
from imitation.util import networks
from reference import states, tiny_envs
from reference.adversarial_trainers import (
    assert_same_weights,
    make_trainer,
    weights,
)

DRIVER = pathlib.Path(__file__).with_name("adversarial_kill_driver.py")
CASES = {
    "GAIL PPO": ("GAIL", "PPO", "box", "discrete", {}),
    "GAIL PPO, images": ("GAIL", "PPO", "image", "discrete", {}),
    "GAIL PPO, gSDE": (
        "GAIL", "PPO", "box", "box", {"generator_settings": {"use_sde": True}}
    ),
    "GAIL PPO, few samples kept": (
        "GAIL", "PPO", "box", "discrete", {"gen_replay_buffer_capacity": 20}
    ),
    "GAIL PPO, many samples kept": (
        "GAIL", "PPO", "dict", "box", {"gen_replay_buffer_capacity": 100}
    ),
    "GAIL PPO, regularised": (
        "GAIL", "PPO", "box", "discrete",
        {
            "disc_options": DiscriminatorOptions(
                gradient_penalty="wgan-gp", spectral_norm=True, instance_noise=0.1
            ),
            "net_settings": {
                "normalize_input_layer": networks.EMANorm, "dropout_prob": 0.1
            },
        },
    ),
    "GAIL PPO, schedules": (
        "GAIL", "PPO", "box", "discrete",
        {
            "generator_settings": {
                "learning_rate": lambda left: 1e-2 * left,
                "clip_range": lambda left: 0.1 + 0.2 * left,
            },
        },
    ),
    "GAIL SAC": ("GAIL", "SAC", "box", "box", {}),
    "GAIL TD3": ("GAIL", "TD3", "dict", "box", {}),
    "GAIL DQN": ("GAIL", "DQN", "box", "discrete", {}),
    "GAIL DQN, images": ("GAIL", "DQN", "image", "discrete", {}),
    "GAIL A2C": ("GAIL", "A2C", "box", "box", {}),
    "GAIL TRPO": ("GAIL", "TRPO", "box", "discrete", {}),
    "GAIL RecurrentPPO": ("GAIL", "RecurrentPPO", "box", "discrete", {}),
    "AIRL PPO": ("AIRL", "PPO", "box", "box", {}),
    "AIRL SAC": ("AIRL", "SAC", "box", "box", {}),
}  # fmt: skip


def state_of(trainer: Any) -> Any:
    return trainer.state_dict()


def make(directory: Any, name: Any, **changes: Any) -> Any:
    settings: Any
    algorithm, generator, obs_kind, act_kind, settings = CASES[name]
    return make_trainer(
        directory, algorithm, generator, obs_kind, act_kind, **settings | changes
    )


@pytest.mark.parametrize("name", CASES)
def test_resumed_like_uninterrupted(tmp_path: pathlib.Path, name: Any) -> None:
    """Three rounds, and three more: in one go, and by another trainer that loads."""
    whole = make(tmp_path / "whole", name)
    steps = whole.gen_train_timesteps
    n_rounds = 3 if steps > 8 else 6
    saved = tmp_path / "saved"
    whole.train(
        2 * n_rounds * steps, checkpoint_dir=saved, checkpoint_interval=n_rounds,
        callback=lambda i: keep(whole, saved, tmp_path / "kept", i == n_rounds),
    )  # fmt: skip
    expected = weights(whole)
    other = make(tmp_path / "other", name, seed=0)
    th.manual_seed(99)  # the process that resumes has another past
    np.random.seed(99)
    other.gen_algo.action_space.seed(99)
    other.rng.random(5)
    other.train(2 * n_rounds * steps, checkpoint_dir=tmp_path / "kept", resume=True)
    assert other.progress == 2 * n_rounds
    found = weights(other)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        th.testing.assert_close(value, found[key], rtol=0, atol=1e-6, msg=key)


def keep(trainer: Any, saved: Any, kept: Any, now: Any) -> None:
    """Copies the checkpoints that are there while the next round has been trained."""
    if now:
        assert (saved / "latest").is_dir()
        subprocess.run(["cp", "-r", str(saved), str(kept)], check=True)


def test_save_and_load_by_hand(tmp_path: pathlib.Path) -> None:
    one = make(tmp_path / "one", "GAIL PPO")
    one.train(64)
    one.save(tmp_path / "state")
    other = make(tmp_path / "other", "GAIL PPO", seed=5)
    other.load_state(tmp_path / "state")
    assert_same_weights(one, other, atol=0)
    random = th.get_rng_state(), np.random.get_state()
    one.train(64)
    th.set_rng_state(random[0])
    np.random.set_state(random[1])
    other.train(64)
    assert_same_weights(one, other)
    assert other.progress == 4
    assert other.gen_algo.num_timesteps == 128


def test_in_a_fresh_process(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path / "log", "GAIL SAC")
    trainer.train(64)
    trainer.save(tmp_path / "state")
    code = (
        "import pathlib, sys\n"
        "import imitation.algorithms.adversarial.gail\n"
        "from reference.adversarial_trainers import make_trainer, weights\n"
        "import safetensors.torch\n"
        "tmp = pathlib.Path(sys.argv[1])\n"
        "trainer = make_trainer(tmp / 'fresh', 'GAIL', 'SAC', act_kind='box', seed=3)\n"
        "trainer.load_state(tmp / 'state')\n"
        "trainer.train(64)\n"
        "safetensors.torch.save_file(weights(trainer), tmp / 'weights')\n"
    )
    tests = pathlib.Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, cwd=tests, timeout=300
    )
    trainer.train(64)
    from safetensors.torch import load_file

    found = load_file(tmp_path / "weights")
    for key, value in weights(trainer).items():
        th.testing.assert_close(value, found[key], rtol=0, atol=1e-6, msg=key)


MISFITS = {
    "algorithm": ({"algorithm": "AIRL"}, "the trainer GAIL, this trainer has AIRL"),
    "generator": ({"generator": "A2C"}, "the generator PPO, this trainer has A2C"),
    "off-policy": ({"generator": "DQN"}, "the generator PPO, this trainer has DQN"),
    "wider network": (
        {"net_settings": {"hid_sizes": (9,)}}, "does not fit this trainer"
    ),
    "other observations": ({"obs_kind": "dict"}, "does not fit this trainer"),
    "other actions": ({"act_kind": "box"}, "does not fit this trainer"),
    "optimizer": ({"disc_opt_cls": th.optim.SGD}, "Adam, this trainer has SGD"),
    "fewer samples": (
        {"gen_replay_buffer_capacity": 4}, "does not fit this trainer"
    ),
    "fewer demonstrations": (
        {"demonstrations": tiny_envs.expert_trajectories(3)}, "samples"
    ),
    "spectral norm": (
        {"disc_options": DiscriminatorOptions(spectral_norm=True)},
        "does not fit this trainer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_state_of_another_trainer(tmp_path: pathlib.Path, name: Any) -> None:
    changes: Any
    changes, message = MISFITS[name]
    trainer = make_trainer(tmp_path / "one")
    trainer.train(32)
    trainer.save(tmp_path / "state")
    other = make_trainer(tmp_path / "other", **changes)
    with (
        states.unchanged(state_of, other),
        pytest.raises(ArtifactError, match=message) as error,
    ):
        other.load_state(tmp_path / "state")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("saved", ["SAC", "TD3", "PPO"])
@pytest.mark.parametrize("into", ["SAC", "TD3", "PPO", "A2C"])
def test_state_of_another_generator(
    tmp_path: pathlib.Path, saved: str, into: str
) -> None:
    if saved == into:
        return
    trainer = make_trainer(tmp_path / "one", "GAIL", saved, act_kind="box")
    trainer.train(32)
    trainer.save(tmp_path / "state")
    other = make_trainer(tmp_path / "other", "GAIL", into, act_kind="box")
    with pytest.raises(ArtifactError, match=f"{saved}, this trainer has {into}"):
        other.load_state(tmp_path / "state")


def test_smaller_replay_buffer(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "one", "GAIL", "SAC", act_kind="box")
    trainer.train(64)
    trainer.save(tmp_path / "state")
    other = make_trainer(
        tmp_path / "two", "GAIL", "SAC", act_kind="box",
        generator_settings={"buffer_size": 20},
    )  # fmt: skip
    other.train(32)
    with (
        states.unchanged(state_of, other),
        pytest.raises(ArtifactError, match="does not fit this trainer"),
    ):
        other.load_state(tmp_path / "state")
    other.train(32)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        *states.DAMAGES,
        (("generator", "replay"), None),
        (("generator", "replay", "pos"), "x"),
        (("generator", "replay", "actions"), {}),
        (("generator", "counters", "num_timesteps"), None),
        (("generator", "progress"), []),
    ],
)
def test_damaged_states_change_nothing(
    tmp_path: pathlib.Path, keys: Any, value: Any
) -> None:
    trainer = make_trainer(tmp_path / "one", "GAIL", "SAC", act_kind="box")
    trainer.train(32)
    trainer.save(tmp_path / "state")
    trainer.train(32)
    states.damage(tmp_path / "state", keys, value)
    with (
        states.unchanged(state_of, trainer),
        pytest.raises(ArtifactError, match=r"does not fit this trainer|is damaged"),
    ):
        trainer.load_state(tmp_path / "state")


def test_no_state(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(ArtifactError, match="no checkpoint at"):
        trainer.load_state(tmp_path / "nothing")
    (tmp_path / "latest").mkdir()
    with pytest.raises(ArtifactError):
        trainer.train(64, checkpoint_dir=tmp_path, resume=True)
    trainer.train(32, checkpoint_dir=tmp_path / "new", resume=True)  # the first run
    assert trainer.progress == 1


def test_resume_of_a_finished_run(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "one")
    trainer.train(64, checkpoint_dir=tmp_path / "saved")
    other = make_trainer(tmp_path / "two")
    seen: list[Any] = []
    other.train(64, seen.append, checkpoint_dir=tmp_path / "saved", resume=True)
    assert not seen
    assert_same_weights(trainer, other)
    other.train(96, seen.append, checkpoint_dir=tmp_path / "saved", resume=True)
    assert seen == [2]


LAYOUT = {
    -1: set(),
    0: {"final", "latest"},
    1: {"00001", "00002", "00003", "final", "latest"},
    2: {"00002", "final", "latest"},
    7: {"final", "latest"},
}


@pytest.mark.parametrize("interval", LAYOUT)
def test_layout(tmp_path: pathlib.Path, interval: Any) -> None:
    trainer = make_trainer(tmp_path / "log")
    saved = tmp_path / "saved"
    trainer.train(96, checkpoint_dir=saved, checkpoint_interval=interval)
    found = {path.name for path in saved.glob("*")}
    assert found == LAYOUT[interval]
    for name in found - {"latest"}:
        inside = {str(p.relative_to(saved / name)) for p in (saved / name).glob("*")}
        assert inside == {"reward_train.pt", "reward_test.pt", "gen_policy"}
        assert (saved / name / "gen_policy" / "model.zip").is_file()


def test_nothing_is_saved_unless_asked_for(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "log")
    trainer.train(64, checkpoint_interval=1)
    assert {path.name for path in tmp_path.glob("*")} == {"log"}


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_what_is_saved_can_be_used(
    tmp_path: pathlib.Path, algorithm: str, spectral_norm: bool
) -> None:
    venv = tiny_envs.make_venv()
    net = reward_nets.BasicShapedRewardNet(
        venv.observation_space, venv.action_space,
        normalize_input_layer=networks.RunningNorm,
    )  # fmt: skip
    trainer = make_trainer(
        tmp_path / "log", algorithm, venv=venv, reward_net=net,
        disc_options=DiscriminatorOptions(spectral_norm=spectral_norm),
    )  # fmt: skip
    saved = tmp_path / "saved"
    trainer.train(96, checkpoint_dir=saved, checkpoint_interval=1)
    rng = np.random.default_rng(0)
    obs, next_obs = rng.uniform(-1, 1, (2, 6, 3)).astype(np.float32)
    batch = obs, rng.integers(2, size=6), next_obs, np.zeros(6, bool)
    for name in ("train", "test"):
        path = saved / "final" / f"reward_{name}.pt"
        expected = getattr(trainer, f"reward_{name}").predict(*batch)
        loaded = load_reward_net(path)
        assert not any("parametrizations" in key for key in loaded.state_dict())
        np.testing.assert_allclose(loaded.predict(*batch), expected, rtol=1e-5)
        fn = load_reward("RewardNet_unnormalized", path, venv)
        np.testing.assert_allclose(fn(*batch), expected, rtol=1e-5)
    policy = load_policy("ppo", venv, path=saved / "final" / "gen_policy")
    expected_acts, _ = trainer.policy.predict(obs, deterministic=True)
    acts, _ = policy.predict(obs, deterministic=True)
    np.testing.assert_array_equal(acts, expected_acts)
    # Training went on after each checkpoint.
    first = load_reward_net(saved / "00001" / "reward_train.pt").predict(*batch)
    last = load_reward_net(saved / "final" / "reward_train.pt").predict(*batch)
    assert not np.allclose(first, last)


@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_saved_generators_learn_on(tmp_path: pathlib.Path, generator: str) -> None:
    """A generator saved in the middle is an ordinary one: its schedules are its own."""
    act_kind = "box" if generator == "SAC" else "discrete"
    trainer = make_trainer(tmp_path / "log", "GAIL", generator, act_kind=act_kind)
    trainer.train(64, checkpoint_dir=tmp_path / "saved", checkpoint_interval=1)
    path = tmp_path / "saved" / "00001" / "gen_policy" / "model.zip"
    assert path.stat().st_size < 200_000  # no environment, no replay buffer
    algo = getattr(sb3, generator).load(path, env=tiny_envs.make_venv("box", act_kind))
    assert "_update_current_progress_remaining" not in vars(algo)
    algo.learn(64, reset_num_timesteps=True)
    assert algo._current_progress_remaining <= 0


def logged_return(trainer: Any) -> float:
    trainer.logger.close()
    log = pathlib.Path(trainer.logger.get_dir()) / "progress.csv"
    with log.open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["eval/return_mean"])


def best_return(directory: Any) -> Any:
    return json.loads((directory / "best" / "score.json").read_text())


def test_best_checkpoint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path / "log")
    saved = tmp_path / "saved"
    returns = iter([1.0, 3.0, 2.0, 3.0, 2.0, 4.0])
    at_best = {}
    means = []

    def train_and_note(round_num: Any) -> None:
        if (saved / "best").exists():
            zipped = (saved / "best" / "gen_policy" / "model.zip").stat().st_mtime_ns
            at_best[round_num] = zipped

    def measured(algo: Any, venv: Any, n_episodes: Any) -> Evaluation:
        mean = next(returns)
        means.append((mean, n_episodes, venv is settings["eval_venv"]))
        episodes = Episodes(np.array([mean]), np.array([8]))
        return Evaluation(mean, (mean, mean), episodes, None)

    monkeypatch.setattr(common, "evaluate", measured)
    settings = {
        "checkpoint_dir": saved,
        "eval_venv": tiny_envs.make_venv(),
        "eval_interval": 1,
        "n_eval_episodes": 3,
    }
    trainer.train(4 * 32, train_and_note, **settings)
    assert means == [(1.0, 3, True), (3.0, 3, True), (2.0, 3, True), (3.0, 3, True)]
    assert best_return(saved) == 3.0
    assert at_best[0] < at_best[1] == at_best[2] == at_best[3]
    # An interrupted training knows its best; a new one in the same place begins anew.
    resumed = make_trainer(tmp_path / "resumed")
    resumed.train(5 * 32, resume=True, **settings)
    assert best_return(saved) == 3.0
    make_trainer(tmp_path / "new").train(32, **settings)
    assert best_return(saved) == 4.0


def test_never_saving_means_the_best_too(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "log")
    trainer.train(
        32, checkpoint_dir=tmp_path / "saved", checkpoint_interval=-1,
        eval_venv=tiny_envs.make_venv(), eval_interval=1, n_eval_episodes=1,
    )  # fmt: skip
    assert np.isfinite(logged_return(trainer))
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("generator", ["PPO", "SAC", "DQN"])
@pytest.mark.parametrize("obs_kind", ["box", "image"])
def test_evaluation_changes_nothing(
    tmp_path: pathlib.Path, generator: str, obs_kind: str
) -> None:
    if generator == "SAC" and obs_kind == "image":
        obs_kind = "dict"
    act_kind = "box" if generator == "SAC" else "discrete"
    plain = make_trainer(tmp_path / "1", "GAIL", generator, obs_kind, act_kind)
    plain.train(96)
    trainer = make_trainer(tmp_path / "2", "GAIL", generator, obs_kind, act_kind)
    trainer.train(
        96, eval_venv=tiny_envs.make_venv(obs_kind, act_kind, seed=9), eval_interval=1,
        n_eval_episodes=2,
    )  # fmt: skip
    assert_same_weights(plain, trainer, atol=0)
    assert np.isfinite(logged_return(trainer))


def test_evaluation_measures_the_true_return(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.train(
        64, eval_venv=tiny_envs.make_venv(seed=9), eval_interval=2, n_eval_episodes=7,
        checkpoint_dir=tmp_path / "saved",
    )  # fmt: skip
    # The policy has not changed since, and these environments begin alike.
    venv = VecMonitor(tiny_envs.make_venv(seed=9))
    expected, _ = evaluate_policy(trainer.policy, venv, 7)
    assert logged_return(trainer) == pytest.approx(expected)
    assert best_return(tmp_path / "saved") == pytest.approx(expected)


def test_cannot_evaluate_in_the_environments_of_training(
    tmp_path: pathlib.Path,
) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(ValueError, match="eval_venv"):
        trainer.train(64, eval_venv=trainer.venv, eval_interval=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_killed_at_random_instants(
    tmp_path: pathlib.Path, generator: str, seed: Any
) -> None:
    result = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), generator, "5", str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.endswith("ok\n")


def test_statistics_of_normalised_environments_are_saved(
    tmp_path: pathlib.Path,
) -> None:
    def made(directory: Any) -> Any:
        venv = VecNormalize(tiny_envs.make_venv(), gamma=0.9)
        return make_trainer(directory, venv=venv)

    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    one.train(64)
    one.save(tmp_path / "state")
    other.load_state(tmp_path / "state")
    for name in ("obs_rms", "ret_rms"):
        for moment in ("mean", "var", "count"):
            np.testing.assert_array_equal(
                getattr(getattr(one.venv, name), moment),
                getattr(getattr(other.venv, name), moment),
            )
    plain = make_trainer(tmp_path / "plain")
    with pytest.raises(ArtifactError, match="does not fit this trainer"):
        plain.load_state(tmp_path / "state")
