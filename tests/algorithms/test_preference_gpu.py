"""Preference comparisons on a GPU."""

import copy
import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.algorithms import preference_comparisons as prefs
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from reference import preferences as ref
from reference import tiny_envs
from reference.adversarial_trainers import make_generator

pytestmark = pytest.mark.gpu

RNG = np.random.default_rng(0)


def train(net: Any, directory: pathlib.Path, dataset: Any) -> Any:
    model = prefs.PreferenceModel(net)
    is_ensemble = model.ensemble_model is not None
    trainer_class = prefs.EnsembleTrainer if is_ensemble else prefs.BasicRewardTrainer
    trainer_class(
        model,
        prefs.CrossEntropyRewardLoss(),
        np.random.default_rng(0),
        batch_size=4,
        epochs=3,
        custom_logger=imit_logger.configure(directory, []),
    ).train(dataset)
    return model


@pytest.mark.parametrize("kind", ref.SPACES)
@pytest.mark.parametrize("ensemble", [False, True])
def test_trains_as_on_the_cpu(
    tmp_path: pathlib.Path, kind: str, ensemble: bool
) -> None:
    spaces: Any = ref.SPACES[kind], ref.ACT_SPACE

    def make() -> Any:
        if kind == "images":
            return reward_nets.CnnRewardNet(*spaces, hid_channels=(4,))
        return reward_nets.BasicRewardNet(*spaces, activation=th.nn.Tanh)

    net = make()
    if ensemble:
        net = reward_nets.RewardEnsemble(spaces[0], spaces[1], [net, make()])
    on_gpu = copy.deepcopy(net).to("cuda")
    dataset = prefs.PreferenceDataset()
    pairs = ref.pairs(RNG, 13, space=ref.SPACES[kind])
    dataset.push(pairs, RNG.integers(2, size=13).astype(np.float32))
    probs, true_probs = train(net, tmp_path, dataset)(pairs)
    gpu_probs, gpu_true_probs = train(on_gpu, tmp_path, dataset)(pairs)
    assert gpu_probs.device.type == gpu_true_probs.device.type == "cuda"
    th.testing.assert_close(gpu_probs.cpu(), probs, rtol=1e-3, atol=1e-3)
    th.testing.assert_close(gpu_true_probs.cpu(), true_probs)


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_a_whole_training(tmp_path: pathlib.Path, name: str) -> None:
    venv = tiny_envs.make_venv()
    spaces = venv.observation_space, venv.action_space
    net = reward_nets.BasicRewardNet(*spaces).to("cuda")
    rng = np.random.default_rng(0)
    agent = make_generator(name, venv)
    trainer = prefs.PreferenceComparisons(
        prefs.AgentTrainer(agent, net, venv, rng),
        net,
        num_iterations=2,
        fragment_length=4,
        initial_epoch_multiplier=2,
        rng=rng,
        custom_logger=imit_logger.configure(tmp_path, []),
    )
    trainer.train(96, 9, checkpoint_dir=tmp_path / "run", checkpoint_interval=1)
    assert len(trainer.dataset) == 9
    trainer.train(96, 9, checkpoint_dir=tmp_path / "run", resume=True)
