"""MCE IRL: planning against loops, slopes against differences, learning, mistakes."""

import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th
from scipy import sparse as sp
from seals.base_envs import ExposePOMDPStateWrapper
from seals.diagnostics.cliff_world import CliffWorldEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.mce_irl import (
    MCEIRL,
    TabularPolicy,
    mce_occupancy_measures,
    mce_partition_fh,
    squeeze_r,
)
from imitation.algorithms.mce_irl.tables import load_tables
from imitation.data import rollout, types
from imitation.data.flatten import flatten_trajectories
from imitation.envs.tabular import ExposeState, TabularEnv, random_mdp
from imitation.errors import ArtifactError, ConfigError, DataError
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.rewards.serialize import load_reward_net
from imitation.testing.checks import check_algorithm
from imitation.util import logger, seeding
from reference import mce_irl as reference
from reference import states

SMALL: Any = reference.small_env(observed=True)


def net(env: Any = SMALL, seed: int = 0, **kwargs: Any) -> BasicRewardNet:
    kwargs = {"use_action": False, "hid_sizes": (16,), **kwargs}
    with seeding.torch_seeded(np.random.default_rng(seed)):
        return BasicRewardNet(env.observation_space, env.action_space, **kwargs)


def trainer(demonstrations: Any = None, env: Any = SMALL, **kwargs: Any) -> MCEIRL:
    quiet = logger.configure(None, [])
    reward_net = kwargs.pop("reward_net", None) or net(env)
    rng = np.random.default_rng(0)
    return MCEIRL(demonstrations, env, reward_net, rng, custom_logger=quiet, **kwargs)


