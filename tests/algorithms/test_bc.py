import math
import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
import torch.utils.data as th_data
from stable_baselines3.common import torch_layers
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms import bc
from imitation.algorithms.bc import losses
from imitation.data import types
from imitation.policies.base import FeedForward32Policy
from imitation.testing import checks
from imitation.util import logger as imit_logger
from imitation.util import policy_io, util
from imitation.util.plain_policies import plain_network

BOX = gym.spaces.Box(-np.inf, np.inf, (4,), np.float32)
DISCRETE = gym.spaces.Discrete(2)


@pytest.fixture
def quiet(tmp_path: pathlib.Path) -> Any:
    return imit_logger.configure(tmp_path / "log", ["csv"])


def discrete_pairs(n: int = 256, seed: int = 0) -> types.TransitionsMinimal:
    """Pairs whose action is the sign of a linear function of the observation."""
    obs = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    acts = (obs[:, 0] + obs[:, 2] > 0).astype(np.int64)
    return types.TransitionsMinimal(obs, acts, np.array([{}] * n))


def trajectories(n: int = 8, length: int = 20, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(n):
        obs = rng.normal(size=(length + 1, 4)).astype(np.float32)
        acts = (obs[:-1, 0] + obs[:-1, 2] > 0).astype(np.int64)
        result.append(types.Trajectory(obs, acts, None, True))
    return result


def make(quiet: Any, **kwargs: Any) -> Any:
    settings = {
        "observation_space": BOX,
        "action_space": DISCRETE,
        "rng": np.random.default_rng(0),
        "demonstrations": discrete_pairs(),
        "custom_logger": quiet,
        "device": "cpu",
    }
    return bc.BC(**(settings | kwargs))


def weights(trainer: Any) -> Any:
    return th.cat([p.detach().reshape(-1) for p in trainer.policy.parameters()])


def train(trainer: Any, **kwargs: Any) -> Any:
    trainer.train(progress_bar=False, **kwargs)
    return trainer


# --- the objective ----------------------------------------------------------------

SPACES = {
    "box": (BOX, gym.spaces.Box(-1, 1, (2,), np.float32)),
    "discrete": (BOX, DISCRETE),
    "multidiscrete": (BOX, gym.spaces.MultiDiscrete([3, 2])),
    "multibinary": (BOX, gym.spaces.MultiBinary(3)),
    "discrete_obs": (gym.spaces.Discrete(5), DISCRETE),
    "dict": (gym.spaces.Dict({"a": BOX, "b": gym.spaces.Discrete(3)}), DISCRETE),
}


def sample_pairs(
    observation_space: Any, action_space: Any, n: int = 16
) -> types.TransitionsMinimal:
    observation_space.seed(0)
    action_space.seed(0)
    obs = [observation_space.sample() for _ in range(n)]
    if isinstance(observation_space, gym.spaces.Dict):
        stacked: Any = types.DictObs.from_obs_list(
            [{k: np.asarray(v) for k, v in o.items()} for o in obs]
        )
    else:
        stacked = np.stack(obs)
    acts = np.stack([action_space.sample() for _ in range(n)])
    return types.TransitionsMinimal(stacked, acts, np.array([{}] * n))


@pytest.mark.parametrize("name", SPACES)
def test_loss_is_the_formula(quiet: Any, name: Any) -> None:
    observation_space, action_space = SPACES[name]
    data = sample_pairs(observation_space, action_space)
    trainer = make(
        quiet,
        observation_space=observation_space,
        action_space=action_space,
        demonstrations=data,
        batch_size=16,
    )
    policy = trainer.policy
    calculator = bc.BehaviorCloningLossCalculator(ent_weight=0.1, l2_weight=0.01)
    metrics: Any = calculator(policy, data.obs, data.acts)

    obs, acts = losses.policy_inputs(policy, data.obs, data.acts)
    if name == "multibinary":
        acts = acts.float()
    _, log_prob, entropy = policy.evaluate_actions(obs, acts)
    squares = sum(float((p.detach() ** 2).sum()) for p in policy.parameters())
    expected = -log_prob.mean() - 0.1 * entropy.mean() + 0.01 * squares / 2
    assert metrics.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert metrics.neglogp.item() == pytest.approx(-log_prob.mean().item(), rel=1e-5)
    assert metrics.entropy.item() == pytest.approx(entropy.mean().item(), rel=1e-5)
    assert metrics.l2_norm.item() == pytest.approx(squares / 2, rel=1e-5)
    assert metrics.prob_true_act.item() == pytest.approx(
        log_prob.exp().mean().item(), rel=1e-5
    )
    for network in (None, plain_network(policy)):
        quick = calculator.loss(policy, obs, acts, network)
        assert quick.item() == pytest.approx(metrics.loss.item(), rel=1e-6)


def test_loss_of_a_uniform_policy_has_a_closed_form(quiet: Any) -> None:
    trainer = make(quiet, action_space=gym.spaces.Discrete(5))
    for parameter in trainer.policy.action_net.parameters():
        th.nn.init.zeros_(parameter)
    metrics: Any = bc.BehaviorCloningLossCalculator(0.5, 0.0)(
        trainer.policy, np.zeros((3, 4), np.float32), np.array([0, 4, 2])
    )
    assert metrics.neglogp.item() == pytest.approx(math.log(5))
    assert metrics.entropy.item() == pytest.approx(math.log(5))
    assert metrics.loss.item() == pytest.approx(0.5 * math.log(5))
    assert metrics.prob_true_act.item() == pytest.approx(1 / 5)


def test_loss_does_not_depend_on_the_order_of_the_batch(quiet: Any) -> None:
    data: Any
    trainer, data = make(quiet), discrete_pairs(16)
    calculator = trainer.loss_calculator
    one = calculator(trainer.policy, data.obs, data.acts).loss
    other = calculator(trainer.policy, data.obs[::-1].copy(), data.acts[::-1].copy())
    assert one.item() == pytest.approx(other.loss.item(), rel=1e-6)


def test_entropy_may_be_missing(quiet: Any) -> None:
    """A squashed Gaussian has no entropy formula; the term is zero on its device."""
    trainer = make(
        quiet,
        action_space=gym.spaces.Box(-1, 1, (2,), np.float32),
        demonstrations=None,
        policy=ActorCriticPolicy(
            BOX,
            gym.spaces.Box(-1, 1, (2,), np.float32),
            policy_io.unset_learning_rate,
            use_sde=True,
            squash_output=True,
        ),
    )
    metrics = trainer.loss_calculator(
        trainer.policy, np.zeros((3, 4), np.float32), np.zeros((3, 2), np.float32)
    )
    assert metrics.entropy is None
    assert metrics.ent_loss.item() == 0
    assert metrics.ent_loss.device == metrics.neglogp.device
    metrics.loss.backward()


def test_squashed_actions_are_scaled_to_the_distribution(quiet: Any) -> None:
    """The density of a squashed Gaussian is one of actions between −1 and 1."""
    policies = []
    for low, high in ((-1.0, 1.0), (-2.0, 6.0)):
        space = gym.spaces.Box(low, high, (2,), np.float32)
        with th.random.fork_rng():
            th.manual_seed(0)
            policy = ActorCriticPolicy(
                BOX,
                space,
                lambda _: 1.0,
                use_sde=True,
                squash_output=True,
                log_std_init=-3.0,
            )
        policies.append(policy)
    obs = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    unit = np.linspace(-0.9, 0.9, 10, dtype=np.float32).reshape(5, 2)
    calculator = bc.BehaviorCloningLossCalculator(0.0, 0.0)
    one = calculator(policies[0], obs, unit).neglogp
    other = calculator(policies[1], obs, 2 + 4 * unit).neglogp
    assert one.item() == pytest.approx(other.item(), rel=1e-4)
    # What the policy does is likelier than what it does not.
    acts, _ = policies[1].predict(obs, deterministic=True)
    best = calculator(policies[1], obs, acts).neglogp
    assert best.item() < calculator(policies[1], obs, acts + 0.5).neglogp.item()


@pytest.mark.gpu
def test_losses_live_on_the_policys_device(quiet: Any) -> None:
    trainer = make(quiet, device="cuda")
    metrics = trainer.loss_calculator(
        trainer.policy, np.zeros((3, 4), np.float32), np.array([0, 1, 0])
    )
    assert metrics.loss.device.type == metrics.ent_loss.device.type == "cuda"
    train(trainer, n_batches=3)


# --- training ---------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACES)
def test_gradients_reach_every_tensor_of_the_actor(quiet: Any, name: Any) -> None:
    observation_space, action_space = SPACES[name]
    trainer = make(
        quiet,
        observation_space=observation_space,
        action_space=action_space,
        demonstrations=sample_pairs(observation_space, action_space, 64),
        batch_size=64,
    )
    actor = checks.actor_parameters(trainer.policy)
    checks.check_gradients(actor.items(), lambda: train(trainer, n_batches=1))


def test_learns_to_imitate(quiet: Any) -> None:
    trainer = make(quiet, optimizer_kwargs={"lr": 1e-2})
    train(trainer, n_epochs=15)
    checks.check_imitates(trainer.policy, discrete_pairs(500, seed=1), 0.9)


def test_learns_a_continuous_expert(quiet: Any) -> None:
    obs = np.random.default_rng(0).normal(size=(512, 4)).astype(np.float32)
    acts = np.tanh(obs[:, :1])
    trainer = make(
        quiet,
        action_space=gym.spaces.Box(-1, 1, (1,), np.float32),
        demonstrations=types.TransitionsMinimal(obs, acts, np.array([{}] * 512)),
        optimizer_kwargs={"lr": 1e-2},
    )
    before = np.abs(trainer.policy.predict(obs, deterministic=True)[0] - acts).mean()
    train(trainer, n_epochs=10)
    after = np.abs(trainer.policy.predict(obs, deterministic=True)[0] - acts).mean()
    assert after < before / 3


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("side", [16, 40])
@pytest.mark.parametrize("in_dict", [True, False])
def test_learns_from_images(
    quiet: Any, channels_last: bool, side: int, in_dict: bool
) -> None:
    """The expert's action is whether the left half of the image is bright."""
    rng = np.random.default_rng(0)
    acts = rng.integers(2, size=32)
    images = rng.integers(0, 50, size=(32, side, side, 3)).astype(np.uint8)
    images[:, :, : side // 2] += (acts * 200).astype(np.uint8)[:, None, None, None]
    if not channels_last:
        images = images.transpose(0, 3, 1, 2)
    space: Any = gym.spaces.Box(0, 255, images.shape[1:], np.uint8)
    obs: Any = images
    if in_dict:
        space = gym.spaces.Dict({"camera": space, "speed": BOX})
        obs = types.DictObs({"camera": images, "speed": np.zeros((32, 4), np.float32)})
    trainer = make(
        quiet,
        observation_space=space,
        demonstrations=types.TransitionsMinimal(obs, acts, np.array([{}] * 32)),
        batch_size=16,
    )
    data = types.TransitionsMinimal(obs, acts, np.array([{}] * 32))
    actor = checks.actor_parameters(trainer.policy)
    checks.check_gradients(actor.items(), lambda: train(trainer, n_batches=1))
    train(trainer, n_epochs=12)
    checks.check_imitates(trainer.policy, data, 0.95)


def test_accumulated_minibatches_equal_the_full_batch(quiet: Any) -> None:
    small = train(make(quiet, batch_size=64, minibatch_size=16), n_epochs=3)
    whole = train(make(quiet, batch_size=64), n_epochs=3)
    np.testing.assert_allclose(weights(small), weights(whole), atol=1e-5)


def test_a_trailing_incomplete_batch_counts_fully(quiet: Any) -> None:
    """96 samples in batches of 64 are one step on 64 and one on the other 32."""
    steps = []
    data = discrete_pairs(96)
    trainer = make(quiet, batch_size=64, minibatch_size=16, demonstrations=data)
    train(trainer, n_epochs=1, on_batch_end=lambda: steps.append(1))
    assert len(steps) == 2
    assert trainer.state_dict()["call"]["samples"] == 96


def test_gradient_clipping_bounds_the_step(quiet: Any) -> None:
    sgd = {"optimizer_cls": th.optim.SGD, "optimizer_kwargs": {"lr": 1.0}}
    trainer = make(quiet, max_grad_norm=1e-3, **sgd)
    before = weights(trainer)
    train(trainer, n_batches=1)
    assert th.norm(weights(trainer) - before).item() == pytest.approx(1e-3, rel=1e-3)


def test_learning_rate_schedule(quiet: Any) -> None:
    rates = []
    trainer = make(quiet, lr_schedule=lambda remaining: 0.1 * remaining)
    train(
        trainer,
        n_epochs=2,
        on_batch_end=lambda: rates.append(trainer.optimizer.param_groups[0]["lr"]),
    )
    np.testing.assert_allclose(rates, 0.1 * (1 - np.arange(16) / 16))


def test_weight_decay_pulls_weights_to_zero(quiet: Any) -> None:
    plain = train(make(quiet), n_epochs=5)
    decayed = train(make(quiet, l2_weight=1.0), n_epochs=5)
    assert weights(decayed).norm() < 0.9 * weights(plain).norm()


def test_the_same_seed_gives_the_same_numbers(quiet: Any) -> None:
    def run(seed: Any) -> Any:
        th.manual_seed(np.random.default_rng().integers(1000))  # must not matter
        trainer = make(quiet, rng=np.random.default_rng(seed))
        return weights(train(trainer, n_epochs=2))

    assert th.equal(run(0), run(0))
    assert not th.equal(run(0), run(1))


def test_training_leaves_the_callers_state_alone(quiet: Any) -> None:
    before = th.get_rng_state()
    trainer = make(quiet)
    trainer.policy.set_training_mode(False)
    train(trainer, n_batches=3)
    assert th.equal(th.get_rng_state(), before)
    assert not trainer.policy.training


class DropoutExtractor(torch_layers.FlattenExtractor):
    """Features with dropout, to see whether the policy trains in training mode."""

    def __init__(self, space: Any) -> None:
        super().__init__(space)
        self.dropout = th.nn.Dropout(0.5)
        self.modes: list[Any] = []

    def forward(self, observations: Any) -> Any:
        self.modes.append(self.training)
        return self.dropout(super().forward(observations))


def dropout_policy() -> FeedForward32Policy:
    return FeedForward32Policy(
        BOX,
        DISCRETE,
        policy_io.unset_learning_rate,
        features_extractor_class=DropoutExtractor,
    )


def test_s14_trains_in_training_mode_also_after_rollouts(quiet: Any) -> None:
    venv = util.make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=2)
    trainer = make(quiet, policy=dropout_policy())
    modes = trainer.policy.features_extractor.modes
    per_batch: Any = []
    train(
        trainer,
        n_batches=6,
        log_interval=2,
        log_rollouts_venv=venv,
        log_rollouts_n_episodes=2,
        on_batch_end=lambda: (per_batch.append(any(modes)), modes.clear()),
    )
    assert per_batch == [True] * 6
    venv.close()


def test_s14_rollouts_do_not_change_what_is_learnt(quiet: Any) -> None:
    venv = util.make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=2)
    th.manual_seed(0)
    plain = train(make(quiet, policy=dropout_policy()), n_batches=6, log_interval=2)
    th.manual_seed(0)
    logged = make(quiet, policy=dropout_policy())
    train(logged, n_batches=6, log_interval=2, log_rollouts_venv=venv)
    assert th.equal(weights(plain), weights(logged))
    venv.close()


