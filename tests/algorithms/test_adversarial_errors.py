"""What users get wrong: one line that says what was expected, what came, what to do."""

import dataclasses
import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from imitation.algorithms.adversarial.discriminator import depends_on_action
from imitation.data import rollout, types
from imitation.errors import ConfigError, DataError
from imitation.rewards import reward_nets
from imitation.util import networks
from reference import tiny_envs
from reference.adversarial_trainers import (
    make_generator,
    make_reward_net,
    make_trainer,
    weights,
)


def transitions(**kwargs: Any) -> Any:
    return rollout.flatten_trajectories(tiny_envs.expert_trajectories(4, **kwargs))


def batches(n: int = 2, size: int = 16, **changes: Any) -> Any:
    flat = transitions()
    keys = ("obs", "acts", "next_obs", "dones")
    rows = [slice(i * size, (i + 1) * size) for i in range(n)]
    made = [{key: getattr(flat, key)[where] for key in keys} for where in rows]
    for batch in made:
        for key, value in changes.items():
            if value is None:
                del batch[key]
            else:
                batch[key] = value
    return made


def with_nan(field: Any) -> Any:
    value = np.array(getattr(transitions(), field))
    value[5] = np.nan
    return dataclasses.replace(transitions(), **{field: value})


def nan_at_the_end() -> Any:
    trajectory = tiny_envs.expert_trajectories(1)[0]
    obs = np.array(trajectory.obs)
    obs[-1] = np.nan
    return [dataclasses.replace(trajectory, obs=obs)] * 4


def minimal() -> types.TransitionsMinimal:
    flat = transitions()
    return types.TransitionsMinimal(flat.obs, flat.acts, flat.infos)


def one_line(error: Any) -> None:
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


WRONG_DEMONSTRATIONS = {
    "too few": (
        lambda: transitions()[:15],
        "Number of transitions in the demonstrations 15 is smaller than batch size 16",
    ),
    "none": (lambda: [], "had no elements"),
    "no next observations": (minimal, "no next observations"),
    "other observations": (
        lambda: transitions(obs_kind="dict"),
        "dictionary observations",
    ),
    "other actions": (lambda: transitions(act_kind="box"), r"acts of shape \(2,\)"),
    "action out of range": (
        lambda: dataclasses.replace(transitions(), acts=transitions().acts + 1),
        "acts from 1 to 2",
    ),
    "NaN": (lambda: with_nan("obs"), "NaN or infinite obs at transition 5"),
    "NaN at the end": (nan_at_the_end, "NaN or infinite .*obs"),
    "not demonstrations": (lambda: 3, "`demonstrations` must be trajectories"),
}


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("name", WRONG_DEMONSTRATIONS)
def test_wrong_demonstrations(
    tmp_path: pathlib.Path, algorithm: Any, name: Any
) -> None:
    demonstrations: Any
    demonstrations, message = WRONG_DEMONSTRATIONS[name]
    with pytest.raises((ValueError, TypeError), match=message) as error:
        make_trainer(tmp_path, algorithm, demonstrations=demonstrations())
    one_line(error)


WRONG_BATCHES = {
    "another size": (lambda: batches(size=15), "Expected batch size 16 != 15"),
    "no next_obs": (
        lambda: batches(next_obs=None),
        r"keys 'obs' and 'acts' and 'next_obs' and 'dones', got one with \['acts'",
    ),
    "no acts": (lambda: batches(acts=None), "keys 'obs' and 'acts'"),
    "longer dones": (
        lambda: batches(dones=np.zeros(17, bool)),
        r"Expected batch size 16 != 17 = len\(batch\['dones'\]\)",
    ),
    "another space": (lambda: batches(obs=np.zeros((16, 4))), "shape"),
    "an iterator that ends": (lambda: iter(batches(2)), "cannot be started again"),
}


