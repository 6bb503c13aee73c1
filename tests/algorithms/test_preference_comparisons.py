"""Whole trainings on preferences: counting, resuming, refusing, learning."""

import contextlib
import copy
import json
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th

from imitation.algorithms import preference_comparisons as prefs
from imitation.data import rollout
from imitation.errors import ArtifactError, ConfigError
from imitation.regularization import regularizers
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net
from imitation.testing.checks import check_algorithm
from imitation.training import state_files as checkpoint
from imitation.util import logger as imit_logger
from reference import states, tiny_envs
from reference.adversarial_trainers import make_generator, make_reward_net


class Counting(prefs.TrajectoryDataset):
    """A fixed data set that counts what is asked of it."""

    def __init__(self, trajectories: Any) -> None:
        super().__init__(trajectories, np.random.default_rng(0))
        self.trained: list[int] = []
        self.sampled: list[int] = []

    def train(self, steps: int, **kwargs: Any) -> None:
        self.trained.append(steps)

    def sample(self, steps: int) -> Any:
        self.sampled.append(steps)
        return super().sample(steps)


def make_counting(directory: pathlib.Path, **kwargs: Any) -> Any:
    generator = Counting(tiny_envs.expert_trajectories(60))
    venv = tiny_envs.make_venv()
    settings: dict[str, Any] = {
        "num_iterations": 3,
        "fragment_length": 4,
        "initial_epoch_multiplier": 2.0,
        "rng": np.random.default_rng(0),
        "custom_logger": imit_logger.configure(directory, ["log"]),
    }
    net = kwargs.pop("reward_model", None) or make_reward_net(venv)
    return prefs.PreferenceComparisons(generator, net, **settings | kwargs)


@pytest.mark.parametrize("timesteps", [0, 1, 100, 103, 5000])
@pytest.mark.parametrize("iterations", [1, 3, 7])
def test_steps_and_comparisons_are_as_asked_for(
    tmp_path: pathlib.Path, timesteps: int, iterations: int
) -> None:
    trainer = make_counting(tmp_path, num_iterations=iterations)
    rounds: list[int] = []
    result = trainer.train(timesteps, 20, callback=rounds.append)
    generator = trainer.trajectory_generator
    assert sum(generator.trained) == timesteps
    assert rounds == list(range(iterations + 1))
    assert len(trainer.dataset) == 20
    assert sum(generator.sampled) == 20 * 2 * 4
    assert result.keys() == {"reward_loss", "reward_accuracy"}
    assert 0 < result["reward_loss"] < 5 and 0 <= result["reward_accuracy"] <= 1


def test_the_log_says_what_happens(tmp_path: pathlib.Path) -> None:
    make_counting(tmp_path, transition_oversampling=1.5).train(100, 20)
    text = (tmp_path / "log.txt").read_text()
    for line in (
        "Query schedule: [2, 8, 6, 4]",
        "Collecting 4 fragments (24 transitions)",
        "Creating fragment pairs",
        "Gathering preferences",
        "Dataset now contains 20 comparisons",
        "Training agent for 25 timesteps",
    ):
        assert line in text


def test_logged_keys(tmp_path: pathlib.Path) -> None:
    logger = imit_logger.configure(tmp_path, ["json"])
    make_counting(tmp_path, custom_logger=logger).train(10, 10)
    lines = (tmp_path / "progress.json").read_text().splitlines()
    assert len(lines) == 4, "one for each round"
    for line in lines:
        keys = json.loads(line).keys()
        for name in ("loss", "accuracy", "gt_reward_loss"):
            assert f"reward/final/train/{name}" in keys
            assert f"mean/reward/epoch-0/train/{name}" in keys
        assert "mean/preferences/entropy" in keys
    assert "mean/reward/epoch-1/train/loss" in json.loads(lines[0])
    assert "mean/reward/epoch-1/train/loss" not in json.loads(lines[1])