# --- the documented behaviour of train --------------------------------------------


def test_callbacks_and_epochs(quiet: Any) -> None:
    events = []
    train(
        make(quiet),
        n_epochs=2,
        on_epoch_end=lambda: events.append("epoch"),
        on_batch_end=lambda: events.append("batch"),
    )
    assert events == (["batch"] * 8 + ["epoch"]) * 2


@pytest.mark.parametrize(("n_batches", "n_epochs"), [(7, 0), (8, 1), (9, 1), (16, 2)])
def test_a_number_of_batches_may_end_within_an_epoch(
    quiet: Any, n_batches: int, n_epochs: int
) -> None:
    epochs, batches = [], []
    train(
        make(quiet),
        n_batches=n_batches,
        on_epoch_end=lambda: epochs.append(1),
        on_batch_end=lambda: batches.append(1),
    )
    assert (len(batches), len(epochs)) == (n_batches, n_epochs)


def test_documented_keys_are_logged(tmp_path: pathlib.Path, quiet: Any) -> None:
    venv = util.make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=2)
    seen: Any = []
    record = quiet.record
    quiet.record = lambda key, value, *rest: (seen.append(key), record(key, value))
    train(
        make(quiet, val_fraction=0.2, demonstrations=trajectories()),
        n_epochs=2,
        log_interval=1,
        log_rollouts_venv=venv,
        log_rollouts_n_episodes=1,
    )
    losses_logged = [
        "neglogp",
        "entropy",
        "ent_loss",
        "prob_true_act",
        "l2_norm",
        "l2_loss",
        "loss",
    ]
    counts = ["epoch", "batch", "samples_so_far"]
    held_out = ["val_neglogp", "val_prob_true_act", "val_loss"]
    returns = [f"rollout/return_{key}" for key in ("min", "mean", "std", "max")]
    expected = [f"bc/{key}" for key in counts + losses_logged + held_out]
    assert set(seen) == {"batch_size", *expected, *returns}
    venv.close()


