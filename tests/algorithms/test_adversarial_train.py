"""Rounds of training: what is called, logged, returned and left behind."""

import csv
import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import VecEnvWrapper
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from imitation.algorithms.adversarial import airl, common, diagnostics
from imitation.data import rollout, types
from imitation.util import logger as imit_logger
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import (
    assert_same_weights,
    make_reward_net,
    make_trainer,
    weights,
)

LONG = {"n_steps": 512, "batch_size": 1024, "n_epochs": 1}
KEYS = list(common.compute_train_stats(th.zeros(2), th.tensor([0, 1]), th.tensor(0.0)))


def rows(path: Any) -> Any:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def samples(
    n: int = 16, obs_kind: str = "box", seed: int = 100, as_type: str = "numpy"
) -> Any:
    flat = rollout.flatten_trajectories(
        tiny_envs.expert_trajectories(4, obs_kind, seed=seed)
    )[:n]
    fields = types.dataclass_quick_asdict(flat)
    if as_type == "dictobs":
        return fields
    convert: Any = {"numpy": np.array, "torch": lambda x: th.tensor(np.array(x))}[
        as_type
    ]
    return {
        key: types.map_maybe_dict(convert, types.maybe_unwrap_dictobs(value))
        for key, value in fields.items()
        if key != "infos"
    }


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("obs_kind", ["box", "dict", "image"])
def test_samples_of_the_user(
    tmp_path: pathlib.Path, algorithm: str, obs_kind: str
) -> None:
    """Arrays, tensors, dictionaries of either, with extra keys: all the same."""
    kinds = ["numpy", "torch"] + ["dictobs"] * (obs_kind == "dict")
    found = []
    for expert_kind, gen_kind in [*zip(kinds, kinds, strict=True), ("numpy", "torch")]:
        trainer = make_trainer(
            tmp_path / f"{expert_kind}-{gen_kind}", algorithm, obs_kind=obs_kind
        )
        expert = samples(16, obs_kind, as_type=expert_kind)
        generated = samples(16, obs_kind, seed=7, as_type=gen_kind)
        stats = trainer.train_disc(
            expert_samples=expert | {"extra": "ignored"}, gen_samples=generated
        )
        assert list(stats) == KEYS
        found.append((stats, weights(trainer)))
    (stats, expected), *others = found
    for other_stats, other in others:
        assert other_stats == pytest.approx(stats)
        for key, value in expected.items():
            th.testing.assert_close(value, other[key], msg=key)


