"""DAgger's trainers: rounds, counters, checkpoints, experts of all kinds."""

import collections
import pathlib
import shutil
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecTransposeImage

from imitation.algorithms import bc, dagger
from imitation.data import types
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.policies import base as policy_base
from imitation.policies import interactive
from imitation.util import logger as imit_logger
from imitation.util import policy_io

LENGTH = 8


class SignEnv(gym.Env):
    """Rewards naming the sign of a random number; episodes of 8 steps."""

    def __init__(self, kind: str = "plain") -> None:
        self.kind = kind
        number: Any = gym.spaces.Box(-1, 1, shape=(2,), dtype=np.float32)
        image = gym.spaces.Box(0, 255, shape=(36, 36, 3), dtype=np.uint8)
        self.observation_space = {
            "plain": number,
            "image": image,
            "dict": gym.spaces.Dict({"number": number, "image": image}),
        }[kind]
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == (self.number[0] > 0))
        self.t += 1
        return self._obs(), reward, False, self.t == LENGTH, {}

    def _obs(self) -> Any:
        self.number = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        image = np.full((36, 36, 3), 200 * (self.number[0] > 0), np.uint8)
        parts = {"number": self.number, "image": image}
        return {"plain": self.number, "image": image, "dict": parts}[self.kind]


def make_venv(n_envs: int = 2, kind: str = "plain", seed: int = 0) -> Any:
    venv = DummyVecEnv([lambda: SignEnv(kind)] * n_envs)
    venv.seed(seed)
    return venv


def expert(obs: Any) -> Any:
    if isinstance(obs, dict):
        obs = obs["number"]
    if obs.ndim == 4:
        return (obs.max(axis=(1, 2, 3)) > 100).astype(int)
    return (obs[:, 0] > 0).astype(int)


def silent_logger(path: Any) -> Any:
    return imit_logger.configure(path / "log", ["csv"])


def make_trainer(
    tmp_path: pathlib.Path,
    *,
    venv: Any = None,
    bc_kwargs: Any = None,
    cls: Any = dagger.SimpleDAggerTrainer,
    **kwargs: Any,
) -> Any:
    venv = venv or make_venv()
    bc_trainer = bc.BC(
        observation_space=venv.observation_space,
        action_space=venv.action_space,
        rng=np.random.default_rng(1),
        device="cpu",
        custom_logger=silent_logger(tmp_path),
        **({"batch_size": 8} | (bc_kwargs or {})),
    )
    if cls is dagger.SimpleDAggerTrainer:
        kwargs.setdefault("expert_policy", expert)
    kwargs.setdefault("rng", np.random.default_rng(2))
    return cls(
        venv=venv, scratch_dir=tmp_path / "scratch", bc_trainer=bc_trainer, **kwargs
    )


SMALL = {"rollout_round_min_timesteps": 16, "progress_bar": False}
QUIET = {"log_rollouts_n_episodes": 0}


def train(trainer: Any, total_timesteps: Any, **kwargs: Any) -> None:
    trainer.train(
        total_timesteps,
        **SMALL,
        **{"bc_train_kwargs": {"n_batches": 3, **QUIET}} | kwargs,
    )


def demos(tmp_path: pathlib.Path, round_num: Any = None) -> Any:
    pattern = "round-*" if round_num is None else f"round-{round_num:03d}"
    return sorted((tmp_path / "scratch" / "demos").glob(f"{pattern}/*"))


def weights(trainer: Any) -> Any:
    return {k: v.clone() for k, v in trainer.policy.state_dict().items()}