def test_tensorboard_steps_go_on_unless_reset(quiet: Any) -> None:
    steps = []
    quiet.dump = lambda step=0: steps.append(step)
    trainer = make(quiet)
    train(trainer, n_batches=4, log_interval=2)
    train(trainer, n_batches=4, log_interval=2)
    train(trainer, n_batches=4, log_interval=2, reset_tensorboard=True)
    assert steps == [0, 1, 2, 3, 0, 1]


def test_the_logger_can_be_changed(tmp_path: pathlib.Path, quiet: Any) -> None:
    trainer = make(quiet)
    other = imit_logger.configure(tmp_path / "other", ["csv"])
    trainer.logger = other
    train(trainer, n_batches=1)
    other.close()
    assert "bc/loss" in (tmp_path / "other" / "progress.csv").read_text()


def test_demonstrations_of_each_kind(quiet: Any) -> None:
    flat = discrete_pairs(64)
    source = th_data.DataLoader(flat, 32, collate_fn=types.transitions_collate_fn)
    for data in (
        flat,
        trajectories(),
        source,
        [{"obs": flat.obs[:32], "acts": flat.acts[:32]}],
    ):
        trainer = make(quiet, demonstrations=data)
        before = weights(trainer)
        train(trainer, n_epochs=2)
        assert not th.equal(weights(trainer), before)