@pytest.mark.parametrize("name", WRONG_BATCHES)
def test_wrong_batches(tmp_path: pathlib.Path, name: Any) -> None:
    demonstrations: Any
    demonstrations, message = WRONG_BATCHES[name]
    trainer = make_trainer(tmp_path, demonstrations=demonstrations())
    with pytest.raises(ValueError, match=message) as error:
        trainer.train(64)
        trainer.train(64)
    one_line(error)


WRONG_SETTINGS = {
    "minibatch": (
        {"demo_minibatch_size": 5},
        "Batch size must be a multiple of minibatch size.",
    ),
    "batch": ({"demo_batch_size": 0}, "must be at least 1"),
    "negative minibatch": ({"demo_minibatch_size": -4}, "must be at least 1"),
    "capacity": ({"gen_replay_buffer_capacity": -1}, "gen_replay_buffer_capacity"),
    "no minibatch": ({"demo_minibatch_size": 0}, "must be at least 1"),
    "no capacity": ({"gen_replay_buffer_capacity": 0}, "gen_replay_buffer_capacity"),
    "updates": ({"n_disc_updates_per_round": -1}, "n_disc_updates_per_round"),
    "entropy": ({"gen_entropy_weight": float("nan")}, "gen_entropy_weight"),
    "entropy off-policy": (
        {"gen_entropy_weight": 1.0, "generator": "DQN"},
        "gen_entropy_weight is for on-policy generators, and DQN",
    ),
    "reward form": ({"reward_form": "hinge"}, "reward_form must be one of"),
    "no steps": ({"gen_train_timesteps": -5}, "gen_train_timesteps"),
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_wrong_settings(tmp_path: pathlib.Path, name: Any) -> None:
    settings: Any
    settings, message = WRONG_SETTINGS[name]
    with pytest.raises(ValueError, match=message) as error:
        make_trainer(tmp_path, **settings)
    one_line(error)


def test_another_number_of_environments(tmp_path: pathlib.Path) -> None:
    algo = make_generator("PPO", tiny_envs.make_venv(n_envs=1))
    with pytest.raises(ConfigError, match="1 environments, venv has 2") as error:
        make_trainer(tmp_path, gen_algo=algo)
    one_line(error)


def test_an_algorithm_that_another_trainer_took(tmp_path: pathlib.Path) -> None:
    first = make_trainer(tmp_path)
    second = make_trainer(tmp_path, gen_algo=first.gen_algo)
    with pytest.raises(ConfigError, match="given another environment") as error:
        first.train(64)
    one_line(error)
    second.train(64)


@pytest.mark.parametrize("interval", [0, 1])
def test_nowhere_to_save(tmp_path: pathlib.Path, interval: int) -> None:
    (tmp_path / "file").write_text("mine")
    trainer = make_trainer(tmp_path)
    with pytest.raises(ConfigError, match="pass another checkpoint_dir") as error:
        trainer.train(
            64, checkpoint_dir=tmp_path / "file", checkpoint_interval=interval
        )
    one_line(error)
    assert trainer.progress == 0
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("norm_obs", [True, False])
def test_normalised_observations_are_warned_of(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], norm_obs: bool
) -> None:
    venv = VecMonitor(VecNormalize(tiny_envs.make_venv(), norm_obs=norm_obs))
    make_trainer(tmp_path, venv=venv, formats=("stdout",))
    assert ("normalizes observations by VecN" in capsys.readouterr().out) == norm_obs


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"obs_kind": "dict"}, "observation space"),
        ({"act_kind": "box"}, "action space"),
    ],
)
def test_a_network_for_other_spaces(
    tmp_path: pathlib.Path, other: dict[str, Any], message: str
) -> None:
    net = make_reward_net(tiny_envs.make_venv(**other))
    with pytest.raises(ConfigError, match=f"reward_net is for the {message}") as error:
        make_trainer(tmp_path, reward_net=net)
    one_line(error)


