"""Off-policy generators learn from the rewards of the current discriminator."""

import pathlib
from typing import Any

import numpy as np
import pytest
import sb3_contrib
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.buffers import ReplayBuffer

from imitation.rewards import reward_nets
from imitation.training.learned_rewards import retrain_policy
from imitation.training.sb3_learning import default_train_timesteps
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import (
    OFF_POLICY_SETTINGS,
    make_generator,
    make_reward_net,
    make_trainer,
    weights,
)

CASES = [
    ("SAC", "box", "box"),
    ("SAC", "dict", "box"),
    ("SAC", "image", "box"),
    ("TD3", "box", "box"),
    ("TD3", "dict", "box"),
    ("DQN", "box", "discrete"),
    ("DQN", "dict", "discrete"),
    ("DQN", "image", "discrete"),
]


def small(generator: Any, obs_kind: Any) -> Any:
    return {"buffer_size": 60} if obs_kind == "image" else {}


@pytest.mark.parametrize(("generator", "obs_kind", "act_kind"), CASES)
def test_trains_both(
    tmp_path: pathlib.Path, generator: Any, obs_kind: Any, act_kind: Any
) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", generator, obs_kind, act_kind,
        generator_settings=small(generator, obs_kind),
    )  # fmt: skip
    before = weights(trainer)
    trainer.train(48)
    after = weights(trainer)
    for part in ("gen", "disc"):
        assert any(
            not th.equal(value, after[key])
            for key, value in before.items()
            if key.startswith(part)
        )


@pytest.mark.parametrize("cls", [sb3_contrib.TQC, sb3_contrib.QRDQN, sb3.DDPG])
def test_further_algorithms(tmp_path: pathlib.Path, cls: Any) -> None:
    act_kind = "discrete" if cls is sb3_contrib.QRDQN else "box"
    venv = tiny_envs.make_venv(act_kind=act_kind)
    algo = cls(
        "MlpPolicy", venv, seed=0, device="cpu", policy_kwargs={"net_arch": [8]},
        **OFF_POLICY_SETTINGS,
    )  # fmt: skip
    trainer = make_trainer(tmp_path, venv=venv, act_kind=act_kind, gen_algo=algo)
    before = weights(trainer)
    trainer.train(48)
    assert any(not th.equal(before[k], v) for k, v in weights(trainer).items())


@pytest.mark.parametrize("reward_form", ["softplus", "airl", "fairl"])
@pytest.mark.parametrize(("generator", "obs_kind", "act_kind"), CASES)
def test_sampled_rewards_are_the_current_ones(
    tmp_path: pathlib.Path,
    generator: Any,
    obs_kind: Any,
    act_kind: Any,
    reward_form: str,
) -> None:
    """In the form that the generator learns from (S12), by the newest weights."""
    trainer = make_trainer(
        tmp_path, "GAIL", generator, obs_kind, act_kind, reward_form=reward_form,
        generator_settings=small(generator, obs_kind),
    )  # fmt: skip
    trainer.train(32)
    with th.no_grad():
        for parameter in trainer._reward_net.parameters():
            parameter.add_(0.05 * th.randn_like(parameter))
    seen = []
    original = trainer.reward_train.predict_th

    def spy(*args: Any) -> Any:
        seen.append(args)
        return original(*args)

    trainer.reward_train.predict_th = spy
    samples = trainer.gen_algo.replay_buffer.sample(50)
    del trainer.reward_train.predict_th
    ((obs, acts, next_obs, dones),) = seen
    expected = trainer.reward_train.predict(obs, acts, next_obs, dones)
    np.testing.assert_allclose(samples.rewards.ravel().numpy(), expected, rtol=1e-6)
    # What was rated is what the environment saw (#668), image layout included.
    space = trainer.venv.action_space
    assert all(space.contains(act) for act in np.array(acts))
    recorded = trainer._gen_samples
    assert recorded.size() > 0
    if act_kind == "box":
        acts = np.array(acts)
        assert acts.min() < -1 or acts.max() > 1  # not scaled to [-1, 1]
        scaled = 2 * (acts - space.low) / (space.high - space.low) - 1
        np.testing.assert_allclose(samples.actions.numpy(), scaled, atol=1e-5)
    flat = obs if isinstance(obs, dict) else {"": obs}
    shapes = (
        {key: part.shape for key, part in trainer.venv.observation_space.items()}
        if obs_kind == "dict"
        else {"": trainer.venv.observation_space.shape}
    )
    for key, part in flat.items():
        assert tuple(part.shape[1:]) == shapes[key]


