"""IQ-Learn: its objective, both learners, offline training, the recovered reward."""

import csv
import pathlib
from collections.abc import Callable
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.iq_learn import (
    IQSAC,
    ActorCriticReward,
    IQLearn,
    IQSoftQ,
    SoftQReward,
    inverse_bellman,
    iq_terms,
    recover_reward,
)
from imitation.algorithms.soft_q import SoftQ, soft_value
from imitation.data import rollout, types
from imitation.errors import ArtifactError, ConfigError
from imitation.rewards.serialize import load_reward, save_reward_net
from imitation.testing.checks import check_algorithm
from imitation.util import logger as imit_logger
from reference import soft_q as reference
from reference import tiny_envs

POLICIES = {"box": "MlpPolicy", "dict": "MultiInputPolicy", "image": "CnnPolicy"}
RL_KWARGS = {"learning_starts": 8, "batch_size": 8, "buffer_size": 300, "device": "cpu"}
KINDS = [
    ("box", "discrete"),
    ("dict", "discrete"),
    ("image", "discrete"),
    ("box", "box"),
    ("dict", "box"),
]


def make(
    tmp_path: pathlib.Path,
    obs_kind: str = "box",
    act_kind: Any = "discrete",
    n: Any = 4,
    seed: int = 0,
    **rl_kwargs: Any,
) -> IQLearn:
    return IQLearn(
        venv=tiny_envs.make_venv(obs_kind, act_kind),
        demonstrations=tiny_envs.expert_trajectories(n, obs_kind, act_kind),
        policy=POLICIES[obs_kind],
        custom_logger=imit_logger.configure(tmp_path / "log", ["csv"]),
        rl_kwargs={**RL_KWARGS, "seed": seed, **rl_kwargs},
    )


# --- the objective


def test_objective_is_the_slow_one() -> None:
    n, temperature, discount, alpha = 9, 0.4, 0.9, 0.7
    q_values, next_q = th.randn(n, 3), th.randn(n, 3)
    actions, dones = th.randint(3, (n, 1)), (th.arange(n) % 4 == 0).reshape(-1, 1)
    from_expert = (th.arange(n) % 2 == 1).reshape(-1, 1)
    terms = iq_terms(
        q_values.gather(1, actions),
        soft_value(q_values, temperature),
        soft_value(next_q, temperature),
        dones.float(),
        from_expert,
        discount,
        alpha,
    )
    columns = (q_values, actions[:, 0], dones[:, 0], next_q, from_expert[:, 0])
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    expected = reference.iq_objective(rows, temperature, discount, alpha)
    assert -terms.loss.item() == pytest.approx(expected, rel=1e-5)


def test_inverse_bellman_undoes_soft_value_iteration() -> None:
    """From the soft Q of a task, the rewards that it was solved for."""
    rewards = ((1.0, 0.0), (0.5, 2.0))
    successors = ((0, 1), (0, None))
    solved = th.tensor(reference.solve_soft_mdp(rewards, successors, 0.8, 0.5))
    values = soft_value(solved, 0.5)[:, 0]
    for state, row in enumerate(successors):
        for action, after in enumerate(row):
            found = inverse_bellman(
                solved[state, action].reshape(1, 1),
                th.zeros(1, 1) if after is None else values[after].reshape(1, 1),
                th.full((1, 1), float(after is None)),
                0.8,
            )
            assert found.item() == pytest.approx(rewards[state][action], abs=1e-5)


def test_the_best_reward_of_the_objective_is_known() -> None:
    """One state, episodes of one step: r = 2α (ρ_E − π) / (ρ_E + ρ) in tables.

    With V(s') = 0, and half of the rows the expert's, the derivative by Q(a) of
    2α-scaled terms vanishes there: ρ_E(a) − π(a) = (ρ_E(a) + ρ(a)) r(a) / 4α.
    """
    alpha, temperature = 0.5, 1.0
    q_values = th.zeros(1, 2, requires_grad=True)
    expert = th.tensor([True] * 10 + [False] * 10).reshape(-1, 1)
    actions = th.tensor([0] * 10 + [0, 1] * 5).reshape(-1, 1)
    optimizer = th.optim.Adam([q_values], lr=0.1)
    for _ in range(250):
        rows = q_values.expand(20, 2)
        values, none = soft_value(rows, temperature), th.zeros(20, 1)
        terms = iq_terms(
            rows.gather(1, actions), values, none, th.ones(20, 1), expert, 0.9, alpha
        )
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
    policy = q_values.detach().softmax(dim=1)[0]
    rho_expert, rho_own = th.tensor([1.0, 0.0]), th.tensor([0.5, 0.5])
    expected = 4 * alpha * (rho_expert - policy) / (rho_expert + rho_own)
    th.testing.assert_close(q_values.detach()[0], expected, rtol=0, atol=1e-2)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
