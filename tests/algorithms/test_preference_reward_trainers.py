"""Training of reward networks and ensembles on preferences."""

import copy
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.algorithms import preference_comparisons as prefs
from imitation.algorithms.preference_comparisons import reward_trainer
from imitation.errors import ConfigError, DataError
from imitation.regularization import regularizers, updaters
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from imitation.util import networks
from reference import preferences as ref

RNG = np.random.default_rng(0)


@pytest.fixture
def logger(tmp_path: Any) -> imit_logger.HierarchicalLogger:
    return imit_logger.configure(tmp_path, [])


def make_net(seed: int = 0, **kwargs: Any) -> reward_nets.BasicRewardNet:
    th.manual_seed(seed)
    return reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE, **kwargs)


def make_ensemble(n: int = 3) -> reward_nets.RewardEnsemble:
    members = [make_net(seed) for seed in range(n)]
    return reward_nets.RewardEnsemble(ref.OBS_SPACE, ref.ACT_SPACE, members)


def make_dataset(n: int = 20, ties: int = 0, lengths: Any = (6,)) -> Any:
    """Fragments whose true reward is the first number of the observation."""
    dataset = prefs.PreferenceDataset()
    for i in range(n):
        length = lengths[i % len(lengths)]
        pair = tuple(ref.trajectory(RNG, length) for _ in range(2))
        for fragment in pair:
            fragment.rews[:] = fragment.obs[:-1, 0]
        answer = 0.5 if i < ties else float(pair[0].rews.sum() > pair[1].rews.sum())
        dataset.push([pair], np.array([answer], np.float32))
    return dataset


def make_trainer(net: Any, logger: Any, **kwargs: Any) -> Any:
    return prefs.BasicRewardTrainer(
        prefs.PreferenceModel(net),
        prefs.CrossEntropyRewardLoss(),
        np.random.default_rng(0),
        custom_logger=logger,
        **kwargs,
    )


def parameters(net: th.nn.Module) -> th.Tensor:
    return th.cat([p.detach().ravel() for p in net.parameters()])


def assert_close_but_for_the_bias(one: Any, other: Any) -> None:
    """Comparisons do not determine the last bias, so Adam follows rounding errors."""
    actual, expected = parameters(one)[:-1], parameters(other)[:-1]
    th.testing.assert_close(actual, expected, rtol=0, atol=2e-6)