def test_default_policy(quiet: Any) -> None:
    trainer = make(quiet)
    assert isinstance(trainer.policy, FeedForward32Policy)
    assert isinstance(trainer.policy.features_extractor, torch_layers.FlattenExtractor)
    space = gym.spaces.Dict({"a": BOX})
    trainer = make(quiet, observation_space=space, demonstrations=None)
    assert isinstance(trainer.policy.features_extractor, torch_layers.CombinedExtractor)


BAD_SETTINGS = [
    ({"batch_size": 32, "minibatch_size": 10}, "must be a multiple of minibatch size"),
    ({"optimizer_kwargs": {"weight_decay": 0.1}}, "l2_weight instead of weight_decay"),
    ({"batch_size": 0}, "must be positive"),
    ({"batch_size": -32}, "must be positive"),
    ({"minibatch_size": 0}, "must be positive"),
    ({"action_space": gym.spaces.Discrete(2, start=1)}, "does not start at 0"),
    (
        {"observation_space": gym.spaces.MultiDiscrete([2] * 4, start=[1] * 4)},
        "does not start at 0",
    ),
    ({"val_fraction": 1.0}, "val_fraction must lie in"),
    ({"val_fraction": -0.1}, "val_fraction must lie in"),
    ({"max_grad_norm": 0.0}, "max_grad_norm must be positive"),
    ({"batch_size": 1000}, "smaller than batch size"),
    ({"demonstrations": []}, "had no elements"),
    ({"demonstrations": trajectories(1), "val_fraction": 0.5}, "at least 2 entries"),
    (
        {"demonstrations": [{"obs": 0, "acts": 0}], "val_fraction": 0.5},
        "needs trajectories or transitions",
    ),
    ({"action_space": gym.spaces.Discrete(1)}, "from 0 to 1"),
    ({"observation_space": gym.spaces.Box(-1, 1, (3,))}, r"shape \(3,\)"),
    ({"observation_space": gym.spaces.Tuple([BOX])}, "is a Tuple"),
]


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS)
def test_bad_settings_are_one_clear_line(
    quiet: Any, settings: Any, message: Any
) -> None:
    with pytest.raises(ValueError, match=message) as info:
        make(quiet, **settings)
    assert "\n" not in str(info.value)