@pytest.mark.parametrize("act_kind", ["discrete", "box"])
def test_chi2_alpha_must_be_positive(
    tmp_path: pathlib.Path, value: Any, act_kind: str
) -> None:
    with pytest.raises(ConfigError, match="chi2_alpha must be a positive number, got"):
        make(tmp_path, act_kind=act_kind, chi2_alpha=value)


@pytest.mark.parametrize("value", [0, -0.1, float("nan")])
def test_actor_lr_scale_must_be_positive(tmp_path: pathlib.Path, value: Any) -> None:
    with pytest.raises(ConfigError, match="actor_lr_scale must be positive, got"):
        make(tmp_path, act_kind="box", actor_lr_scale=value)


# --- the learners


def test_the_actor_is_slower_than_the_critics_in_the_environment_only(
    tmp_path: pathlib.Path,
) -> None:
    trainer = make(tmp_path, act_kind="box", learning_rate=0.1, learning_starts=2)
    algo: Any = trainer.rl_algo

    def rates() -> Any:
        optimizers: Any = (algo.actor.optimizer, algo.critic.optimizer)
        return [optimizer.param_groups[0]["lr"] for optimizer in optimizers]

    trainer.train_offline(n_updates=2)
    assert rates() == [0.1, 0.1]
    trainer.train(total_timesteps=8)
    assert rates() == pytest.approx([0.03, 0.1])


@pytest.mark.parametrize(("obs_kind", "act_kind"), KINDS)
def test_gradients_reach_every_trainable_tensor(
    tmp_path: pathlib.Path, obs_kind: Any, act_kind: Any
) -> None:
    trainer = make(tmp_path, obs_kind, act_kind)
    algo: Any = trainer.rl_algo
    trainer.train(total_timesteps=12)
    batch = trainer.replay_buffer.sample(64)
    if act_kind == "discrete":
        algo.policy.zero_grad()
        algo.loss(batch).backward()
        trained, targets = algo.q_net, algo.q_net_target
    else:
        actions, log_probs = algo._actions(batch.observations)
        algo.critic.zero_grad()
        algo.actor.zero_grad()
        terms = algo.critic_terms(batch, actions.detach(), log_probs)
        sum(each.loss for each in terms).backward()
        # The critic's loss is for the critic alone.
        own = [p for p in algo.actor.parameters() if p.requires_grad]
        assert all(p.grad is None or not p.grad.any() for p in own)
        trained, targets = algo.critic, algo.critic_target
    for name, parameter in trained.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert all(p.grad is None for p in targets.parameters())


@pytest.mark.parametrize("act_kind", ["discrete", "box"])
def test_every_trainable_tensor_is_moved(tmp_path: pathlib.Path, act_kind: str) -> None:
    trainer = make(tmp_path, act_kind=act_kind)
    before = {k: v.clone() for k, v in trainer.policy.state_dict().items()}
    trainer.train(total_timesteps=40)
    for key, value in trainer.policy.state_dict().items():
        assert not th.equal(before[key], value), key