def test_samples_are_left_as_they_are(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    expert, generated = samples(as_type="torch"), samples(seed=7, as_type="torch")
    before = {key: value.clone() for key, value in generated.items()}
    trainer.train_disc(expert_samples=expert, gen_samples=generated)
    for key, value in before.items():
        assert th.equal(value, generated[key])
        assert not generated[key].requires_grad


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_log(tmp_path: pathlib.Path, algorithm: str) -> None:
    seen: list[Any] = []
    trainer = make_trainer(tmp_path, algorithm, generator_settings=LONG)
    trainer.train(3 * 1024 + 1023, callback=seen.append)
    assert seen == [0, 1, 2]
    trainer.logger.close()
    log = rows(tmp_path / "progress.csv")
    assert len(log) == 3
    with (tmp_path / "raw" / "disc" / "progress.csv").open(newline="") as file:
        raw = list(csv.DictReader(file))
    for key in KEYS:  # one entry a round, so each mean is of one value
        for line, its in zip(log, raw, strict=True):
            assert np.isfinite(float(line[f"mean/disc/{key}"])), key
            assert float(line[f"mean/disc/{key}"]) == float(its[f"raw/disc/{key}"])
    for key in ("train/loss", "rollout/ep_rew_wrapped_mean", "time/total_timesteps"):
        assert log[0][f"mean/gen/{key}"] != ""
    assert float(log[0]["mean/disc/n_expert"]) == 16
    assert float(log[0]["mean/disc/disc_proportion_expert_true"]) == 0.5
    assert len(rows(tmp_path / "raw" / "gen" / "progress.csv")) == 3
    assert len(rows(tmp_path / "raw" / "disc" / "progress.csv")) == 3


def test_short_rounds_share_a_line(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", "SAC", act_kind="box",
        generator_settings={"train_freq": 64, "gradient_steps": 1},
    )  # fmt: skip
    assert trainer.gen_train_timesteps == 128
    trainer.train(1200)
    trainer.logger.close()
    assert len(rows(tmp_path / "progress.csv")) == 2  # after 1,024 steps, at the end


def test_statistics_are_over_all_updates_of_a_round(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(
        tmp_path, n_disc_updates_per_round=3, generator_settings=LONG,
        demo_minibatch_size=4,
    )  # fmt: skip
    updates = []
    original = trainer._update_discriminator

    def spy(*args: Any) -> Any:
        updates.append(original(*args))
        return updates[-1]

    trainer._update_discriminator = spy
    trainer.train(1024)
    trainer.logger.close()
    (log,) = rows(tmp_path / "progress.csv")
    assert len(updates) == 3
    assert {len(update.logits) for update in updates} == {32}
    expected = common.compute_train_stats(
        th.cat([u.logits for u in updates]),
        th.cat([u.labels for u in updates]),
        th.stack([u.loss for u in updates]).mean(),
    )
    for key in KEYS:
        if key not in ("n_expert", "n_generated"):
            assert float(log[f"mean/disc/{key}"]) == pytest.approx(expected[key]), key


def test_counts_of_a_round(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, n_disc_updates_per_round=5)
    calls = {"net": 0, "log_probs": 0}
    trainer._reward_net.register_forward_hook(
        lambda *_: calls.__setitem__("net", calls["net"] + 1)
    )
    trainer.train(64)
    # Two rounds, each of one call for the rollout's rewards, and one an update.
    assert calls["net"] == 2 * (1 + 5)


@pytest.mark.parametrize(("algorithm", "expected"), [("GAIL", 0), ("AIRL", 10)])
def test_log_probabilities_only_where_they_are_needed(
    tmp_path: pathlib.Path,
    algorithm: str,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    original = airl.action_log_probs

    def spy(policy: Any, obs: Any, acts: Any) -> Any:
        calls.append(len(acts))
        return original(policy, obs, acts)

    monkeypatch.setattr(airl, "action_log_probs", spy)
    trainer = make_trainer(tmp_path, algorithm, n_disc_updates_per_round=5)
    trainer.train(64)
    assert calls == [32] * expected


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("obs_kind", ["box", "dict", "image"])
def test_tensorboard(tmp_path: pathlib.Path, obs_kind: str, graph: bool) -> None:
    trainer = make_trainer(
        tmp_path, obs_kind=obs_kind, init_tensorboard=True, init_tensorboard_graph=graph
    )
    trainer.train(64)
    plain = make_trainer(tmp_path / "plain", obs_kind=obs_kind)
    plain.train(64)
    assert_same_weights(trainer, plain)
    events = EventAccumulator(str(tmp_path / "summary")).Reload()
    assert set(KEYS) <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("disc_loss")] == [2, 4]
    assert events.Tags()["graph"] is graph


def test_no_tensorboard_unless_asked_for(tmp_path: pathlib.Path) -> None:
    make_trainer(tmp_path, init_tensorboard_graph=True).train(32)
    assert not (tmp_path / "summary").exists()


def warnings_of(rounds: Any) -> Any:
    watcher = diagnostics.Diagnostics()
    return [warning for stats in rounds for warning in watcher.after_round(stats)]


def stats(acc: float = 0.8, entropy: float = 0.5, share: float = 0.5) -> dict[str, Any]:
    return {
        "disc_acc": acc,
        "disc_entropy": entropy,
        "disc_proportion_expert_pred": share,
    }


N = diagnostics.PATIENCE
SATURATED, COLLAPSED = stats(1.0, 0.001), stats(0.5, 0.6, 1.0)


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([stats()] * 50, []),
        ([SATURATED] * (N - 1) + [stats()] + [SATURATED] * (N - 1), []),
        ([SATURATED] * 3 * N, ["told expert and generator apart"]),
        ([COLLAPSED] * 3 * N, ["called nearly everything expert"]),
        ([stats(0.5, 0.6, 0.0)] * N, ["called nearly everything generated"]),
        (
            [SATURATED] * N + [stats()] + [COLLAPSED] * N + [SATURATED] * N,
            ["told expert and generator apart", "called nearly everything expert"],
        ),
    ],
)
def test_warns_once_of_a_discriminator_that_teaches_nothing(
    rounds: Any, expected: list[Any] | list[str]
) -> None:
    found = warnings_of(rounds)
    assert len(found) == len(expected)
    for warning, words in zip(found, expected, strict=True):
        assert words in warning
        assert "Remedies" in warning


def test_saturation_is_noticed_in_training(tmp_path: pathlib.Path) -> None:
    """The expert's observations are far away, so anything tells them apart."""
    trajectories = [
        types.Trajectory(np.array(t.obs) + 50, t.acts, None, True)
        for t in tiny_envs.expert_trajectories(4)
    ]
    trainer = make_trainer(
        tmp_path, demonstrations=trajectories, formats=("log",),
        disc_opt_kwargs={"lr": 0.05}, n_disc_updates_per_round=20,
    )  # fmt: skip
    trainer.train(32 * (N + 5))
    text = (tmp_path / "log.txt").read_text()
    assert text.count("almost perfectly") == 1