def test_a_policy_of_other_spaces_is_an_assertion(quiet: Any) -> None:
    policy = dropout_policy()
    with pytest.raises(AssertionError):
        make(quiet, policy=policy, observation_space=gym.spaces.Box(-1, 1, (4,)))
    with pytest.raises(AssertionError):
        make(quiet, policy=policy, action_space=gym.spaces.Discrete(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of `n_epochs` and `n_batches`"),
        ({"n_epochs": 1, "n_batches": 1}, "exactly one of `n_epochs` and `n_batches`"),
        ({"n_epochs": 0}, "must be positive"),
        ({"n_batches": -1}, "must be positive"),
        ({"n_epochs": 1, "log_interval": 0}, "log_interval must be at least 1"),
        ({"n_epochs": 1, "checkpoint_interval": 0}, "checkpoint_interval must be"),
        ({"n_epochs": 1, "early_stopping": bc.EarlyStopping()}, "set val_fraction"),
    ],
)
def test_bad_arguments_of_train(
    quiet: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(make(quiet), **arguments)


@pytest.mark.parametrize("arguments", [{"patience": 0}, {"min_delta": -1.0}])
def test_bad_early_stopping(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        bc.EarlyStopping(**arguments)


def test_training_without_demonstrations_is_an_assertion(quiet: Any) -> None:
    with pytest.raises(AssertionError, match="demonstrations"):
        train(make(quiet, demonstrations=None), n_epochs=1)


def test_an_exhausted_loader_is_an_assertion(quiet: Any) -> None:
    flat = discrete_pairs(32)
    once = iter([{"obs": flat.obs, "acts": flat.acts}])
    with pytest.raises(AssertionError, match="no data during epoch 1"):
        train(make(quiet, demonstrations=once), n_epochs=2)


@pytest.mark.parametrize("kind", [np.asarray, th.as_tensor])
def test_batches_from_outside_must_fit_the_spaces(quiet: Any, kind: Any) -> None:
    batch = {"obs": kind(np.zeros((32, 3), np.float32)), "acts": kind(np.zeros(32))}
    with pytest.raises(ValueError, match=r"obs of shape \(3,\)"):
        train(make(quiet, demonstrations=[batch]), n_epochs=1)


def test_a_schedule_needs_a_length(quiet: Any) -> None:
    flat = discrete_pairs(32)
    batches = ({"obs": flat.obs, "acts": flat.acts} for _ in range(3))
    trainer = make(quiet, demonstrations=batches, lr_schedule=lambda r: r)
    with pytest.raises(ValueError, match="lr_schedule needs to know"):
        train(trainer, n_epochs=1)


# --- small documented parts -------------------------------------------------------


def test_enumerate_batches() -> None:
    batches = [{"obs": np.zeros(n), "acts": np.zeros(n)} for n in (3, 5)]
    stats = [stats for stats, _ in bc.enumerate_batches(batches)]
    assert stats == [(0, 3, 3), (1, 5, 8)]


def test_batch_iterator() -> None:
    ended: list[Any] = []
    walk = bc.BatchIteratorWithEpochEndCallback([1, 2, 3], 2, None, ended.append)
    assert list(walk) == [1, 2, 3, 1, 2, 3] and ended == [0, 1]
    walk = bc.BatchIteratorWithEpochEndCallback([1, 2, 3], None, 4, None)
    assert list(walk) == [1, 2, 3, 1]
    with pytest.raises(AssertionError, match="no data during epoch 0"):
        list(bc.BatchIteratorWithEpochEndCallback([], 1, None, None))


def test_rollout_stats_are_empty_without_an_environment(quiet: Any) -> None:
    policy = make(quiet).policy
    assert bc.RolloutStatsComputer(None, 5)(policy, np.random.default_rng(0)) == {}


def test_rollout_stats(quiet: Any) -> None:
    venv = util.make_vec_env("CartPole-v1", rng=np.random.default_rng(0), n_envs=2)
    policy = make(quiet).policy
    before = th.get_rng_state()
    stats = bc.RolloutStatsComputer(venv, 3)(policy, np.random.default_rng(0))
    assert set(stats) == {f"return_{key}" for key in ("min", "mean", "std", "max")}
    assert th.equal(th.get_rng_state(), before)
    assert bc.RolloutStatsComputer(venv, 0)(policy, np.random.default_rng(0)) == {}
    venv.close()


def test_reconstruct_policy(tmp_path: pathlib.Path, quiet: Any) -> None:
    trainer = make(quiet)
    util.save_policy(trainer.policy, tmp_path / "final.th")
    again = bc.reconstruct_policy(tmp_path / "final.th", device="cpu")
    assert isinstance(again, FeedForward32Policy)
    obs = np.zeros((2, 4), np.float32)
    np.testing.assert_array_equal(
        again.predict(obs, deterministic=True)[0],
        trainer.policy.predict(obs, deterministic=True)[0],
    )