def test_critic_terms_are_the_objective(tmp_path: pathlib.Path) -> None:
    """With the actor's own draws repeated, term by term."""
    trainer = make(tmp_path, act_kind="box", gamma=0.8, chi2_alpha=0.3, ent_coef=0.2)
    trainer.train(total_timesteps=20)
    algo: Any
    algo, batch = trainer.rl_algo, trainer.replay_buffer.sample(10)
    with th.no_grad():
        th.manual_seed(0)
        acts, log_probs = algo.actor.action_log_prob(batch.observations)
        found = algo.critic_terms(batch, acts, log_probs.reshape(-1, 1))
        th.manual_seed(0)
        algo.actor.action_log_prob(batch.observations)
        after, after_log_probs = algo.actor.action_log_prob(batch.next_observations)
        targets = algo.critic_target(batch.next_observations, after)
        next_values = th.cat(targets, 1).min(1).values - 0.2 * after_log_probs
        going_on = 0.8 * (1 - batch.dones[:, 0])
        expert = batch.rewards[:, 0] == 1
        for number in range(2):
            taken = algo.critic(batch.observations, batch.actions)[number][:, 0]
            chosen = algo.critic(batch.observations, acts)[number][:, 0]
            rewards = taken - going_on * next_values
            steps = chosen - 0.2 * log_probs - going_on * next_values
            expected = steps.mean() + (rewards**2).mean() / 1.2 - rewards[expert].mean()
            th.testing.assert_close(found[number].loss, expected)


@pytest.mark.parametrize(
    "settings", [{"ent_coef": "auto"}, {"use_sde": True}, {"gradient_steps": 3}]
)
def test_options_of_sac(tmp_path: pathlib.Path, settings: dict[str, Any]) -> None:
    trainer: Any = make(tmp_path, act_kind="box", **settings)
    before = trainer.rl_algo.temperature
    trainer.train(total_timesteps=24)
    moved = trainer.rl_algo.temperature != before
    assert moved is (settings.get("ent_coef") == "auto")


def test_the_learner_follows_the_action_space(tmp_path: pathlib.Path) -> None:
    assert type(make(tmp_path).rl_algo) is IQSoftQ
    assert type(make(tmp_path, act_kind="box").rl_algo) is IQSAC
    with pytest.raises(ConfigError, match="must be IQSoftQ, IQSAC or a subclass, got"):
        IQLearn(
            venv=tiny_envs.make_venv(),
            demonstrations=None,
            policy="MlpPolicy",
            rl_algo_class=SoftQ,
        )


@pytest.mark.parametrize(
    ("act_kind", "message"), [("discrete", "IQSoftQ does not"), ("box", "IQSAC does")]
)
def test_unfit_arguments_of_the_algorithm(
    tmp_path: pathlib.Path, act_kind: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"{message}.* 'no_such'$"):
        make(tmp_path, act_kind=act_kind, no_such=1)


def test_own_replay_buffers_are_refused() -> None:
    with pytest.raises(ConfigError, match="IQ-Learn uses a custom replay buffer"):
        IQLearn(
            venv=tiny_envs.make_venv(),
            demonstrations=None,
            policy="MlpPolicy",
            rl_kwargs={"replay_buffer_class": None},
        )


def test_terms_are_logged(tmp_path: pathlib.Path) -> None:
    for act_kind in ("discrete", "box"):
        trainer = make(tmp_path / act_kind, act_kind=act_kind)
        trainer.train(total_timesteps=64, log_interval=2)
        trainer.logger.close()
        with open(tmp_path / act_kind / "log" / "progress.csv") as file:
            last = list(csv.DictReader(file))[-1]
        logged = {
            name: float(last[f"train/{name}"])
            for name in ("loss", "expert_reward", "initial_value", "chi2_penalty")
        }
        loss = logged["initial_value"] + logged["chi2_penalty"]
        assert logged["loss"] == pytest.approx(loss - logged["expert_reward"], abs=1e-4)


def test_models_are_saved_by_stable_baselines(tmp_path: pathlib.Path) -> None:
    for act_kind, cls in (("discrete", IQSoftQ), ("box", IQSAC)):
        trainer = make(tmp_path, act_kind=act_kind, chi2_alpha=0.25)
        trainer.rl_algo.save(tmp_path / "model.zip")
        loaded = cls.load(tmp_path / "model.zip", device="cpu")
        assert loaded.chi2_alpha == 0.25
        for key, value in trainer.policy.state_dict().items():
            assert th.equal(loaded.policy.state_dict()[key], value)


# --- training


def weights(trainer: Any) -> Any:
    return {key: value.clone() for key, value in trainer.policy.state_dict().items()}


def assert_same(one: Any, other: Any) -> None:
    for key, value in one.items():
        assert th.equal(value, other[key]), key


class KilledError(Exception):
    pass