def test_the_first_training_is_longer_wherever_it_is(tmp_path: pathlib.Path) -> None:
    trainer = make_counting(tmp_path, initial_comparison_frac=0.0)
    multipliers: list[float] = []
    train = trainer.reward_trainer.train

    def noting(dataset: Any, epoch_multiplier: float = 1.0) -> None:
        multipliers.append(epoch_multiplier)
        train(dataset, epoch_multiplier)

    trainer.reward_trainer.train = noting
    trainer.train(0, 9)
    assert multipliers == [2.0, 1.0, 1.0]


def test_the_queue_keeps_the_latest(tmp_path: pathlib.Path) -> None:
    trainer = make_counting(tmp_path, comparison_queue_size=6)
    trainer.train(0, 20)
    assert len(trainer.dataset) == 6


def test_default_parts(tmp_path: pathlib.Path) -> None:
    trainer = make_counting(tmp_path)
    assert type(trainer.fragmenter) is prefs.RandomFragmenter
    assert type(trainer.preference_gatherer) is prefs.SyntheticGatherer
    assert type(trainer.reward_trainer) is prefs.BasicRewardTrainer
    venv = tiny_envs.make_venv()
    members = [make_reward_net(venv) for _ in range(2)]
    spaces = venv.observation_space, venv.action_space
    ensemble: Any = reward_nets.RewardEnsemble(*spaces, members)
    for net in (ensemble, reward_nets.AddSTDRewardWrapper(ensemble)):
        trainer = make_counting(tmp_path, reward_model=net)
        assert type(trainer.reward_trainer) is prefs.EnsembleTrainer
        trainer.train(0, 8)


def test_the_logger_reaches_all_parts(tmp_path: pathlib.Path) -> None:
    trainer = make_counting(tmp_path)
    for logger in (trainer.logger, imit_logger.configure(tmp_path / "other", [])):
        trainer.logger = logger
        for part in (
            trainer.trajectory_generator,
            trainer.fragmenter,
            trainer.preference_gatherer,
            trainer.reward_trainer,
        ):
            assert part.logger is logger


def test_episodes_of_different_length(tmp_path: pathlib.Path) -> None:
    venv = tiny_envs.make_venv(horizon=None)
    trajectories = rollout.rollout(
        None, venv, rollout.make_min_episodes(30), unwrap=False, verbose=False
    )
    net = make_reward_net(venv)
    settings: dict[str, Any] = {
        "fragment_length": 2,
        "rng": np.random.default_rng(0),
        "custom_logger": imit_logger.configure(tmp_path, []),
        "initial_epoch_multiplier": 1,
    }
    generator = prefs.TrajectoryDataset(trajectories, np.random.default_rng(0))
    strict = prefs.PreferenceComparisons(generator, net, 2, **settings)
    with pytest.raises(ValueError, match="Episodes of different length detected"):
        strict.train(0, 10)
    prefs.PreferenceComparisons(
        generator, net, 2, allow_variable_horizon=True, **settings
    ).train(0, 10)