def train_slowly(net: Any, dataset: Any, epochs: int, batch_size: int) -> None:
    """AdamW on whole batches of trajectories, one pair at a time."""
    model = prefs.PreferenceModel(net)
    optimizer = th.optim.AdamW(net.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(np.arange(len(dataset)))
        for start in range(0, len(order), batch_size):
            items = [dataset[int(i)] for i in order[start : start + batch_size]]
            losses = []
            for pair, given in items:
                probs, _ = model([pair])
                target = th.tensor([given], dtype=probs.dtype)
                losses.append(th.nn.functional.binary_cross_entropy(probs, target))
            optimizer.zero_grad()
            th.autograd.backward(th.stack(losses).mean())
            optimizer.step()


@pytest.mark.parametrize("lengths", [(6,), (3, 6, 1)])
@pytest.mark.parametrize("max_bytes", [0, 2**29])
def test_same_weights_as_pair_by_pair(
    logger: Any, lengths: Any, max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tensors prepared for the whole data set, and made for each batch."""
    module = "imitation.algorithms.preference_comparisons.fragments.MAX_PREPARED_BYTES"
    monkeypatch.setattr(module, max_bytes)
    dataset = make_dataset(13, ties=2, lengths=lengths)
    ours, slow = (make_net(activation=th.nn.Tanh) for _ in range(2))
    make_trainer(ours, logger, epochs=3, batch_size=4).train(dataset)
    train_slowly(slow, dataset, 3, 4)
    assert_close_but_for_the_bias(ours, slow)


@pytest.mark.parametrize("regularizer", [None, "lp", "decay"])
def test_accumulated_minibatches_are_a_batch(logger: Any, regularizer: Any) -> None:
    factories: dict[Any, Any] = {
        None: None,
        "lp": regularizers.LpRegularizer.create(0.1, p=2),
        "decay": regularizers.WeightDecayRegularizer.create(0.1),
    }
    dataset = make_dataset(13)
    whole, parts = (make_net(activation=th.nn.Tanh) for _ in range(2))
    for net, size in ((whole, None), (parts, 2)):
        make_trainer(
            net,
            logger,
            batch_size=6,
            minibatch_size=size,
            epochs=3,
            regularizer_factory=factories[regularizer],
        ).train(dataset)
    assert_close_but_for_the_bias(whole, parts)


def test_the_loss_falls_and_is_logged(logger: Any) -> None:
    dataset = make_dataset(60, ties=10)
    net = make_net()
    trainer = make_trainer(net, logger, epochs=30, lr=1e-2)
    trainer.train(dataset)
    values = logger.name_to_value
    first = values["mean/reward/epoch-0/train/loss"]
    last = values["mean/reward/epoch-29/train/loss"]
    assert last < first / 2
    assert values["reward/final/train/loss"] == last
    assert values["reward/final/train/accuracy"] > 0.9
    assert values["reward/final/train/gt_reward_loss"] > 0
    epochs = {key.split("/")[2] for key in values if "epoch" in key}
    assert len(epochs) == reward_trainer.MAX_LOGGED_EPOCHS
    assert net.training, "the mode is as before"


def test_epochs(logger: Any) -> None:
    trainer = make_trainer(make_net(), logger, epochs=2)
    dataset = make_dataset(3)
    for multiplier, expected in ((1.0, 2), (3.0, 6), (0.01, 1)):
        logger.name_to_value.clear()
        trainer.train(dataset, epoch_multiplier=multiplier)
        epochs = {key.split("/")[2] for key in logger.name_to_value if "epoch" in key}
        assert epochs == {f"epoch-{i}" for i in range(expected)}


def test_only_ties_have_no_accuracy(logger: Any) -> None:
    make_trainer(make_net(), logger).train(make_dataset(4, ties=4))
    assert "reward/final/train/loss" in logger.name_to_value
    assert "reward/final/train/accuracy" not in logger.name_to_value


def test_accuracy_weighs_batches_by_their_decided_pairs(logger: Any) -> None:
    dataset = make_dataset(12, ties=5)
    net = make_net()
    trainer = make_trainer(net, logger, batch_size=4, lr=0.0)
    trainer.train(dataset)
    probs, _ = prefs.PreferenceModel(net)([pair for pair, _ in dataset])
    expected = ref.accuracy(probs.tolist(), dataset.preferences.tolist())
    found = logger.name_to_value["reward/final/train/accuracy"]
    assert found == pytest.approx(expected)


def test_no_weight_decay_beside_a_regularizer(logger: Any) -> None:
    plain = make_trainer(make_net(), logger)
    assert plain.optim.defaults["weight_decay"] == pytest.approx(0.01)
    factory = regularizers.LpRegularizer.create(0.1, p=2)
    other = make_trainer(make_net(), logger, regularizer_factory=factory)
    assert other.optim.defaults["weight_decay"] == 0
    assert not other.requires_regularizer_update


def adaptive(split: float = 0.25) -> Any:
    updater = updaters.IntervalParamScaler(0.5, (0.0, 1e-9))  # always more
    return regularizers.LpRegularizer.create(0.1, updater, split, p=2)


class GradRecorder(prefs.CrossEntropyRewardLoss):
    """Notes the mode and the number of pairs of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bool, bool, int]] = []

    def forward(self, fragment_pairs: Any, preferences: Any, model: Any) -> Any:
        self.calls.append(
            (th.is_grad_enabled(), model.model.training, len(fragment_pairs))
        )
        return super().forward(fragment_pairs, preferences, model)