def test_the_discriminator_sees_what_the_environment_did(
    tmp_path: pathlib.Path,
) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", "SAC", act_kind="box", gen_replay_buffer_capacity=200
    )
    trainer.train_gen(100)
    acts = trainer._gen_samples.sample(100)["acts"]
    space = trainer.venv.action_space
    assert all(space.contains(act) for act in acts)
    assert acts[:, 1].max() > 1.5  # of [0.5, 3]


@pytest.mark.parametrize("generator", ["SAC", "PPO"])
def test_normalised_rewards_count_each_transition_once(
    tmp_path: pathlib.Path, generator: str
) -> None:
    act_kind = "box" if generator == "SAC" else "discrete"
    venv = tiny_envs.make_venv(act_kind=act_kind)
    net: Any = reward_nets.NormalizedRewardNet(
        make_reward_net(venv), networks.RunningNorm
    )
    trainer = make_trainer(
        tmp_path, "GAIL", generator, venv=venv, act_kind=act_kind, reward_net=net
    )
    trainer.train(96)
    assert net.normalize_output_layer.count.item() == 96


def test_rewards_are_computed_once_a_batch(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", "DQN", gen_train_timesteps=40, n_disc_updates_per_round=3
    )
    sizes = []
    trainer._reward_net.register_forward_hook(
        lambda _module, _args, output: sizes.append(len(output))
    )
    trainer.train(40)
    n_updates = trainer.gen_algo._n_updates
    assert n_updates > 0
    # Batches of the generator, the round's transitions once for the log, the updates.
    assert sizes == [16] * n_updates + [40] + [32] * 3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"train_freq": 1}, 2),
        ({"train_freq": 6}, 12),
        ({"train_freq": (6, "step")}, 12),
    ],
)
def test_default_round_of_off_policy_generators(
    tmp_path: pathlib.Path, settings: dict[str, Any], expected: int
) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", "SAC", act_kind="box", generator_settings=settings
    )
    assert trainer.gen_train_timesteps == expected


def test_default_rounds() -> None:
    venv = tiny_envs.make_venv()
    assert default_train_timesteps(make_generator("PPO", venv)) == 32
    one = tiny_envs.make_venv(n_envs=1)
    episodes = make_generator("DQN", one, train_freq=(1, "episode"))
    assert default_train_timesteps(episodes) == 1


def test_whole_episodes(tmp_path: pathlib.Path) -> None:
    venv = tiny_envs.make_venv(n_envs=1)
    algo = make_generator("DQN", venv, train_freq=(1, "episode"))
    trainer = make_trainer(tmp_path, venv=venv, gen_algo=algo)
    trainer.train(5)
    assert trainer.gen_algo.num_timesteps == 5 * tiny_envs.HORIZON
    assert trainer.gen_algo._current_progress_remaining == 0


@pytest.mark.parametrize("used", [False, True])
def test_ground_truth_is_left_alone(tmp_path: pathlib.Path, used: bool) -> None:
    algo = {}
    if used:  # by a trainer whose rewards it learned from
        before = make_trainer(tmp_path, "GAIL", "DQN")
        before.train(48)
        algo = {"gen_algo": before.gen_algo}
    trainer = make_trainer(tmp_path, "GAIL", "DQN", debug_use_ground_truth=True, **algo)
    trainer.train(48)
    rewards = trainer.gen_algo.replay_buffer.sample(30).rewards
    assert set(rewards.ravel().tolist()) <= {0.0, 1.0}


def test_retraining_leaves_the_rewards_of_the_environment(
    tmp_path: pathlib.Path,
) -> None:
    trainer = make_trainer(tmp_path, "GAIL", "DQN")
    algo = make_generator("DQN", tiny_envs.make_venv())
    retrain_policy(trainer.reward_test, algo, 48)
    assert type(algo.replay_buffer) is ReplayBuffer
    rewards = algo.replay_buffer.sample(30).rewards.ravel().tolist()
    assert set(rewards) == {0.0, 1.0}
    algo.learn(16, reset_num_timesteps=False)