def episodes(env: Any = SMALL, n: int = 4, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    pi = mce_partition_fh(env)[2]
    expert = TabularPolicy(env.state_space, env.action_space, pi, rng)
    venv = DummyVecEnv([lambda: ExposeState(env)])
    venv.seed(seed)
    return rollout.generate_trajectories(
        expert, venv, rollout.make_min_episodes(n), rng
    )


@pytest.mark.parametrize("reward_dims", [1, 2, 3])
@pytest.mark.parametrize("discount", [1.0, 0.7, 0.0])
@pytest.mark.parametrize("sparse", [True, False])
def test_planning_is_the_thesis_in_loops(
    reward_dims: int, discount: float, sparse: bool
) -> None:
    env = reference.small_env(1, 3, 2, 4, reward_dims)
    v, q, pi = reference.backup(env, discount)
    d, total = reference.visits(env, pi, discount)
    if sparse:
        env.transition_matrix = sp.csr_array(env.transition_matrix.reshape(6, 3))
    for ours, theirs in zip(
        mce_partition_fh(env, discount=discount), (v, q, pi), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    for policy in (pi, None):  # the default policy is for the same discount
        found = mce_occupancy_measures(env, pi=policy, discount=discount)
        np.testing.assert_allclose(found[0], d, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found[1], total, rtol=1e-12, atol=1e-14)


def test_a_given_reward_replaces_the_environments() -> None:
    reward = np.array([5.0, 0.0, -5.0, 1.0])
    ours = mce_partition_fh(SMALL, reward=reward)
    changed = TabularEnv(
        transition_matrix=SMALL.transition_matrix,
        reward_matrix=reward,
        horizon=SMALL.horizon,
        initial_state_dist=SMALL.initial_state_dist,
    )
    for one, other in zip(ours, mce_partition_fh(changed), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = mce_occupancy_measures(SMALL, reward=reward)[0], SMALL
    np.testing.assert_array_equal(one, mce_occupancy_measures(changed)[0])
    del other


def test_huge_rewards_do_not_overflow() -> None:
    v, _, pi = mce_partition_fh(SMALL, reward=1e4 * SMALL.reward_matrix)
    assert np.isfinite(v).all()
    np.testing.assert_allclose(pi.sum(axis=2), 1)


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_visits_are_the_slope_of_the_soft_value(discount: float) -> None:
    """Of those times at which a reward is paid."""

    def value(reward: Any) -> float:
        v = mce_partition_fh(SMALL, reward=reward, discount=discount)[0]
        return float(SMALL.initial_state_dist @ v[0])

    d, _ = mce_occupancy_measures(SMALL, discount=discount)
    paid = discount ** np.arange(SMALL.horizon) @ d[:-1]
    for s, step in enumerate(1e-5 * np.eye(4)):
        up, down = (value(SMALL.reward_matrix + sign * step) for sign in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx(paid[s], rel=1e-7)


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_slope_of_the_likelihood(discount: float) -> None:
    """Against differences of the log-likelihood of the actions, in a loop."""
    trajs = episodes(n=3)
    model = trainer(trajs, discount=discount)
    reward = np.random.default_rng(1).normal(size=4)

    def loss(reward: Any) -> float:
        pi = mce_partition_fh(SMALL, reward=reward, discount=discount)[2]
        terms = [reference.log_likelihood(pi, t.obs, t.acts, discount) for t in trajs]
        return -float(np.mean(terms))

    plan = model.plan(reward)
    assert plan.loss == pytest.approx(loss(reward), rel=1e-12)
    for s, step in enumerate(1e-5 * np.eye(4)):
        difference = (loss(reward + step) - loss(reward - step)) / 2e-5
        assert difference == pytest.approx(plan.slope[s], rel=1e-6, abs=1e-9)


def test_slope_of_occupancy_matching() -> None:
    env = reference.small_env(3, observed=True)
    _, om = mce_occupancy_measures(env, discount=0.9)
    model = trainer(om, env, discount=0.9)
    reward = np.random.default_rng(1).normal(size=4)
    _, ours = mce_occupancy_measures(env, reward=reward, discount=0.9)
    np.testing.assert_allclose(model.plan(reward).slope, ours - om, atol=1e-12)


def test_the_slope_reaches_the_parameters() -> None:
    """Against differences of the objective by one weight."""
    model = trainer(episodes(), reward_net=net().double())
    (weight, *_) = model.reward_net.parameters()

    def loss(shift: float) -> float:
        with th.no_grad():
            weight[0, 0] += shift
            value = model.plan(model.rewards()).loss
            weight[0, 0] -= shift
        return value

    rewards = model.reward_tensor()
    slope = th.as_tensor(model.plan(model.rewards()).slope)
    th.autograd.backward(rewards, slope)
    assert weight.grad is not None
    difference = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert float(weight.grad[0, 0]) == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_learns_an_occupancy(discount: float) -> None:
    reward = np.array([2.0, -2.0, 0.0, 1.0])
    _, om = mce_occupancy_measures(SMALL, reward=reward, discount=discount)
    model = trainer(om, discount=discount)
    start = mce_occupancy_measures(SMALL, reward=model.rewards(), discount=discount)[1]
    assert np.abs(start - om).max() > 0.03
    result = model.train(300)
    assert model.progress < 300
    assert np.abs(result - om).max() <= 1e-3
    # Result and policy belong to the reward that the network gives now.
    again = mce_occupancy_measures(SMALL, reward=model.rewards(), discount=discount)[1]
    np.testing.assert_allclose(result, again, atol=1e-12)
    pi = mce_partition_fh(SMALL, reward=model.rewards(), discount=discount)[2]
    np.testing.assert_allclose(model.policy.pi, pi)


def test_learns_cliff_world_as_documented() -> None:
    """The documented setting reaches 0.128 in 500 iterations, this one 0.01."""
    env = CliffWorldEnv(height=4, horizon=40, width=7, use_xy_obs=True)
    _, om = mce_occupancy_measures(env)
    model = trainer(
        om,
        env,
        reward_net=net(env, hid_sizes=(256,)),
        optimizer_kwargs={"lr": 0.01},
        linf_eps=0.01,
    )
    assert np.abs(model.train(500) - om).max() <= 0.01
    pi = model.policy.pi
    visits, _ = mce_occupancy_measures(env, pi=pi)
    best, _ = mce_occupancy_measures(env)
    difference = (visits - best)[:-1].sum(axis=0) @ env.reward_matrix
    assert abs(difference) < 1.0


def test_likelihood_finds_a_better_reward_than_counts() -> None:
    """Measured by the visits of a demonstrator of whom few episodes are known."""
    env = random_mdp(8, 3, horizon=12, branch_factor=3, rng=2)
    _, om = mce_occupancy_measures(env)
    errors: dict[str, list[float]] = {"likelihood": [], "occupancy": []}
    for seed in range(4):
        trajs = episodes(env, 10, seed)
        for objective, found in errors.items():
            model = trainer(trajs, env, objective=objective)
            found.append(float(np.abs(model.train(100) - om).sum()))
    assert np.mean(errors["likelihood"]) < 0.8 * np.mean(errors["occupancy"])


def test_any_optimizer() -> None:
    _, om = mce_occupancy_measures(SMALL)
    for cls, kwargs, n in ((th.optim.SGD, {"lr": 0.05}, 400), (th.optim.LBFGS, {}, 20)):
        model = trainer(om, optimizer_cls=cls, optimizer_kwargs=kwargs, linf_eps=0.02)
        assert np.abs(model.train(n) - om).max() <= 0.02, cls
    betas = trainer(optimizer_kwargs={"lr": 1e-3}).optimizer.param_groups[0]["betas"]
    assert betas == (0.9, 0.9)
    own = {"lr": 1e-3, "betas": (0.5, 0.6)}
    group = trainer(optimizer_kwargs=own).optimizer.param_groups[0]
    assert (group["betas"], group["lr"]) == ((0.5, 0.6), 1e-3)


def test_no_iterations() -> None:
    _, om = mce_occupancy_measures(SMALL)
    model = trainer(om)
    before = model.rewards()
    result = model.train(max_iter=0)
    np.testing.assert_array_equal(model.rewards(), before)
    ours = mce_occupancy_measures(SMALL, reward=before)[1]
    np.testing.assert_allclose(result, ours, atol=1e-12)


def test_kinds_of_demonstrations() -> None:
    trajs = episodes(n=5)
    states = np.concatenate([t.obs for t in trajs])
    expected: Any = np.bincount(states, minlength=4) / 5
    transitions = flatten_trajectories(trajs)
    batches = [
        {"obs": part.obs, "acts": part.acts, "next_obs": part.next_obs,
         "dones": part.dones}
        for part in (transitions[:7], transitions[7:])
    ]  # fmt: skip
    tensors = [{k: th.tensor(v) for k, v in batch.items()} for batch in batches]
    one_hot = [
        types.Trajectory(np.eye(4)[t.obs], t.acts, None, t.terminal) for t in trajs
    ]
    assert SMALL.observation_matrix is not None
    seen = [
        types.Trajectory(SMALL.observation_matrix[t.obs], t.acts, None, True)
        for t in trajs
    ]
    kinds = (trajs, iter(trajs), transitions, batches, tensors, one_hot, seen, expected)
    for demonstrations in kinds:
        found: Any = trainer(demonstrations).demo_state_om
        np.testing.assert_allclose(found, expected, atol=1e-12)
    discounted: Any = trainer(trajs, discount=0.5).demo_state_om
    weights = np.tile(0.5 ** np.arange(4), 5)
    np.testing.assert_allclose(discounted, np.bincount(states, weights, 4) / 5)
    alone: Any = trainer(trajs[0]).demo_state_om
    np.testing.assert_allclose(alone, np.bincount(trajs[0].obs, minlength=4))


def test_transitions_without_ends_are_warned_about(tmp_path: pathlib.Path) -> None:
    full = flatten_trajectories(episodes())
    part = types.TransitionsMinimal(full.obs, full.acts, full.infos)
    model = trainer()
    model.logger = logger.configure(tmp_path, ["log"])
    model.set_demonstrations(part)
    assert "lack next observation" in (tmp_path / "log.txt").read_text()
    assert model.demo_state_om is not None
    assert model.demo_state_om.sum() == pytest.approx(SMALL.horizon + 1)


def test_logs(tmp_path: pathlib.Path) -> None:
    model = trainer(mce_occupancy_measures(SMALL)[1], log_interval=2)
    model.logger = logger.configure(tmp_path, ["csv"])
    calls: list[int] = []
    model.train(3, callback=calls.append)
    assert calls == [1, 2, 3]
    header, *rows = (tmp_path / "progress.csv").read_text().splitlines()
    keys = {"iteration", "linf_delta", "weight_norm", "grad_norm", "loss"}
    assert set(header.split(",")) == keys
    assert len(rows) == 2


@pytest.mark.parametrize("cls", [th.optim.Adam, th.optim.LBFGS])
def test_resumed_training_is_the_same_to_the_bit(
    cls: Any, tmp_path: pathlib.Path
) -> None:
    trajs = episodes()
    whole = trainer(trajs, optimizer_cls=cls)
    whole.train(6)
    first = trainer(trajs, optimizer_cls=cls)
    first.train(2)
    first.save(tmp_path / "state")
    second = trainer(trajs, optimizer_cls=cls, reward_net=net(seed=1))
    second.load_state(tmp_path / "state")
    assert second.progress == 2
    np.testing.assert_array_equal(second.policy.pi, first.policy.pi)
    second.train(4)
    for one, other in zip(
        whole.reward_net.parameters(), second.reward_net.parameters(), strict=True
    ):
        assert th.equal(one, other)
    np.testing.assert_array_equal(second.policy.pi, whole.policy.pi)


@pytest.mark.parametrize("cls", [th.optim.Adam, th.optim.LBFGS])
def test_the_trainers_contract(cls: Any, tmp_path: pathlib.Path) -> None:
    def make() -> MCEIRL:
        return trainer(episodes(), optimizer_cls=cls)

    check_algorithm(make, lambda made: made.train(2), tmp_path)


def test_checkpoints_continue_a_training(tmp_path: pathlib.Path) -> None:
    trajs = episodes()
    whole = trainer(trajs)
    whole.train(6)

    def kill(iteration: int) -> None:
        if iteration == 5:
            raise KeyboardInterrupt

    options: dict[str, Any] = {
        "checkpoint_dir": tmp_path / "c",
        "checkpoint_interval": 2,
    }
    with pytest.raises(KeyboardInterrupt):
        trainer(trajs).train(6, kill, **options)
    second = trainer(trajs, reward_net=net(seed=1))
    second.train(6, resume=True, **options)
    assert second.progress == 6
    np.testing.assert_array_equal(second.policy.pi, whole.policy.pi)


def test_a_state_that_fails_leaves_the_policy_alone(tmp_path: pathlib.Path) -> None:
    trainer(episodes()).save(tmp_path / "state")
    for iterations in (0, 2):
        narrow = trainer(episodes(), reward_net=net(hid_sizes=(3,)))
        if iterations:
            narrow.train(iterations)
        before = narrow.policy.pi.copy()
        with pytest.raises(ArtifactError, match="does not fit"):
            narrow.load_state(tmp_path / "state")
        np.testing.assert_array_equal(narrow.policy.pi, before)


def test_states_that_do_not_fit(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="no checkpoint"):
        trainer().load_state(tmp_path / "nothing")
    trainer().save(tmp_path / "state")
    with pytest.raises(ArtifactError, match="optimizer Adam, this trainer has SGD"):
        trainer(optimizer_cls=th.optim.SGD).load_state(tmp_path / "state")
    narrow = trainer(episodes(), reward_net=net(hid_sizes=(3,)))
    narrow.train(2)
    with (
        states.unchanged(MCEIRL.state_dict, narrow),
        pytest.raises(ArtifactError, match="does not fit"),
    ):
        narrow.load_state(tmp_path / "state")


def test_saved_results(tmp_path: pathlib.Path) -> None:
    env = CliffWorldEnv(height=3, horizon=5, width=4, use_xy_obs=True)
    _, om = mce_occupancy_measures(env)
    model = trainer(om, env)
    occupancy = model.train(2, checkpoint_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final", "latest"]
    tables = load_tables(tmp_path / "final")
    assert tables.grid == (3, 4)
    np.testing.assert_allclose(tables.occupancy, occupancy, atol=1e-12)
    np.testing.assert_allclose(tables.true_occupancy, om)
    np.testing.assert_array_equal(tables.true_reward, env.reward_matrix)
    np.testing.assert_array_equal(tables.reward, model.rewards())
    loaded = load_reward_net(tmp_path / "final" / "reward_net.pt")
    obs = th.as_tensor(env.observation_matrix)
    nothing: Any = None
    with th.no_grad():
        found = loaded(obs, nothing, nothing, nothing).double().numpy()
    np.testing.assert_array_equal(found, model.rewards())
    policy = TabularPolicy.load(tmp_path / "final" / "policy")
    np.testing.assert_array_equal(policy.pi, model.policy.pi)
    with pytest.raises(ArtifactError, match="cannot read"):
        load_tables(tmp_path)
    with pytest.raises(ArtifactError, match="tabular policy"):
        TabularPolicy.load(tmp_path / "final" / "reward_net.pt")


def policy(pi: Any = None, seed: int = 0) -> Any:
    pi = np.array([[[0.2, 0.8], [1, 0]], [[0.5, 0.5], [0, 1]]]) if pi is None else pi
    spaces = reference.small_env(n_states=2, n_actions=2)
    rng = np.random.default_rng(seed)
    return TabularPolicy(spaces.state_space, spaces.action_space, pi, rng)


def test_policy_knows_the_time() -> None:
    ours = policy()
    acts, state = ours.predict(np.array([0, 1]), deterministic=True)
    assert acts.tolist() == [1, 0]
    assert state is not None and state[0].tolist() == [1, 1]
    acts, later = ours.predict(np.array([1, 1]), state, deterministic=True)
    assert acts.tolist() == [1, 1]
    assert state[0].tolist() == [1, 1], "the caller's state is left alone"
    starts = np.array([True, False])
    acts, after = ours.predict(np.array([1, 1]), state, starts, deterministic=True)
    assert acts.tolist() == [0, 1]
    assert after is not None and after[0].tolist() == [1, 2]
    with pytest.raises(DataError, match="2 time steps and was asked for number 3"):
        ours.predict(np.array([1, 1]), later)


def test_policy_samples_its_probabilities() -> None:
    ours = policy()
    for obs in (np.zeros(4000, dtype=int), np.tile([1.0, 0.0], (4000, 1))):
        acts, _ = ours.predict(obs)
        assert acts.mean() == pytest.approx(0.8, abs=0.03)
    assert not ours.predict(np.ones(50, dtype=int))[0].any()
    one, other = (policy(seed=5).predict(np.zeros(9, dtype=int))[0] for _ in "ab")
    np.testing.assert_array_equal(one, other)


def test_policy_acts_in_environments() -> None:
    cliff: dict[str, Any] = {"height": 4, "horizon": 9, "width": 7, "use_xy_obs": True}
    env = CliffWorldEnv(**cliff)
    pi = mce_partition_fh(env)[2]
    expert = TabularPolicy(
        env.state_space, env.action_space, pi, np.random.default_rng()
    )

    def make() -> Any:
        return ExposePOMDPStateWrapper(CliffWorldEnv(**cliff))

    rng = np.random.default_rng(0)
    until = rollout.make_min_episodes(40)
    trajs = rollout.generate_trajectories(expert, DummyVecEnv([make] * 4), until, rng)
    visits, _ = mce_occupancy_measures(env, pi=pi)
    expected = visits[:-1].sum(axis=0) @ env.reward_matrix
    returns = [t.rews.sum() for t in trajs]
    error = np.std(returns) / np.sqrt(len(returns))
    assert np.mean(returns) == pytest.approx(expected, abs=4 * error)


def test_policy_mistakes() -> None:
    with pytest.raises(NotImplementedError):
        policy().forward(np.zeros(2))
    with pytest.raises(DataError, match="shape \\(2, 2\\), expected"):
        policy(np.ones((2, 2)))
    with pytest.raises(DataError, match="sum to 1"):
        policy(np.ones((1, 2, 2)))
    for obs, message in (
        (np.array([0, 2]), "expected integers in \\[0, 2\\)"),
        (np.array([[0.5, 0.5]]), "not states"),
        (np.array([0.5]), "not states"),
        ({"a": np.zeros(1)}, "dictionary"),
    ):
        with pytest.raises(DataError, match=message):
            policy().predict(obs)


def test_squeeze() -> None:
    for shape in ((3,), (3, 1)):
        assert squeeze_r(th.zeros(shape)).shape == (3,)
    with pytest.raises(DataError, match="\\(3, 2\\)"):
        squeeze_r(th.zeros(3, 2))


def test_infinite_horizons_are_refused() -> None:
    endless: Any = None
    env = CliffWorldEnv(height=4, horizon=endless, width=7, use_xy_obs=True)
    for call in (
        lambda: mce_partition_fh(env),
        lambda: mce_occupancy_measures(env),
        lambda: trainer(None, env),
    ):
        with pytest.raises(ValueError, match="Only finite-horizon environments are"):
            call()


PLANNING_MISTAKES = [
    ({"discount": 1.5}, "discount=1.5 must lie in \\[0, 1\\]"),
    ({"discount": np.nan}, "must lie in"),
    ({"reward": np.zeros(3)}, "shape \\(3,\\), expected \\(4,\\)"),
    ({"reward": np.array([0, 0, np.nan, 0])}, "infinite reward in state 2"),
]


@pytest.mark.parametrize(("kwargs", "message"), PLANNING_MISTAKES)
def test_planning_mistakes(kwargs: Any, message: str) -> None:
    for function in (mce_partition_fh, mce_occupancy_measures):
        with pytest.raises(ValueError, match=message):
            function(SMALL, **kwargs)


def test_occupancy_mistakes() -> None:
    with pytest.raises(DataError, match="pi has shape \\(2, 4, 3\\)"):
        mce_occupancy_measures(SMALL, pi=np.full((2, 4, 3), 1 / 3))
    with pytest.raises(DataError, match="pi is not a valid policy"):
        mce_occupancy_measures(SMALL, pi=np.ones((3, 4, 3)))
    no_env: Any = object()
    with pytest.raises(TypeError, match="has no transition_matrix"):
        mce_partition_fh(no_env)


def unfit(obs: Any, acts: Any = (0,)) -> Any:
    return [types.Trajectory(np.asarray(obs), np.asarray(acts), None, True)]


DEMONSTRATION_MISTAKES: list[Any] = [
    (np.ones(3), "shape \\(4,\\), got"),
    (np.full(4, np.nan), "finite"),
    (-np.ones(4), "≥ 0"),
    (np.array([5.0, -1.0, 0.0, 0.0]), "≥ 0"),
    (np.full(4, 1 / 4), "sums to 1, expected 4, the visits at times 0 to 3"),
    (np.full(4, 3 / 4), "sums to 3, .*count the state after the last action"),
    (np.full(4, 10), "sums to 40, .*divide by the number of episodes"),
    (np.zeros(4), "sums to 0"),
    (unfit([0, 4]), "\\[0, 4\\)"),
    (unfit([0, 1], [3]), "\\[0, 3\\)"),
    (unfit([0] * 6, [0] * 5), "5 steps, the environment's horizon is 3"),
    (unfit([[9.0, 9.0]] * 2), "is of no state"),
    (unfit([[9.0] * 3] * 2), "are not states"),
    ([], "had no elements"),
    ([{"acts": np.zeros(1)}], "key 'obs'"),
]


@pytest.mark.parametrize(("demonstrations", "message"), DEMONSTRATION_MISTAKES)
def test_malformed_demonstrations(demonstrations: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainer(demonstrations)


@pytest.mark.parametrize("factor", [0.99, 1.01, 4 / (1 + 0.5 + 0.25 + 0.125)])
def test_discounted_occupancies_have_a_discounted_sum(factor: float) -> None:
    _, om = mce_occupancy_measures(SMALL, discount=0.5)
    with pytest.raises(DataError, match=r"expected 1\.875, .*discount=0\.5"):
        trainer(factor * om, discount=0.5)


@pytest.mark.parametrize("discount", [1.0, 0.5, 0.0])
def test_occupancies_that_were_counted_or_rounded(discount: float) -> None:
    _, om = mce_occupancy_measures(SMALL, discount=discount)
    weights = discount ** np.arange(SMALL.horizon + 1)
    counted = np.zeros(4, dtype=np.float32)
    trajs = episodes(n=7)
    for traj in trajs:
        np.add.at(counted, traj.obs, weights / len(trajs))
    for good in (om, om.astype(np.float32), om.round(3), counted):
        model = trainer(good, discount=discount)
        np.testing.assert_array_equal(model.demo_state_om, good)


def test_trainer_mistakes() -> None:
    with pytest.raises(ValueError, match="discounted OM from timeless Transitions\\."):
        trainer(flatten_trajectories(episodes()), discount=0.9)
    with pytest.raises(TypeError):
        trainer(3)
    with pytest.raises(TypeError):
        trainer([3])
    with pytest.raises(ConfigError, match="set_demonstrations"):
        trainer().train()
    with pytest.raises(ConfigError, match="max_iter=-1"):
        trainer(np.ones(4)).train(-1)
    with pytest.raises(ConfigError, match="use_action=False"):
        trainer(reward_net=net(use_action=True))
    with pytest.raises(ConfigError, match="objective='x'"):
        trainer(objective="x")
    with pytest.raises(ConfigError, match="log_interval=0"):
        trainer(log_interval=0)
    broken = net()
    with th.no_grad():
        next(broken.parameters()).fill_(th.nan)
    with pytest.raises(DataError, match="NaN or infinity after 0 iterations"):
        trainer(np.ones(4), reward_net=broken).train(1)


def test_states_with_equal_observations_need_states() -> None:
    env = reference.small_env(observed=True)
    env.observation_matrix = np.zeros((4, 2), dtype=np.float32)
    with pytest.raises(DataError, match="several states have the same observation"):
        trainer(unfit(np.zeros((2, 2), dtype=np.float32)), env)