def test_validation(logger: Any) -> None:
    loss = GradRecorder()
    trainer = prefs.BasicRewardTrainer(
        prefs.PreferenceModel(make_net()),
        loss,
        np.random.default_rng(0),
        epochs=2,
        custom_logger=logger,
        regularizer_factory=adaptive(),
    )
    assert trainer.requires_regularizer_update
    trainer.train(make_dataset(20))
    # Without gradients, in evaluation mode, on a quarter of the pairs.
    assert loss.calls == [(True, True, 15), (False, False, 5)] * 2
    assert trainer.regularizer is not None
    assert trainer.regularizer.lambda_ == pytest.approx(0.1 * 1.5**2)
    values = logger.name_to_value
    assert values["reward/final/val/loss"] > 0
    assert "mean/reward/epoch-1/val/accuracy" in values
    assert values["mean/reward/regularization_lambda"] > 0.1


def test_statistics_of_inputs_are_those_of_the_data(logger: Any) -> None:
    net = make_net(normalize_input_layer=networks.RunningNorm, use_action=False)
    dataset = make_dataset(7)
    make_trainer(net, logger, batch_size=3).train(dataset)
    states = dataset.arrays().steps()["state"]
    norm: Any = next(m for m in net.modules() if isinstance(m, networks.RunningNorm))
    assert norm.count == len(states)
    np.testing.assert_allclose(norm.running_mean.numpy(), states.mean(axis=0), 1e-5)


@pytest.mark.parametrize("n", [1, 3])
def test_too_few_to_split(logger: Any, n: int) -> None:
    trainer = make_trainer(make_net(), logger, regularizer_factory=adaptive())
    with pytest.raises(ValueError, match="Not enough data samples to split into train"):
        trainer.train(make_dataset(n))