class Modes(VecEnvWrapper):
    """Notes the mode that a network is in while the environment is stepped."""

    def __init__(self, venv: Any) -> None:
        super().__init__(venv)
        self.net: Any = None
        self.modes: set[bool] = set()

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        self.modes.add(self.net.training)
        return self.venv.step_wait()


@pytest.mark.parametrize("mode", [True, False])
def test_leaves_modes_and_threads_as_found(tmp_path: pathlib.Path, mode: Any) -> None:
    venv: Any = Modes(tiny_envs.make_venv())
    venv.net = make_reward_net(venv, dropout_prob=0.1).train(mode)
    trainer = make_trainer(tmp_path, venv=venv, reward_net=venv.net)
    threads = th.get_num_threads()
    th.set_num_threads(2)
    seen = set()
    try:
        trainer.train(64, callback=lambda _: seen.add(th.get_num_threads()))
        assert th.get_num_threads() == 2
    finally:
        th.set_num_threads(threads)
    assert seen == {1}
    assert venv.modes == {mode}
    assert {module.training for module in venv.net.modules()} == {mode}
    trainer.train_disc()
    assert venv.net.training is mode


def test_the_environments_can_be_used_in_between_and_afterwards(
    tmp_path: pathlib.Path,
) -> None:
    venv = tiny_envs.make_venv()
    trainer = make_trainer(tmp_path, venv=venv)
    trainer.train(40)
    for _ in range(2):
        obs = venv.reset()
        for _ in range(3):  # leaves episodes unfinished
            acts, _ = trainer.policy.predict(obs)
            obs, rewards, _, infos = venv.step(acts)
        assert set(rewards.tolist()) <= {0.0, 1.0}
        assert "original_env_rew" not in infos[0]
        trainer.train(40)
    assert trainer._horizon == tiny_envs.HORIZON


def test_rounds_continue_over_calls(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.train(64)
    trainer.train(32)
    assert trainer.progress == 3
    assert trainer.gen_algo.num_timesteps == 96


def test_logger_can_be_replaced(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "one", generator_settings=LONG)
    trainer.logger = imit_logger.configure(tmp_path / "two", ["csv"])
    trainer.train(1024)
    trainer.logger.close()
    assert "mean/disc/disc_loss" in rows(tmp_path / "two" / "progress.csv")[0]
    assert rows(tmp_path / "two" / "progress.csv")[0]["mean/gen/train/loss"]


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_same_seed_same_numbers(
    tmp_path: pathlib.Path, algorithm: str, generator: str
) -> None:
    act_kind = "box" if generator == "SAC" else "discrete"
    trained = []
    for i in range(2):
        trainer = make_trainer(
            tmp_path / str(i), algorithm, generator, act_kind=act_kind
        )
        trainer.train(64)
        trained.append(trainer)
    one, other = trained
    assert_same_weights(one, other, atol=0)


def test_learn_kwargs_reach_the_generator(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    calls: Any = []
    trainer.train_gen(32, {"callback": lambda *_: calls.append(1) or True})
    assert len(calls) == 16
    trainer.train_gen(32, {"log_interval": 5})


@pytest.mark.parametrize("minibatch", [16, 4])
@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_inputs_are_normalised_once(
    tmp_path: pathlib.Path, algorithm: str, minibatch: int
) -> None:
    """#229: statistics count each row of a discriminator's batch, and nothing else."""
    trainer = make_trainer(
        tmp_path, algorithm, n_disc_updates_per_round=3, demo_minibatch_size=minibatch,
        net_settings={"normalize_input_layer": networks.RunningNorm},
    )  # fmt: skip
    trainer.train(64)
    counts = [
        module.count.item()
        for module in trainer._reward_net.modules()
        if isinstance(module, networks.RunningNorm)
    ]
    assert counts == [2 * 3 * 32]


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_images_are_scaled_once(tmp_path: pathlib.Path, algorithm: str) -> None:
    trainer = make_trainer(tmp_path, algorithm, obs_kind="image")
    highest = []
    trainer._reward_net.register_forward_pre_hook(
        lambda _, inputs: highest.append((inputs[0].max().item(), inputs[0].dtype))
    )
    trainer.train(32)
    assert len(highest) == 1 + 2
    assert all(0.1 < value <= 1 and kind == th.float32 for value, kind in highest)
