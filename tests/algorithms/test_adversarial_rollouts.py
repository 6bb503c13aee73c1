"""On-policy generators: rewards computed once per rollout are those of each step."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.training.learned_rewards import RewardedAlgorithm
from reference import adversarial as slow
from reference import tiny_envs
from reference.adversarial_trainers import (
    ON_POLICY,
    make_generator,
    make_reward_net,
    make_trainer,
)

FIELDS = ("rewards", "advantages", "returns", "values", "log_probs", "episode_starts")
CASES = [
    ("PPO", "box", "discrete"),
    ("PPO", "box", "box"),
    ("PPO", "dict", "box"),
    ("PPO", "image", "discrete"),
    ("A2C", "box", "box"),
    ("A2C", "dict", "discrete"),
    ("TRPO", "box", "discrete"),
    ("MaskablePPO", "box", "discrete"),
    ("RecurrentPPO", "box", "discrete"),
    ("RecurrentPPO", "box", "box"),
    ("RecurrentPPO", "image", "discrete"),
]


def keep_rollouts(algo: Any) -> Any:
    kept = []
    train = algo.train

    def keep_and_train() -> None:
        buffer = algo.rollout_buffer
        kept.append({name: getattr(buffer, name).copy() for name in FIELDS})
        train()

    algo.train = keep_and_train
    return kept


def made(generator: Any, obs_kind: Any, act_kind: Any, wrap: Any) -> Any:
    th.manual_seed(0)
    np.random.seed(0)
    venv = tiny_envs.make_venv(obs_kind, act_kind)
    algo = make_generator(generator, venv, obs_kind)
    th.manual_seed(1)
    net = make_reward_net(venv, obs_kind)
    th.manual_seed(2)
    np.random.seed(2)
    venv.seed(3)
    return wrap(algo, venv, net)


def plainly(algo: Any, venv: Any, net: Any) -> Any:
    algo.set_env(RewardVecEnvWrapper(venv, net.predict_processed))
    kept = keep_rollouts(algo)
    algo.learn(96)
    return algo, kept


def at_once(algo: Any, venv: Any, net: Any) -> Any:
    rewarded = RewardedAlgorithm(algo, venv, net)
    kept = keep_rollouts(algo)
    for _ in range(3):
        rewarded.learn(32)
    return algo, kept


@pytest.mark.parametrize(("generator", "obs_kind", "act_kind"), CASES)
def test_like_rewards_of_each_step(
    generator: Any, obs_kind: Any, act_kind: Any
) -> None:
    algo, expected = made(generator, obs_kind, act_kind, plainly)
    other, found = made(generator, obs_kind, act_kind, at_once)
    assert len(expected) == len(found) == 3
    for one, two in zip(expected, found, strict=True):
        assert np.abs(one["rewards"]).max() > 0.01
        for name in FIELDS:
            np.testing.assert_allclose(
                one[name], two[name], rtol=1e-5, atol=1e-5, err_msg=name
            )
    for one, two in zip(
        algo.policy.parameters(), other.policy.parameters(), strict=True
    ):
        th.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("generator", ["PPO", "RecurrentPPO"])
def test_advantages_against_the_paper(generator: str) -> None:
    """Time limits included: each episode here ends by one, after 8 steps."""
    venv = tiny_envs.make_venv()
    algo = make_generator(generator, venv, gae_lambda=0.9, gamma=0.8)
    net = make_reward_net(venv)
    rewarded = RewardedAlgorithm(algo, venv, net)
    kept = keep_rollouts(algo)
    values_after: dict[Any, Any] = {}
    predict_values = algo.policy.predict_values

    def remember(obs: Any, *args: Any) -> Any:
        values = predict_values(obs, *args)
        values_after.setdefault("all", []).append(values.detach().numpy().copy())
        return values

    algo.policy.predict_values = remember
    (steps,) = rewarded.learn(32)
    *of_ends, of_last = values_after["all"]
    ends = np.argwhere(steps.dones)
    assert len(of_ends) == len(ends) == 4
    time_limit_values = np.zeros(steps.dones.shape)
    for (t, env), value in zip(ends, of_ends, strict=True):
        time_limit_values[t, env] = value.item()
    rewards = net.predict(**steps.as_arguments()).reshape(steps.dones.shape)
    expected = slow.advantages(
        rewards, kept[0]["values"], of_last.ravel(), steps.dones, time_limit_values,
        0.8, 0.9,
    )  # fmt: skip
    np.testing.assert_allclose(kept[0]["advantages"], expected, rtol=1e-4, atol=1e-5)


def test_entropy_is_rewarded() -> None:
    def with_entropy(algo: Any, venv: Any, net: Any) -> Any:
        rewarded = RewardedAlgorithm(algo, venv, net, entropy_weight=0.7)
        kept = keep_rollouts(algo)
        rewarded.learn(32)
        return algo, kept

    _, (without, *_) = made("PPO", "box", "box", at_once)
    _, (found,) = made("PPO", "box", "box", with_entropy)
    expected = without["rewards"] - 0.7 * without["log_probs"]
    np.testing.assert_allclose(found["rewards"], expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found["advantages"] - without["advantages"]).max() > 0.1


@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_one_environment_like_several_with_the_same_data(
    tmp_path: pathlib.Path, algorithm: str
) -> None:
    """The same transitions, one environment's after the other's or side by side."""
    rng = np.random.default_rng(0)
    obs, next_obs = rng.uniform(-1, 1, (2, 24, 3)).astype(np.float32)
    acts = rng.integers(2, size=24)
    dones = np.arange(24) % 8 == 7
    data = {"obs": obs, "acts": acts, "next_obs": next_obs, "dones": dones}
    results = []
    for n_envs in (1, 3):
        venv = tiny_envs.make_venv(n_envs=n_envs)
        trainer = make_trainer(
            tmp_path / str(n_envs), algorithm, venv=venv, gen_train_timesteps=48,
        )  # fmt: skip
        order = np.arange(24).reshape(n_envs, -1).T.ravel()  # time first
        mine = {key: value[order] for key, value in data.items()}
        rewards = np.zeros(24)
        rewards[order] = trainer.reward_train.predict_processed(*mine.values())
        trainer._gen_samples.store(mine)
        arrays = trainer._gen_samples.state_dict()["arrays"]
        kept = {key.rstrip("/"): value for key, value in arrays.items()}
        back = {key: np.empty_like(value) for key, value in kept.items()}
        for key, value in kept.items():
            back[key][order] = value
        stats = trainer.train_disc(
            expert_samples={k: v[:16] for k, v in data.items()},
            gen_samples={k: v[8:] for k, v in back.items()},
        )
        results.append((rewards, back, stats))
    (rewards, data_1, stats), (rewards_3, data_3, stats_3) = results
    np.testing.assert_allclose(rewards, rewards_3, atol=1e-6)
    for key, value in data_1.items():
        np.testing.assert_array_equal(value, data_3[key])
    for key, value in stats.items():
        assert value == pytest.approx(stats_3[key], abs=1e-6), key


@pytest.mark.parametrize("obs_kind", ["box", "dict"])
def test_recorded_transitions_do_not_depend_on_how_many_run_side_by_side(
    obs_kind: str,
) -> None:
    """Each environment alone gives the same rewards as among others."""
    net = make_reward_net(tiny_envs.make_venv(obs_kind), obs_kind)
    policy = make_generator("PPO", tiny_envs.make_venv(obs_kind), obs_kind).policy

    def played(seeds: Any) -> Any:
        venv = tiny_envs.make_venv(obs_kind, n_envs=len(seeds))
        algo = make_generator("A2C", venv, obs_kind)
        rewarded = RewardedAlgorithm(algo, venv, net)
        for seed, env in zip(seeds, venv.envs, strict=True):
            env.reset(seed=seed)
        venv._seeds = list(seeds)
        obs = rewarded.venv.reset()
        for _ in range(24):
            acts, _ = policy.predict(obs, deterministic=True)
            obs, *_ = rewarded.venv.step(acts)
        steps = rewarded.recorder.pop()
        return rewarded.rate(steps), steps

    together, steps = played([5, 6, 7])
    for i, seed in enumerate([5, 6, 7]):
        alone, own = played([seed])
        np.testing.assert_allclose(together[:, i], alone[:, 0], atol=1e-6)
        np.testing.assert_array_equal(steps.acts[:, i], own.acts[:, 0])


@pytest.mark.parametrize("generator", ON_POLICY)
def test_rewards_are_computed_once_per_rollout(generator: Any) -> None:
    venv = tiny_envs.make_venv()
    algo = make_generator(generator, venv)
    rewarded: Any = RewardedAlgorithm(algo, venv, make_reward_net(venv))
    sizes = []
    reward_fn = rewarded.venv.reward_fn

    def counting(state: Any, action: Any, next_state: Any, done: Any) -> Any:
        sizes.append(len(done))
        return reward_fn(state, action, next_state, done)

    rewarded.venv.reward_fn = counting
    rewarded.learn(96)
    assert sizes == [32, 32, 32]
    assert len(rewarded.venv.episode_rewards) == 12


def test_a_callback_that_stops_leaves_whole_steps() -> None:
    venv = tiny_envs.make_venv()
    rewarded: Any = RewardedAlgorithm(
        make_generator("PPO", venv), venv, make_reward_net(venv)
    )
    n_calls = []

    def stop(_locals: Any, _globals: Any) -> bool:
        n_calls.append(1)
        return len(n_calls) < 5

    (steps,) = rewarded.learn(32, stop)
    assert steps.dones.shape == (5, 2)
    collected = rewarded.learn(32, [lambda *_: True])
    assert [s.dones.shape for s in collected] == [(16, 2)]


def test_steps_of_others_are_no_part_of_a_rollout() -> None:
    venv = tiny_envs.make_venv()
    rewarded = RewardedAlgorithm(
        make_generator("PPO", venv), venv, make_reward_net(venv)
    )
    rewarded.venv.reset()
    for _ in range(3):
        rewarded.venv.step(np.zeros(2, int))
    (steps,) = rewarded.learn(32)
    assert steps.dones.shape == (16, 2)
    for _ in range(3):
        rewarded.venv.step(np.zeros(2, int))
    (steps,) = rewarded.learn(32)
    assert steps.dones.shape == (16, 2)


def test_ground_truth_is_left_alone(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path, debug_use_ground_truth=True)
    kept = keep_rollouts(trainer.gen_algo)
    trainer.train_gen()
    rewards = kept[0]["rewards"]
    bootstrapped = rewards != np.rint(rewards)
    assert bootstrapped.sum() == 4  # at time limits, by Stable-Baselines3
    assert set(rewards[~bootstrapped].tolist()) == {0.0, 1.0}
    assert not isinstance(trainer.venv_train, RewardVecEnvWrapper)
    trainer.train_disc()