@pytest.mark.parametrize("act_kind", ["discrete", "box"])
def test_resumed_online_is_bit_identical(tmp_path: pathlib.Path, act_kind: str) -> None:
    def new(seed: Any) -> Any:
        return (
            make(tmp_path, act_kind=act_kind, seed=seed, ent_coef="auto")
            if (act_kind == "box")
            else make(tmp_path, act_kind=act_kind, seed=seed)
        )

    options = {"total_timesteps": 48, "checkpoint_interval": 24}
    whole = new(0)
    whole.train(checkpoint_dir=tmp_path / "whole", **options)

    def kill(local: Any, _: Any) -> bool:
        if local["self"].num_timesteps > 30:
            raise KilledError
        return True

    with pytest.raises(KilledError):
        new(0).train(checkpoint_dir=tmp_path / "killed", callback=kill, **options)
    resumed = new(5)
    np.random.seed(99)
    resumed.train(checkpoint_dir=tmp_path / "killed", resume=True, **options)
    assert_same(weights(whole), weights(resumed))


@pytest.mark.parametrize("act_kind", ["discrete", "box"])
def test_resumed_offline_is_bit_identical(
    tmp_path: pathlib.Path, act_kind: str
) -> None:
    rate: dict[str, Any] = {"learning_rate": lambda left: 1e-2 * left}
    options: dict[str, Any] = {
        "n_updates": 20,
        "log_interval": 4,
        "checkpoint_interval": 10,
    }
    whole = make(tmp_path, act_kind=act_kind, **rate)
    whole.train_offline(checkpoint_dir=tmp_path / "whole", **options)
    killed: Any = make(tmp_path, act_kind=act_kind, **rate)
    calls: list[Any]
    train, calls = killed.rl_algo.train, []

    def limited(*args: Any, **kwargs: Any) -> None:
        if sum(calls) >= 14:
            raise KilledError
        calls.append(args[0])
        train(*args, **kwargs)

    killed.rl_algo.train = limited
    with pytest.raises(KilledError):
        killed.train_offline(checkpoint_dir=tmp_path / "killed", **options)
    resumed = make(tmp_path, act_kind=act_kind, seed=7, **rate)
    np.random.seed(99)
    resumed.train_offline(checkpoint_dir=tmp_path / "killed", resume=True, **options)
    assert resumed.rl_algo._n_updates == 20
    assert_same(weights(whole), weights(resumed))


@pytest.mark.parametrize("act_kind", ["discrete", "box"])
def test_the_trainers_contract(tmp_path: pathlib.Path, act_kind: str) -> None:
    def train(trainer: Any) -> None:
        np.random.seed(0)  # trainers in one process share the global generators
        th.manual_seed(0)
        trainer.train(total_timesteps=16)
        trainer.train_offline(n_updates=2)

    check_algorithm(lambda: make(tmp_path, act_kind=act_kind), train, tmp_path)


def test_each_method_counts_its_own_steps(tmp_path: pathlib.Path) -> None:
    trainer: Any = make(tmp_path, act_kind="box")
    trainer.train(total_timesteps=16)
    saved: Any
    saved, save = [], trainer.restart_episodes
    trainer.restart_episodes = lambda seed: saved.append(trainer.progress) or save(seed)
    options: dict[str, Any] = {
        "checkpoint_dir": tmp_path / "c",
        "checkpoint_interval": 4,
    }
    trainer.train_offline(n_updates=10, **options)
    assert saved == [4, 8, 10]
    other = make(tmp_path, act_kind="box", seed=1)
    other.train(total_timesteps=8, resume=True, **options)  # from what is learned
    assert other.progress == other.rl_algo.num_timesteps == 8
    again = make(tmp_path, act_kind="box", seed=2)
    again.train(total_timesteps=8, resume=True, **options)
    assert_same(weights(other), weights(again))  # there was nothing left to do


def test_the_actor_is_slower_only_in_the_environment(tmp_path: pathlib.Path) -> None:
    trainer: Any = make(
        tmp_path, act_kind="box", learning_rate=1e-2, actor_lr_scale=0.5
    )
    rates = []
    train: Callable[[], object]
    for train in (
        lambda: trainer.train_offline(n_updates=2),
        lambda: trainer.train(total_timesteps=16),
        lambda: trainer.train_offline(n_updates=2),
    ):
        train()
        rates.append(trainer.rl_algo.actor.optimizer.param_groups[0]["lr"])
    assert rates == [1e-2, 5e-3, 1e-2]