def assert_same_weights(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert th.equal(value, other[name]), name


# -- rounds ---------------------------------------------------------------------------


def test_low_level_round(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, cls=dagger.DAggerTrainer)
    with pytest.raises(dagger.NeedsDemosException, match="round 0"):
        trainer.extend_and_update(QUIET)
    for expected_round in (1, 2):
        collector = trainer.create_trajectory_collector()
        assert collector.beta == 1 - (expected_round - 1) / 15
        obs = collector.reset()
        for _ in range(LENGTH):
            obs, _, dones, _ = collector.step(expert(obs))
        assert dones.all()
        assert trainer.extend_and_update(QUIET) == expected_round
        assert len(trainer.store) == trainer.total_timesteps == 16 * expected_round
    with pytest.raises(dagger.NeedsDemosException, match="round-002"):
        trainer.extend_and_update(QUIET)


def test_not_enough_transitions_for_a_batch(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(
        tmp_path, cls=dagger.DAggerTrainer, bc_kwargs={"batch_size": 1000}
    )
    assert trainer.batch_size == 1000
    collector = trainer.create_trajectory_collector()
    obs = collector.reset()
    for _ in range(LENGTH):
        obs, *_ = collector.step(expert(obs))
    with pytest.raises(
        ValueError, match="Not enough transitions to form a single batch"
    ):
        trainer.extend_and_update()
    assert trainer.round_num == 0


@pytest.mark.parametrize(
    ("given", "expected_batches"),
    [
        (None, 4 * 2),
        ({"n_epochs": None, "n_batches": None}, 4 * 2),
        ({"n_epochs": 3}, 3 * 2),
        ({"n_batches": 5}, 5),
    ],
)
def test_default_number_of_epochs(
    tmp_path: pathlib.Path, given: dict[str, Any] | None, expected_batches: int
) -> None:
    trainer = make_trainer(tmp_path, cls=dagger.DAggerTrainer)
    assert trainer.DEFAULT_N_EPOCHS == 4
    collector = trainer.create_trajectory_collector()
    obs = collector.reset()
    for _ in range(LENGTH):
        obs, *_ = collector.step(expert(obs))
    batches = []
    kwargs = None if given is None else {**given, **QUIET}
    trainer.extend_and_update(
        {**(kwargs or QUIET), "on_batch_end": lambda: batches.append(1)}
    )
    assert len(batches) == expected_batches


def test_collects_at_least_a_batch(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, bc_kwargs={"batch_size": 40})
    train(trainer, 1, rollout_round_min_episodes=1)
    assert trainer.total_timesteps == 48  # 3 vector episodes of 2 x 8 steps


def test_minibatches_work(tmp_path: pathlib.Path) -> None:
    whole = make_trainer(tmp_path / "a", bc_kwargs={"batch_size": 8})
    parts = make_trainer(
        tmp_path / "b", bc_kwargs={"batch_size": 8, "minibatch_size": 2}
    )
    for trainer in (whole, parts):
        train(trainer, 32)
    for name, value in weights(whole).items():
        th.testing.assert_close(value, weights(parts)[name], rtol=1e-4, atol=1e-6)


def test_logs_and_counters_continue_over_calls(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    rows = []
    trainer.logger.dump = lambda step=0: rows.append(
        {k: v for k, v in trainer.logger.name_to_value.items() if "dagger/" in k}
    )
    train(trainer, 40)
    train(trainer, 40)
    expected_steps = [24 + 8, 64, 96, 128]
    assert [row["dagger/total_timesteps"] for row in rows] == expected_steps
    assert [row["dagger/round_num"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        assert row["dagger/round_episode_count"] == 4
        assert row["dagger/round_timestep_count"] == 32
        assert 0 <= row["dagger/mean_episode_reward"] <= LENGTH
    assert rows[0]["dagger/mean_episode_reward"] == LENGTH  # beta is 1
    assert trainer.round_num == 4


def test_one_file_per_episode(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    train(trainer, 70)
    assert trainer.round_num == 3
    assert [len(demos(tmp_path, n)) for n in range(4)] == [4, 4, 4, 0]
    assert len({p.read_bytes() for p in demos(tmp_path)}) == 12


def test_equal_seeds_give_equal_weights_and_names(tmp_path: pathlib.Path) -> None:
    runs = []
    for name in ("a", "b"):
        trainer = make_trainer(tmp_path / name)
        train(trainer, 70)
        names = [p.name for p in demos(tmp_path / name)]
        runs.append((weights(trainer), names))
    assert_same_weights(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


def test_training_reaches_every_actor_parameter(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    before = weights(trainer)
    train(trainer, 16)
    changed = {k for k, v in weights(trainer).items() if not th.equal(v, before[k])}
    actor = {k for k in before if k.startswith(("action_net", "mlp_extractor.policy"))}
    assert len(actor) == 6 and actor <= changed


def test_logger_is_shared_and_settable(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    assert trainer.logger is trainer.bc_trainer.logger
    new = imit_logger.configure(tmp_path / "other", ["csv"])
    trainer.logger = new
    assert trainer.logger is new and trainer.bc_trainer.logger is new
    given = imit_logger.configure(tmp_path / "given", ["csv"])
    other = make_trainer(tmp_path / "b", custom_logger=given)
    assert other.logger is given and other.bc_trainer.logger is given


def test_novice_keeps_training_mode(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, beta_schedule=lambda n: 0.0)
    trainer.policy.train()
    train(trainer, 16)
    assert trainer.policy.training


# -- experts --------------------------------------------------------------------------


def full_callable(obs: Any, state: Any, starts: Any) -> Any:
    assert state is None or state[0].shape == (2,)
    count = np.zeros(2) if state is None else state[0]
    np.testing.assert_array_equal(starts, count % LENGTH == 0)
    return expert(obs), (count + 1,)


def zero_policy() -> policy_base.ZeroPolicy:
    venv = make_venv()
    return policy_base.ZeroPolicy(venv.observation_space, venv.action_space)


@pytest.mark.parametrize(
    "make_expert",
    [
        lambda: expert,
        lambda: full_callable,
        zero_policy,
        lambda: PPO("MlpPolicy", make_venv(), n_steps=8, batch_size=16, device="cpu"),
    ],
    ids=["function", "stateful function", "policy", "algorithm"],
)
def test_kinds_of_experts(tmp_path: pathlib.Path, make_expert: Any) -> None:
    trainer = make_trainer(tmp_path, expert_policy=make_expert())
    train(trainer, 16)
    assert len(demos(tmp_path)) == 4


class Person(interactive.DiscreteInteractivePolicy):
    def _render(self, obs: Any) -> None:
        self.shown = obs


def test_a_person_is_an_expert(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = make_venv(n_envs=1)
    person = Person(
        venv.observation_space,
        venv.action_space,
        collections.OrderedDict([("l", "left"), ("r", "right")]),
        clear_screen_on_query=False,
    )
    answers = iter("l?rl" * 6)
    prompts: Any = []
    monkeypatch.setattr(
        "builtins.input", lambda prompt="": prompts.append(prompt) or next(answers)
    )
    trainer = make_trainer(tmp_path, venv=venv, expert_policy=person)
    train(trainer, 8, rollout_round_min_episodes=1)
    second: Any
    first, second = map(episode_files.read_episode, demos(tmp_path))
    assert first.acts.tolist() == [0, 1, 0, 0, 1, 0, 0, 1]
    assert len(prompts) == 16 + 5  # five were asked again after "?"
    assert person.shown.tolist() == second.obs[-2].tolist()


@pytest.mark.parametrize("kind", ["dict", "image"])
def test_dict_and_image_observations(tmp_path: pathlib.Path, kind: str) -> None:
    trainer = make_trainer(
        tmp_path, venv=make_venv(kind=kind), beta_schedule=lambda n: 0.5
    )
    train(trainer, 16)
    episode = episode_files.read_episode(demos(tmp_path)[0])
    assert isinstance(episode.obs, types.DictObs) == (kind == "dict")
    assert trainer.round_num == 1


def box_policy(observation_space: Any, action_space: Any) -> policy_base.RandomPolicy:
    return policy_base.RandomPolicy(observation_space, action_space)


PLAIN = make_venv().observation_space
IMAGE = make_venv(kind="image").observation_space
FIRST = VecTransposeImage.transpose_space(IMAGE)
MISMATCHES = {
    "observation": (
        "plain",
        box_policy(gym.spaces.Box(-1, 1, (3,)), gym.spaces.Discrete(2)),
        "Mismatched observation space between expert_policy and venv",
    ),
    "action": (
        "plain",
        box_policy(PLAIN, gym.spaces.Discrete(3)),
        "Mismatched action space between expert_policy and venv",
    ),
    "transposed image": (
        "image",
        box_policy(FIRST, gym.spaces.Discrete(2)),
        r"Mismatched observation space.*channels first.*VecTransposeImage\(venv\)",
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_mismatched_spaces(tmp_path: pathlib.Path, name: Any) -> None:
    kind, policy, message = MISMATCHES[name]
    with pytest.raises(DataError, match=message):
        make_trainer(tmp_path, venv=make_venv(kind=kind), expert_policy=policy)


def test_expert_that_cannot_act(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="got None"):
        make_trainer(tmp_path, expert_policy=None)


def test_bc_trainer_of_other_spaces(tmp_path: pathlib.Path) -> None:
    other = bc.BC(
        observation_space=gym.spaces.Box(-1, 1, (3,)),
        action_space=gym.spaces.Discrete(2),
        rng=np.random.default_rng(0),
        custom_logger=silent_logger(tmp_path),
    )
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        dagger.DAggerTrainer(
            venv=make_venv(),
            scratch_dir=tmp_path,
            rng=np.random.default_rng(0),
            bc_trainer=other,
        )


@pytest.mark.parametrize(
    ("steps", "kwargs", "message"),
    [
        (0, {}, "total_timesteps must be positive, got 0"),
        (9, {"rollout_round_min_episodes": 0}, "rollout_round_min_episodes must be"),
        (
            9,
            {"bc_train_kwargs": {"n_epoch": 1}},
            "BC.train does not take n_epoch; bc_train_kwargs may hold checkpoint_dir",
        ),
    ],
)
def test_arguments_of_train_that_do_not_fit(
    tmp_path: pathlib.Path, steps: int, kwargs: dict[str, Any], message: str
) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(ConfigError, match=message):
        train(trainer, steps, **kwargs)


def test_environment_without_end(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imitation.data.rollout.MAX_STEPS_WITHOUT_EPISODE", 5)
    trainer = make_trainer(tmp_path)
    with pytest.raises(ConfigError, match="no episode ended in 5 steps"):
        train(trainer, 16)


def test_initial_demonstrations_are_written_once(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "other")
    train(trainer, 16)
    mine = [episode_files.read_episode(p) for p in demos(tmp_path / "other")]
    for _ in range(2):  # a script started again
        trainer = make_trainer(tmp_path, expert_trajs=mine)
        names = [p.name for p in demos(tmp_path, 0)]
        assert len(names) == 4
        assert all(n.startswith("initial_data-dagger-demo-") for n in names)
    train(trainer, 16)
    assert len(demos(tmp_path, 0)) == 8
    assert trainer.total_timesteps == 32 and len(trainer.store) == 64


@pytest.mark.parametrize(
    ("initial", "error", "message"),
    [
        (
            [types.Trajectory(np.zeros((3, 5)), np.array([0, 1]), None, True)],
            DataError,
            "obs of shape",
        ),
        (
            [types.Trajectory(np.zeros((3, 2)), np.array([0, 7]), None, True)],
            DataError,
            "acts from 0 to 7",
        ),
        ([{"obs": np.zeros((3, 2))}], TypeError, "sequence of trajectories, got one"),
    ],
)
def test_unfit_initial_demonstrations_are_not_written(
    tmp_path: pathlib.Path,
    initial: list[Any] | list[dict[str, Any]],
    error: Any,
    message: str,
) -> None:
    good = types.Trajectory(np.zeros((3, 2)), np.array([0, 1]), None, True)
    with pytest.raises(error, match=message):
        make_trainer(tmp_path, expert_trajs=[good, *initial])
    assert not demos(tmp_path)


def test_random_generator_is_optional(tmp_path: pathlib.Path) -> None:
    venv = make_venv()
    spaces = (venv.observation_space, venv.action_space)
    bc_trainer = bc.BC(observation_space=spaces[0], action_space=spaces[1])
    trainer = dagger.SimpleDAggerTrainer(
        venv=venv, scratch_dir=tmp_path, expert_policy=expert, bc_trainer=bc_trainer
    )
    assert isinstance(trainer.rng, np.random.Generator)


def test_single_environment_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="venv must be a vector environment"):
        make_trainer(tmp_path, venv=SignEnv())


# -- checkpoints ----------------------------------------------------------------------


def optimizer_state(trainer: Any) -> Any:
    return trainer.bc_trainer.optimizer.state_dict()["state"]


def test_save_and_reconstruct(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(
        tmp_path,
        cls=dagger.SimpleDAggerTrainer,
        beta_schedule=dagger.ExponentialBetaSchedule(0.25),
        bc_kwargs={"batch_size": 8, "ent_weight": 0.5, "optimizer_kwargs": {"lr": 0.1}},
    )
    train(trainer, 40)
    paths = trainer.save_trainer()
    scratch = tmp_path / "scratch"
    assert paths == (scratch / "checkpoint-002.pt", scratch / "policy-002.pt")
    assert (scratch / "checkpoint-latest.pt").is_dir()
    assert_same_weights(
        policy_io.load_policy(scratch / "policy-latest.pt", "cpu").state_dict(),
        weights(trainer),
    )
    restored = dagger.reconstruct_trainer(
        scratch, make_venv(), custom_logger=silent_logger(tmp_path / "b"), device="cpu"
    )
    assert type(restored) is dagger.DAggerTrainer
    assert_same_weights(weights(restored), weights(trainer))
    assert restored.round_num == 2 and restored.total_timesteps == 64
    assert restored.beta_schedule(3) == 0.25**3
    assert restored.batch_size == 8
    assert restored.bc_trainer.loss_calculator.ent_weight == 0.5
    assert restored.bc_trainer.optimizer.param_groups[0]["lr"] == 0.1
    for key, state in optimizer_state(trainer).items():
        for name, value in state.items():
            assert th.equal(value, optimizer_state(restored)[key][name])
    for one, other in (
        (trainer.rng, restored.rng),
        (trainer.bc_trainer.rng, restored.bc_trainer.rng),
    ):
        assert one.bit_generator.state == other.bit_generator.state


def test_shared_generator_stays_shared(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.rng = trainer.bc_trainer.rng
    train(trainer, 16)
    restored = dagger.reconstruct_trainer(
        tmp_path / "scratch", make_venv(), custom_logger=silent_logger(tmp_path)
    )
    assert restored.rng is restored.bc_trainer.rng


def load(tmp_path: pathlib.Path, **kwargs: Any) -> Any:
    kwargs = {"expert_policy": expert, "venv": make_venv(), "device": "cpu"} | kwargs
    return dagger.SimpleDAggerTrainer.load(
        tmp_path / "scratch", custom_logger=silent_logger(tmp_path / "again"), **kwargs
    )


def test_killed_in_bc_training_gives_the_same_weights(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, rng=np.random.default_rng(5))
    train(trainer, 16)

    class KilledError(Exception):
        pass

    def kill() -> None:
        shutil.copytree(tmp_path / "scratch", tmp_path / "killed" / "scratch")
        raise KilledError

    with pytest.raises(KilledError):
        train(
            trainer, 16, bc_train_kwargs={"n_batches": 9, "on_batch_end": kill} | QUIET
        )
    uninterrupted = load(tmp_path)
    resumed = load(tmp_path / "killed")
    for again in (uninterrupted, resumed):
        assert again.total_timesteps == 64 and again.round_num == 1
        train(again, 64, resume=True)
        assert again.round_num == 2
    assert_same_weights(weights(uninterrupted), weights(resumed))
    assert [p.name for p in demos(tmp_path)] == [
        p.name for p in demos(tmp_path / "killed")
    ]


@pytest.mark.parametrize("killed_after", range(5, 60, 9))
def test_killed_while_collecting(tmp_path: pathlib.Path, killed_after: Any) -> None:
    """Whatever was finished is kept once, and the run ends as long as it should."""
    calls = []

    class KilledError(Exception):
        pass

    def mortal(obs: Any) -> Any:
        calls.append(1)
        if len(calls) > killed_after:
            raise KilledError
        return expert(obs)

    trainer = make_trainer(tmp_path, expert_policy=mortal)
    with pytest.raises(KilledError):
        train(trainer, 160)
    kept = {p: p.read_bytes() for p in demos(tmp_path)}
    assert len(kept) == 2 * (killed_after // LENGTH)
    # The script seeds its environments as it did the first time.
    resumed = load(tmp_path, venv=make_venv(seed=0))
    assert resumed.total_timesteps == LENGTH * len(kept)
    train(resumed, 160, resume=True)
    assert resumed.total_timesteps == 160 and resumed.round_num == 5
    after = {p: p.read_bytes() for p in demos(tmp_path)}
    assert len(after) == 20
    assert kept.items() <= after.items()
    observations = [
        np.asarray(episode_files.read_episode(p).obs).tobytes() for p in after
    ]
    assert len(set(observations)) == 20, "an episode was collected twice"
    assert not list(tmp_path.rglob("*.tmp"))


def test_resume_of_a_finished_run_does_nothing(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    train(trainer, 40)
    resumed = load(tmp_path)
    train(resumed, 40, resume=True)
    assert resumed.round_num == trainer.round_num == 2
    assert_same_weights(weights(resumed), weights(trainer))
    train(resumed, 40)  # without resume: as many steps again
    assert resumed.total_timesteps == 128


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    train(trainer, 16)
    scratch = tmp_path / "scratch"
    (scratch / ".checkpoint-latest.pt.0123.tmp").mkdir()
    leftover = demos(tmp_path, 0)[0].parent / ".dagger-demo-7-x.npz.0123.tmp"
    leftover.write_bytes(b"PK")
    load(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))


def test_own_schedule_has_to_be_passed_to_reconstruct(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, beta_schedule=lambda n: 0.5)
    train(trainer, 16)
    with pytest.raises(ConfigError, match="pass it again as beta_schedule="):
        load(tmp_path)
    restored = load(tmp_path, beta_schedule=lambda n: 0.25)
    assert restored.beta_schedule(0) == 0.25


def test_earlier_run_in_the_directory_is_mentioned(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(make_trainer(tmp_path), 16)
    assert not caplog.records
    train(make_trainer(tmp_path), 16)
    (record,) = caplog.records
    assert "holds an earlier DAgger run" in record.getMessage()


def write_text(text: Any) -> Any:
    def damage(checkpoint: Any) -> None:
        (checkpoint / "state.json").write_text(text)

    return damage


DAMAGES = {
    "missing": (shutil.rmtree, "nothing was trained there yet"),
    "no json": (lambda c: (c / "state.json").unlink(), "state.json"),
    "truncated json": (write_text('{"kind": "dagg'), "cannot read"),
    "another kind": (
        write_text('{"kind": "bc", "format_version": 1, "state": {}}'),
        "is a checkpoint of 'bc', expected one of 'dagger'",
    ),
    "another version": (
        write_text('{"kind": "dagger", "format_version": 99, "state": {}}'),
        "has checkpoint format 99",
    ),
    "no state": (
        write_text('{"kind": "dagger", "format_version": 1}'),
        "does not hold a checkpoint",
    ),
    "part of a state": (
        write_text(
            '{"kind": "dagger", "format_version": 1, "state": {"progress": 1,'
            ' "rng": {}, "beta_schedule": {"kind": "linear", "rampdown_rounds": 1}}}'
        ),
        "damaged or from another version: 'bc'$",
    ),
    "no policy": (lambda c: shutil.rmtree(c / "policy"), "no policy at"),
    "old pickle": (
        lambda c: shutil.rmtree(c) or c.write_bytes(b"\x80\x02."),  # type: ignore[func-returns-value]  # in order
        "release 1.0 are pickles",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_checkpoint(tmp_path: pathlib.Path, name: Any) -> None:
    damage, message = DAMAGES[name]
    train(make_trainer(tmp_path), 16)
    damage(tmp_path / "scratch" / "checkpoint-latest.pt")
    with pytest.raises(ArtifactError, match=message):
        load(tmp_path)