def parts(net: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "fragmenter": prefs.RandomFragmenter(rng, 0),
        "preference_gatherer": prefs.SyntheticGatherer(rng=rng),
        "reward_trainer": prefs.BasicRewardTrainer(
            prefs.PreferenceModel(net), prefs.CrossEntropyRewardLoss(), rng
        ),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rng": None}, "If you don't provide a random state, you must provide your"),
        ({"query_schedule": "quadratic"}, "Unknown query schedule: quadratic"),
        ({"query_schedule": 3}, "Unknown query schedule: 3"),
        ({"num_iterations": 0}, "num_iterations must be positive"),
        ({"fragment_length": 0}, "fragment_length must be positive"),
        ({"transition_oversampling": 0}, "transition_oversampling must be positive"),
        ({"initial_epoch_multiplier": -3}, "initial_epoch_multiplier must be positive"),
        ({"initial_comparison_frac": 1.5}, "initial_comparison_frac must lie in"),
        ({"comparison_queue_size": 0}, "max_size must be positive"),
    ],
)
def test_wrong_settings(tmp_path: pathlib.Path, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_counting(tmp_path, **options)


def test_a_generator_that_nothing_needs(tmp_path: pathlib.Path) -> None:
    net = make_reward_net(tiny_envs.make_venv())
    with pytest.raises(ValueError, match="you don't need to provide a random state"):
        make_counting(tmp_path, reward_model=net, **parts(net))
    make_counting(tmp_path, reward_model=net, **parts(net), rng=None)


def test_a_trainer_of_another_network(tmp_path: pathlib.Path) -> None:
    net, other = (make_reward_net(tiny_envs.make_venv()) for _ in range(2))
    with pytest.raises(AssertionError, match="trains another network"):
        make_counting(tmp_path, reward_model=net, **parts(other), rng=None)


@pytest.mark.parametrize("totals", [(-1, 10), (10, 0), (10, -1)])
def test_wrong_totals(tmp_path: pathlib.Path, totals: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="expected total_timesteps not negative"):
        make_counting(tmp_path).train(*totals)


def make_trainer(
    directory: pathlib.Path,
    name: str = "PPO",
    obs_kind: str = "box",
    act_kind: str = "discrete",
    *,
    ensemble: bool = False,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    """A training whose every random number follows from `seed`."""
    np.random.seed(seed)
    th.manual_seed(seed)
    rng = np.random.default_rng(seed)
    venv = tiny_envs.make_venv(obs_kind, act_kind, seed=seed)
    net = make_reward_net(venv, obs_kind)
    if ensemble:
        members = [net, make_reward_net(venv, obs_kind)]
        net = reward_nets.RewardEnsemble(
            net.observation_space, net.action_space, members
        )
    trainer_class: Any = prefs.EnsembleTrainer if ensemble else prefs.BasicRewardTrainer
    model = prefs.PreferenceModel(net)
    fragmenter: Any = prefs.RandomFragmenter(rng, 0)
    if ensemble:
        fragmenter = prefs.ActiveSelectionFragmenter(model, fragmenter, 2)
    agent = prefs.AgentTrainer(
        make_generator(name, venv, obs_kind, seed, **kwargs.pop("settings", {})),
        net,
        venv,
        rng,
        exploration_frac=0.3,
    )
    options: dict[str, Any] = {
        "fragmenter": fragmenter,
        "preference_gatherer": prefs.SyntheticGatherer(rng=rng),
        "reward_trainer": trainer_class(
            model,
            prefs.CrossEntropyRewardLoss(),
            rng,
            regularizer_factory=regularizers.LpRegularizer.create(1e-3, p=2),
        ),
        "num_iterations": 3,
        "fragment_length": 4,
        "initial_epoch_multiplier": 2.0,
        "custom_logger": imit_logger.configure(directory, ["csv"]),
    }
    return prefs.PreferenceComparisons(agent, net, **options | kwargs)


def weights(trainer: Any) -> th.Tensor:
    modules = trainer.model, trainer.trajectory_generator.algorithm.policy
    return th.cat([p.detach().ravel() for m in modules for p in m.parameters()])


class StoppedError(Exception):
    """Ends a training from a callback."""


CASES: dict[str, Any] = {
    "PPO": {},
    "PPO, schedule": {"settings": {"learning_rate": lambda left: 1e-2 * left}},
    "PPO, images": {"obs_kind": "image"},
    "ensemble": {"ensemble": True},
    "SAC": {"name": "SAC", "obs_kind": "dict", "act_kind": "box"},
    "DQN": {"name": "DQN"},
}


@pytest.mark.parametrize("case", CASES)
def test_resumed_is_as_if_uninterrupted(tmp_path: pathlib.Path, case: str) -> None:
    options = CASES[case]

    def stop(number: int) -> None:
        if number == 2:
            raise StoppedError

    totals = {"total_timesteps": 130, "total_comparisons": 20}
    whole = make_trainer(tmp_path / "1", **options)
    expected = whole.train(
        **totals, checkpoint_dir=tmp_path / "whole", checkpoint_interval=2
    )
    broken = make_trainer(tmp_path / "2", **options)
    saving = {"checkpoint_dir": tmp_path / "run", "checkpoint_interval": 2}
    with pytest.raises(StoppedError):
        broken.train(**totals, callback=stop, **saving)
    resumed = make_trainer(tmp_path / "3", seed=7, **options)
    rounds: list[int] = []
    result = resumed.train(**totals, callback=rounds.append, **saving, resume=True)
    assert rounds == [2, 3]
    assert th.equal(weights(resumed), weights(whole))
    assert result == expected
    assert list(resumed.dataset) == list(whole.dataset)
    agent = resumed.trajectory_generator.algorithm
    # Off-policy algorithms take eight at a time here.
    assert 0 <= agent.num_timesteps - 130 < (8 if "PPO" not in str(type(agent)) else 1)
    again = make_trainer(tmp_path / "4", **options)
    assert again.train(**totals, **saving, resume=True) == expected


@pytest.mark.parametrize("case", CASES)
def test_the_trainers_contract(tmp_path: pathlib.Path, case: str) -> None:
    def train(trainer: prefs.PreferenceComparisons) -> None:
        np.random.seed(0)  # trainers in one process share the global generators
        th.manual_seed(0)
        trainer.train(40, 4)

    check_algorithm(lambda: make_trainer(tmp_path, **CASES[case]), train, tmp_path)


def test_states_between_checkpoints(tmp_path: pathlib.Path) -> None:
    """They are saved more often than exports, and without any."""
    for interval, exported in ((2, {"0002", "0004", "final"}), (-1, set())):
        directory = tmp_path / str(interval)
        saved: list[int] = []
        trainer = make_trainer(tmp_path)
        save = trainer.restart_episodes
        trainer.restart_episodes = lambda seed, save=save, made=trainer, to=saved: (
            to.append(made.progress),
            save(seed),
        )
        trainer.train(
            40,
            4,
            checkpoint_dir=directory,
            checkpoint_interval=interval,
            state_interval=1,
        )
        assert saved == [1, 2, 3, 4, 4]
        assert {p.name for p in directory.iterdir()} == exported | {"latest"}
        resumed = make_trainer(tmp_path)
        resumed.train(40, 4, checkpoint_dir=directory, resume=True)
        assert resumed.progress == 4


def test_rounds_without_comparisons_train_the_agent_too(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.train(160, 2)
    agent = trainer.trajectory_generator.algorithm
    assert agent.num_timesteps == 160 and len(trainer.dataset) == 2


def test_comparisons_made_elsewhere_are_enough(tmp_path: pathlib.Path) -> None:
    first = make_counting(tmp_path / "1")
    first.train(0, 8)
    trainer = make_counting(tmp_path / "2")
    with pytest.raises(ConfigError, match="or 0 if there are some already"):
        trainer.train(10, 0)
    trainer.dataset = first.dataset
    result = trainer.train(10, 0)
    assert 0 < result["reward_loss"] < 5 and len(trainer.dataset) == 8


def test_checkpoints(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.train(64, 8, checkpoint_dir=tmp_path / "c", checkpoint_interval=3)
    names = {path.name for path in (tmp_path / "c").iterdir()}
    assert names == {"0003", "final", "latest"}
    net = load_reward_net(tmp_path / "c" / "final" / "reward_net.pt")
    policy = sb3.PPO.load(tmp_path / "c" / "final" / "policy" / "model.zip").policy
    for loaded, own in (
        (net, trainer.model),
        (policy, trainer.trajectory_generator.algorithm.policy),
    ):
        for name, value in own.state_dict().items():
            assert th.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize(
    ("interval", "expected"), [(0, {"final", "latest"}), (-1, set())]
)
def test_rare_checkpoints(
    tmp_path: pathlib.Path, interval: int, expected: set[str]
) -> None:
    trainer = make_counting(tmp_path)
    directory = tmp_path / "c"
    trainer.train(0, 8, checkpoint_dir=directory, checkpoint_interval=interval)
    found = {p.name for p in directory.iterdir()} if directory.exists() else set()
    assert found == expected


def test_a_state_of_another_kind(tmp_path: pathlib.Path) -> None:
    make_trainer(tmp_path).save(tmp_path / "state")
    other = make_trainer(tmp_path, "A2C")
    with pytest.raises(ArtifactError, match="has the agent PPO, this trainer has A2C"):
        other.load_state(tmp_path / "state")
    ensemble = make_trainer(tmp_path, ensemble=True)
    with pytest.raises(ArtifactError, match="has the fragmenter RandomFragmenter"):
        ensemble.load_state(tmp_path / "state")
    with pytest.raises(ArtifactError, match="no checkpoint"):
        other.load_state(tmp_path / "absent")
    images = make_trainer(tmp_path, obs_kind="dict")
    with pytest.raises(ArtifactError, match="does not fit this trainer"):
        images.load_state(tmp_path / "state")


def make_busy_trainer(directory: pathlib.Path, name: str = "PPO") -> Any:
    """One with episodes that are finished and not sampled, and others in flight."""
    trainer = make_trainer(directory, name)
    trainer.train(64, 8)
    trainer.trajectory_generator.sample(0)
    trainer.trajectory_generator.train(40)
    return trainer


@contextlib.contextmanager
def untouched(trainer: Any) -> Iterator[None]:
    """Asserts that a block changes nothing, not even what a state does not hold."""
    agent = trainer.trajectory_generator
    recorder, envs = agent.buffering_wrapper, agent.venv.envs
    before = copy.deepcopy(trainer.state_dict())
    finished, n_transitions = recorder.finished_trajectories, recorder.n_transitions
    last_obs = agent.algorithm._last_obs
    randomness = [env.unwrapped.np_random.bit_generator.state for env in envs]
    numpy_state = np.random.get_state(legacy=False)["state"]["key"].tolist()
    assert finished and n_transitions > sum(map(len, finished))
    yield
    states.assert_same(before, trainer.state_dict())
    assert list(map(id, recorder.finished_trajectories)) == list(map(id, finished))
    assert recorder.n_transitions == n_transitions
    assert agent.algorithm._last_obs is last_obs
    assert np.random.get_state(legacy=False)["state"]["key"].tolist() == numpy_state
    for env, state in zip(envs, randomness, strict=True):
        assert env.unwrapped.np_random.bit_generator.state == state
    fragments = recorder.pop_trajectories()[0]
    assert sum(map(len, fragments)) == n_transitions, "episodes in flight, too"


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_asking_for_the_state_changes_nothing(
    tmp_path: pathlib.Path, name: str
) -> None:
    trainer = make_busy_trainer(tmp_path, name)
    with untouched(trainer):
        states.assert_same(trainer.state_dict(), trainer.state_dict())


def test_only_trainers_with_environments_draw_a_seed(tmp_path: pathlib.Path) -> None:
    fixed, acting = make_counting(tmp_path / "1"), make_trainer(tmp_path / "2")
    for trainer, draws in ((fixed, False), (acting, True)):
        assert trainer.rng is trainer.trajectory_generator.rng
        before = trainer.rng.bit_generator.state
        trainer.save(tmp_path / "state")
        assert (trainer.rng.bit_generator.state != before) == draws


def without_a_weight(state: Any) -> None:
    state["trajectory_generator"]["algorithm"]["parameters"]["policy"].popitem()


def without_acts(state: Any) -> None:
    del state["trajectory_generator"]["finished"]["acts"]


def without_torch(state: Any) -> None:
    state["torch"]["cpu"] = state["torch"]["cpu"][:-1]


def with_words_for_steps(state: Any) -> None:
    state["trajectory_generator"]["owed"] = "many"


@pytest.mark.parametrize(
    "damage", [without_a_weight, without_acts, without_torch, with_words_for_steps]
)
def test_a_state_that_fits_in_part_only_changes_nothing(
    tmp_path: pathlib.Path, damage: Callable[[Any], None]
) -> None:
    make_busy_trainer(tmp_path / "1").save(tmp_path / "state")
    state = checkpoint.load_state(tmp_path / "state", "preference_comparisons")
    damage(state)
    checkpoint.save_state(tmp_path / "bad", "preference_comparisons", state)
    other = make_busy_trainer(tmp_path / "2")
    other.trajectory_generator.rng.random(7)
    with untouched(other), pytest.raises(ArtifactError, match="does not fit this"):
        other.load_state(tmp_path / "bad")


def test_a_state_replaces_recorded_episodes(tmp_path: pathlib.Path) -> None:
    first = make_busy_trainer(tmp_path / "1")
    first.trajectory_generator.sample(0)
    first.trajectory_generator.train(20)
    first.save(tmp_path / "state")
    other = make_busy_trainer(tmp_path / "2")
    other.load_state(tmp_path / "state")
    one, two = (t.trajectory_generator.sample(8) for t in (first, other))
    assert [t.obs.tolist() for t in one] == [t.obs.tolist() for t in two]
    assert not other.trajectory_generator.buffering_wrapper.n_transitions


def test_learns_what_is_preferred(tmp_path: pathlib.Path) -> None:
    """Actions that name the sign of an observation are preferred; nothing says so."""
    th.manual_seed(0)
    venv = tiny_envs.make_venv(n_envs=4)
    net = reward_nets.BasicRewardNet(venv.observation_space, venv.action_space)
    rng = np.random.default_rng(0)
    agent = sb3.PPO(
        "MlpPolicy", venv, n_steps=64, batch_size=64, n_epochs=5, learning_rate=5e-3,
        gamma=0.0, seed=0, device="cpu",
    )  # fmt: skip
    model = prefs.PreferenceModel(net)
    trainer = prefs.PreferenceComparisons(
        prefs.AgentTrainer(agent, net, venv, rng),
        net,
        num_iterations=4,
        fragmenter=prefs.RandomFragmenter(rng, 0),
        preference_gatherer=prefs.SyntheticGatherer(rng=rng),
        reward_trainer=prefs.BasicRewardTrainer(
            model, prefs.CrossEntropyRewardLoss(), rng, epochs=5, lr=5e-3
        ),
        fragment_length=4,
        initial_epoch_multiplier=4,
        custom_logger=imit_logger.configure(tmp_path, []),
    )
    result = trainer.train(3000, 300)
    assert result["reward_accuracy"] > 0.6, "of answers with noise"
    learned, held_out = (
        rollout.rollout(
            policy,
            venv,
            rollout.make_min_episodes(40),
            rng,
            unwrap=False,
            verbose=False,
        )
        for policy in (agent, None)
    )
    # Chance is half of the horizon of 8.
    assert rollout.rollout_stats(learned)["return_mean"] > 6.5
    pairs = prefs.RandomFragmenter(rng, 0)(held_out, 4, 200)
    given = prefs.SyntheticGatherer(0, sample=False)(pairs)
    _, metrics = prefs.CrossEntropyRewardLoss()(pairs, given, model)
    assert metrics["accuracy"].item() > 0.8
    assert not math.isnan(result["reward_loss"])


class Late(prefs.SyntheticGatherer):
    """Answers about the pairs of a round in the next one."""

    def gather(self, fragment_pairs: Any) -> Any:
        self.open, late = fragment_pairs, getattr(self, "open", [])
        return super().gather(late)


def test_late_answers_arrive_in_rounds_without_questions(
    tmp_path: pathlib.Path,
) -> None:
    gatherer = Late(rng=np.random.default_rng(0))
    trainer = make_counting(tmp_path, preference_gatherer=gatherer)
    sizes: list[int] = []
    trainer.train(0, 2, callback=lambda number: sizes.append(len(trainer.dataset)))
    assert "Query schedule: [0, 1, 1, 0]" in (tmp_path / "log.txt").read_text()
    assert sizes == [0, 0, 1, 2]