def test_offline_takes_no_step(tmp_path: pathlib.Path) -> None:
    class Untouchable(DummyVecEnv):
        def reset(self) -> Any:
            raise AssertionError("reset")

        def step_async(self, actions: Any) -> None:
            raise AssertionError("stepped")

    trainer = IQLearn(
        venv=Untouchable([tiny_envs.TinyEnv]),
        demonstrations=tiny_envs.expert_trajectories(2),
        policy="MlpPolicy",
        custom_logger=imit_logger.configure(tmp_path, ["csv"]),
        rl_kwargs=RL_KWARGS,
    )
    trainer.train_offline(n_updates=5)
    assert trainer.rl_algo.num_timesteps == 0 and trainer.rl_algo._n_updates == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_updates": 0}, "must be positive"),
        ({"n_updates": 5, "log_interval": 0}, "must be positive"),
        ({"n_updates": 5, "checkpoint_interval": -1}, "at least 0"),
        ({"n_updates": 5, "resume": True}, "needs checkpoint_dir"),
    ],
)
def test_malformed_offline_options(
    tmp_path: pathlib.Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path).train_offline(**options)


def test_states_of_sqil_are_refused(tmp_path: pathlib.Path) -> None:
    from imitation.algorithms.sqil import SQIL

    sqil = SQIL(
        venv=tiny_envs.make_venv(),
        demonstrations=None,
        policy="MlpPolicy",
        custom_logger=imit_logger.configure(tmp_path, ["csv"]),
        rl_kwargs=RL_KWARGS,
    )
    sqil.save(tmp_path / "state")
    with pytest.raises(ArtifactError, match="trainer SQIL, this trainer has IQ-Learn"):
        make(tmp_path).load_state(tmp_path / "state")


def returns(policy: Any, act_kind: str = "discrete") -> np.ndarray:
    episodes = rollout.generate_trajectories(
        policy,
        tiny_envs.make_venv(act_kind=act_kind, seed=9),
        rollout.make_min_episodes(40),
        np.random.default_rng(0),
        deterministic_policy=True,
    )
    return np.array([episode.rews.sum() for episode in episodes])


@pytest.mark.parametrize("offline", [True, False])
def test_discrete_learns_to_imitate(tmp_path: pathlib.Path, offline: bool) -> None:
    trainer = make(tmp_path, n=60, batch_size=64, learning_rate=3e-3, gamma=0.9)
    before = returns(trainer.policy)
    if offline:
        trainer.train_offline(n_updates=300)
    else:
        trainer.train(total_timesteps=800)
    after = returns(trainer.policy)
    assert after.mean() > 0.85 * tiny_envs.HORIZON > before.mean() + 1


def test_continuous_learns_to_imitate(tmp_path: pathlib.Path) -> None:
    trainer = make(
        tmp_path, act_kind="box", n=60, batch_size=128, learning_rate=3e-3, gamma=0.5,
        policy_kwargs={"net_arch": [32, 32]},
    )  # fmt: skip
    before = returns(trainer.policy, "box")
    trainer.train_offline(n_updates=300)
    after = returns(trainer.policy, "box")
    assert after.mean() > 0.4 * before.mean()  # costs


# --- the recovered reward


@pytest.mark.parametrize(("obs_kind", "act_kind"), KINDS)
def test_reward_is_q_less_the_next_value(
    tmp_path: pathlib.Path, obs_kind: Any, act_kind: Any
) -> None:
    trainer = make(tmp_path, obs_kind, act_kind, gamma=0.7)
    trainer.train(total_timesteps=20)
    net = trainer.reward_net
    algo: Any = trainer.rl_algo
    flat = rollout.flatten_trajectories(
        tiny_envs.expert_trajectories(1, obs_kind, act_kind)
    )
    obs, next_obs = map(writable, (flat.obs, flat.next_obs))
    found = net.predict(obs, flat.acts, next_obs, flat.dones)
    policy = algo.policy
    states, after = (policy.obs_to_tensor(part)[0] for part in (obs, next_obs))
    with th.no_grad():
        if act_kind == "discrete":
            assert isinstance(net, SoftQReward)
            rows = th.arange(len(flat))
            taken: Any = algo.q_net(states)[rows, th.as_tensor(flat.acts.copy())]
            next_values = soft_value(algo.q_net(after), algo.temperature)[:, 0]
        else:
            assert isinstance(net, ActorCriticReward)
            scaled = th.as_tensor(policy.scale_action(flat.acts)).float()
            taken = th.cat(algo.critic(states, scaled), 1).min(1).values
            next_values = mean_value(algo, after)
    tolerance = 1e-5 if act_kind == "discrete" else 0.03
    going_on = 1 - th.as_tensor(flat.dones.copy()).float()
    expected = (taken - 0.7 * going_on * next_values).numpy()
    np.testing.assert_allclose(found, expected, atol=tolerance)