def test_nothing_to_train_on(logger: Any) -> None:
    with pytest.raises(DataError, match="there are no preferences to train on"):
        make_trainer(make_net(), logger).train(prefs.PreferenceDataset())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 3, "minibatch_size": 2}, "Batch size must be a multiple of"),
        ({"minibatch_size": 64}, "Batch size must be a multiple of minibatch size"),
        ({"batch_size": 0}, "batch_size must be positive"),
        ({"minibatch_size": 0}, "minibatch_size must be positive"),
        ({"epochs": 0}, "epochs must be positive"),
    ],
)
def test_wrong_settings(logger: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_trainer(make_net(), logger, **options)


def test_state_goes_on_alike(logger: Any) -> None:
    dataset = make_dataset(10)
    options = {"regularizer_factory": adaptive(), "epochs": 2}
    one = make_trainer(make_net(), logger, **options)
    one.train(dataset)
    net = copy.deepcopy(one.preference_model.model)
    other = make_trainer(net, logger, **options)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for trainer in (one, other):
        trainer.train(dataset)
    assert one.regularizer.lambda_ == other.regularizer.lambda_
    th.testing.assert_close(
        parameters(one.preference_model), parameters(net), rtol=0, atol=0
    )


def make_ensemble_trainer(net: Any, logger: Any, **kwargs: Any) -> Any:
    return prefs.EnsembleTrainer(
        prefs.PreferenceModel(net),
        prefs.CrossEntropyRewardLoss(),
        np.random.default_rng(0),
        custom_logger=logger,
        **kwargs,
    )


@pytest.mark.parametrize("wrapped", [False, True])
def test_ensembles_learn(logger: Any, wrapped: bool) -> None:
    net: Any = make_ensemble()
    before = [parameters(member).clone() for member in net.members]
    wrapper = reward_nets.AddSTDRewardWrapper(net) if wrapped else net
    trainer = make_ensemble_trainer(wrapper, logger, epochs=30, lr=1e-2)
    trainer.train(make_dataset(60))
    values = logger.name_to_value
    for i, member in enumerate(net.members):
        assert not th.equal(before[i], parameters(member))
        assert values[f"member-{i}/reward/final/train/accuracy"] > 0.9
        assert f"mean/member-{i}/reward/epoch-0/train/loss" in values
    losses = [values[f"member-{i}/reward/final/train/loss"] for i in range(3)]
    assert values["reward/final/train/loss"] == pytest.approx(np.mean(losses))
    assert values["reward/final/train/loss_std"] == pytest.approx(np.std(losses))


def test_members_are_trained_on_bootstrap_samples(logger: Any) -> None:
    trainer = make_ensemble_trainer(
        make_ensemble(), logger, regularizer_factory=adaptive(0.2)
    )
    assert trainer.requires_regularizer_update
    fitted: list[Any] = []

    def fit(dataset: Any, train: Any, val: Any, epoch_multiplier: float) -> Any:
        fitted.append((train, val))
        return {}

    for member in trainer.member_trainers:
        member.fit = fit
    trainer.train(make_dataset(10))
    assert len(fitted) == 3
    for train, val in fitted:
        assert len(train) == 8 and len(val) == 2
        assert not set(train) & set(val), "nothing to validate on was trained on"
    assert any(len(set(train)) < 8 for train, _ in fitted), "with replacement"
    assert len({tuple(sorted(train)) for train, _ in fitted}) > 1


def test_an_ensembles_state_goes_on_alike(logger: Any) -> None:
    dataset = make_dataset(10)
    one = make_ensemble_trainer(make_ensemble(), logger)
    one.train(dataset)
    net = copy.deepcopy(one.preference_model.model)
    other = make_ensemble_trainer(net, logger)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for trainer in (one, other):
        trainer.train(dataset)
    th.testing.assert_close(
        parameters(one.preference_model), parameters(net), rtol=0, atol=0
    )


def test_an_ensemble_trainer_needs_an_ensemble(logger: Any) -> None:
    message = r"PreferenceModel of a RewardEnsemble expected by EnsembleTrainer\."
    with pytest.raises(TypeError, match=message):
        make_ensemble_trainer(make_net(), logger)


def test_a_new_logger_reaches_everything(logger: Any, tmp_path: Any) -> None:
    other = imit_logger.configure(tmp_path / "other", [])
    trainer = make_ensemble_trainer(
        make_ensemble(), logger, regularizer_factory=adaptive()
    )
    trainer.logger = other
    for member in trainer.member_trainers:
        assert member.logger is other and member.regularizer.logger is other


def test_every_parameter_gets_a_gradient(logger: Any) -> None:
    net = make_net(use_next_state=True, use_done=True)
    make_trainer(net, logger).train(make_dataset(8))
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_a_trainer_of_one_network_refuses_an_ensemble(logger: Any) -> None:
    trainer = make_trainer(make_ensemble(), logger)
    with pytest.raises(ConfigError, match=r"got a RewardEnsemble; use EnsembleTrainer"):
        trainer.train(make_dataset(4))


class Constant(reward_nets.RewardNet):
    """Nothing to train."""

    def forward(self, state: Any, *others: Any) -> Any:
        return state.sum(dim=1)


def test_a_network_without_parameters(logger: Any) -> None:
    net = Constant(ref.OBS_SPACE, ref.ACT_SPACE)
    with pytest.raises(ConfigError, match="Constant has no parameters to train"):
        make_trainer(net, logger)


def test_divergence_is_said(logger: Any) -> None:
    # A decay of more than the weights, so that they double in size at each step.
    strong = regularizers.WeightDecayRegularizer.create(initial_lambda=1e6)
    trainer = make_trainer(make_net(), logger, regularizer_factory=strong, epochs=100)
    with pytest.raises(DataError, match="loss of the reward network is nan in epoch"):
        trainer.train(make_dataset(4))