def test_nothing_to_train_the_discriminator_on(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(RuntimeError) as error:
        trainer.train_disc()
    assert str(error.value) == (
        "No generator samples for training. Call `train_gen()` first."
    )
    trainer = make_trainer(tmp_path, demonstrations=None)
    trainer.train_gen()
    with pytest.raises(RuntimeError, match="set_demonstrations"):
        trainer.train_disc()


def test_samples_of_other_sizes(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    (batch,) = batches(1)
    less = {key: value[:15] for key, value in batch.items()}
    with pytest.raises(ValueError, match="n_gen=15 n_expert=16"):
        trainer.train_disc(expert_samples=batch, gen_samples=less)
    with pytest.raises(ValueError, match="n_gen=16 n_expert=15"):
        trainer.train_disc(expert_samples=less, gen_samples=batch)
    with pytest.raises(ValueError, match=r"gen_samples lack \['dones'\]"):
        trainer.train_disc(
            expert_samples=batch,
            gen_samples={k: v for k, v in batch.items() if k != "dones"},
        )


def test_too_few_timesteps(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(AssertionError) as error:
        trainer.train(31)
    assert str(error.value) == (
        "No updates (need at least 32 timesteps, have only total_timesteps=31)!"
    )


@pytest.mark.parametrize("generator", ["PPO", "SAC"])
def test_rewards_that_are_nan(tmp_path: pathlib.Path, generator: str) -> None:
    act_kind = "discrete" if generator == "PPO" else "box"
    trainer = make_trainer(tmp_path, "GAIL", generator, act_kind=act_kind)
    with th.no_grad():
        next(iter(trainer._reward_net.parameters()))[0] = np.nan
    checkpoints = tmp_path / "checkpoints"
    with pytest.raises(ValueError, match=r"NaN|nan") as error:
        trainer.train(96, checkpoint_dir=checkpoints, checkpoint_interval=1)
    one_line(error)
    assert not list(checkpoints.glob("*"))


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("generator", ["PPO", "DQN"])
def test_episodes_of_different_lengths(
    tmp_path: pathlib.Path, algorithm: str, generator: str
) -> None:
    if (algorithm, generator) == ("AIRL", "DQN"):
        generator = "SAC"
    act_kind = "box" if generator == "SAC" else "discrete"
    venv = tiny_envs.make_venv(act_kind=act_kind, horizon=None)
    trainer = make_trainer(tmp_path, algorithm, generator, act_kind=act_kind, venv=venv)
    with pytest.raises(ValueError, match="Episodes of different length detected"):
        trainer.train(128)
    # The horizon is remembered between rounds, whatever is met later.
    trainer = make_trainer(tmp_path, algorithm, generator, act_kind=act_kind)
    trainer.train(64)
    with pytest.raises(ValueError, match="different length"):
        trainer._check_fixed_horizon([tiny_envs.HORIZON + 1])


def test_different_lengths_allowed(tmp_path: pathlib.Path) -> None:
    venv = tiny_envs.make_venv(horizon=None)
    trainer = make_trainer(tmp_path, venv=venv, allow_variable_horizon=True)
    trainer.train(128)
    assert trainer.progress == 4
    assert "different" not in (tmp_path / "progress.csv").read_text()


def test_demonstrations_may_be_set_later(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, demonstrations=None)
    trainer.set_demonstrations(transitions())
    trainer.train(32)
    trainer.set_demonstrations(tiny_envs.expert_trajectories(2))
    trainer.train(32)
    with pytest.raises(DataError):
        trainer.set_demonstrations(transitions()[:3])
    trainer.train(32)  # with those it had


@pytest.mark.parametrize("tensors", [False, True])
def test_batches_as_demonstrations(tmp_path: pathlib.Path, tensors: bool) -> None:
    made = batches(2)
    if tensors:
        made = [{k: th.tensor(np.array(v)) for k, v in b.items()} for b in made]
    seen = []
    trainer = make_trainer(tmp_path, demonstrations=made, n_disc_updates_per_round=5)
    original = trainer._reward_net.preprocess

    def spy(*args: Any) -> Any:
        seen.append(args[0][:16].numpy())
        return original(*args)

    trainer.train_gen()
    trainer._reward_net.preprocess = spy
    for _ in range(5):
        trainer.train_disc()
    for i, obs in enumerate(seen):
        expected = made[i % 2]["obs"]
        np.testing.assert_array_equal(obs, expected.numpy() if tensors else expected)


def state_only() -> Any:
    return [
        dataclasses.replace(t, acts=np.zeros((len(t), 0), np.float32))
        for t in tiny_envs.expert_trajectories(4)
    ]


def state_net(venv: Any, **kwargs: Any) -> reward_nets.BasicRewardNet:
    settings = {"use_action": False, "use_next_state": True} | kwargs
    return reward_nets.BasicRewardNet(
        venv.observation_space, venv.action_space, **settings
    )


@pytest.mark.parametrize("act_kind", ["box", "discrete"])
def test_demonstrations_without_actions(tmp_path: pathlib.Path, act_kind: str) -> None:
    venv = tiny_envs.make_venv(act_kind=act_kind)
    trainer = make_trainer(
        tmp_path, venv=venv, act_kind=act_kind, demonstrations=state_only(),
        reward_net=state_net(venv),
    )  # fmt: skip
    before = weights(trainer)
    trainer.train(64)
    after = weights(trainer)
    assert any(not th.equal(before[key], after[key]) for key in before)
    # The stand-ins for actions make no difference.
    (batch,) = batches(1)
    flat = transitions(act_kind=act_kind)
    expert = batch | {"acts": flat.acts[:16]}
    other = batch | {"acts": flat.acts[16:32]}
    states = trainer._reward_net.predict(*expert.values())
    np.testing.assert_array_equal(states, trainer._reward_net.predict(*other.values()))


@pytest.mark.parametrize("norm", [None, networks.RunningNorm])
@pytest.mark.parametrize("act_kind", ["box", "discrete"])
def test_a_network_that_looks_at_missing_actions(
    tmp_path: pathlib.Path, act_kind: str, norm: Any
) -> None:
    venv = tiny_envs.make_venv(act_kind=act_kind)
    with pytest.raises(ConfigError, match="use_action=False") as error:
        make_trainer(
            tmp_path, venv=venv, act_kind=act_kind, demonstrations=state_only(),
            reward_net=state_net(venv, use_action=True, normalize_input_layer=norm),
        )  # fmt: skip
    one_line(error)


def test_airl_needs_actions(tmp_path: pathlib.Path) -> None:
    venv = tiny_envs.make_venv()
    with pytest.raises(ConfigError, match="AIRL needs the expert's actions") as error:
        make_trainer(
            tmp_path, "AIRL", venv=venv, demonstrations=state_only(),
            reward_net=state_net(venv),
        )  # fmt: skip
    one_line(error)


ACTIONS = {
    "box": gym.spaces.Box(-2, 3, (2,), np.float32),
    "small box": gym.spaces.Box(0.25, 0.5, (1,), np.float32),
    "discrete": gym.spaces.Discrete(2),
    "multi-discrete": gym.spaces.MultiDiscrete([2, 3]),
    "multi-binary": gym.spaces.MultiBinary(3),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_whether_a_network_depends_on_the_action(name: Any) -> None:
    obs = gym.spaces.Box(-1, 1, (3,), np.float32)
    for use_action in (True, False):
        net = reward_nets.BasicRewardNet(obs, ACTIONS[name], use_action=use_action)
        assert depends_on_action(net) is use_action


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_ensembles_are_no_discriminators(
    tmp_path: pathlib.Path, algorithm: str, wrapped: bool
) -> None:
    venv = tiny_envs.make_venv()
    spaces = venv.observation_space, venv.action_space
    members = [reward_nets.BasicRewardNet(*spaces) for _ in range(2)]
    net: Any = reward_nets.RewardEnsemble(*spaces, members)
    if wrapped:
        net = reward_nets.AddSTDRewardWrapper(net, default_alpha=0.0)
    with pytest.raises(ConfigError, match="one discriminator, which a Rew") as error:
        make_trainer(tmp_path, algorithm, venv=venv, reward_net=net)
    one_line(error)