def writable(obs: Any) -> Any:
    return types.map_maybe_dict(np.array, types.maybe_unwrap_dictobs(obs))


def mean_value(algo: Any, obs: Any, n: int = 300) -> Any:
    """V(s) by the policy's own draws."""
    total = 0
    for _ in range(n):
        acts, log_probs = algo.actor.action_log_prob(obs)
        values = th.cat(algo.critic(obs, acts), 1).min(1).values
        total = total + values - algo.temperature * log_probs
    return total / n


@pytest.mark.parametrize(("obs_kind", "act_kind"), KINDS)
def test_reward_is_saved_and_loaded(
    tmp_path: pathlib.Path, obs_kind: Any, act_kind: Any
) -> None:
    trainer = make(tmp_path, obs_kind, act_kind)
    trainer.train(total_timesteps=20)
    net = trainer.reward_net
    save_reward_net(net, tmp_path / "reward.pt")
    rate = load_reward("RewardNet_unnormalized", tmp_path / "reward.pt", trainer.venv)
    flat = rollout.flatten_trajectories(
        tiny_envs.expert_trajectories(1, obs_kind, act_kind)
    )
    obs, next_obs = map(types.maybe_unwrap_dictobs, (flat.obs, flat.next_obs))
    batch = (obs, flat.acts, next_obs, flat.dones)
    np.testing.assert_array_equal(rate(*cast("Any", batch)), net.predict(*batch))


def test_reward_is_a_copy(tmp_path: pathlib.Path) -> None:
    trainer = make(tmp_path)
    net = trainer.reward_net
    before = {key: value.clone() for key, value in net.state_dict().items()}
    trainer.train_offline(n_updates=3)
    assert_same(before, net.state_dict())
    assert not any(p.requires_grad for p in net.parameters())


def test_what_follows_an_end_counts_nothing(tmp_path: pathlib.Path) -> None:
    """Demonstrations that end by themselves, sooner than the environment's limit."""
    trainer = make(tmp_path)
    early = types.Trajectory(
        obs=np.zeros((4, 3), np.float32),
        acts=np.zeros(3, int),
        infos=np.array([{}, {}, {"TimeLimit.truncated": False}], dtype=object),
        terminal=True,
    )
    cut = types.Trajectory(
        obs=early.obs,
        acts=early.acts,
        infos=np.array([{}, {}, {"TimeLimit.truncated": True}], dtype=object),
        terminal=True,
    )
    step = (early.obs[:1], early.acts[:1], early.obs[1:2])
    for demonstrations, ends in ((early, True), (cut, False)):
        trainer.set_demonstrations([demonstrations])
        net = trainer.reward_net
        going_on, ended = (net.predict(*step, np.array([d])) for d in (False, True))
        assert net.has_ends is ends
        assert bool(going_on != ended) is ends


def test_which_policies_have_a_reward() -> None:
    box = gym.spaces.Box(-1, 1, (3,))
    algorithms = [
        sb3.TD3("MlpPolicy", tiny_envs.make_venv(act_kind="box"), buffer_size=10),
        sb3.SAC(
            "MlpPolicy", tiny_envs.make_venv(act_kind="box"), use_sde=True,
            buffer_size=10,
        ),
    ]  # fmt: skip
    for algo in algorithms:
        with pytest.raises(ConfigError, match="can be recovered from policies of"):
            recover_reward(
                algo.policy, box, discount=0.9, temperature=1.0, has_ends=True
            )
