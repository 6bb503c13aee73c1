"""Small deterministic runs of every algorithm, through the documented interface.

What they give is compared with what is recorded; see `record`.
"""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import stable_baselines3 as sb3
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms import bc, dagger, density, sqil
from imitation.algorithms import preference_comparisons as prefs
from imitation.algorithms.adversarial import airl, gail
from imitation.algorithms.iq_learn import IQLearn
from imitation.algorithms.mce_irl import MCEIRL, TabularPolicy, mce_partition_fh
from imitation.algorithms.soft_q import SoftQ
from imitation.data import rollout, types
from imitation.data.loader import BatchLoader
from imitation.envs.tabular import TabularEnv
from imitation.policies.base import RandomPolicy
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from imitation.util import networks

N_ROWS = 3

Array = npt.NDArray[Any]
Row = dict[str, float]


class Record(TypedDict):
    """What one run gave: rows by log file, hexadecimal sums by what they are of."""

    rows: dict[str, list[Row]]
    sums: dict[str, str]


# --- the environment and its expert


class SignEnv(gym.Env[Any, Any]):
    """Eight steps of random numbers; the best action names the first one's sign."""

    def __init__(self, obs_kind: str, act_kind: str) -> None:
        self.obs_kind, self.act_kind = obs_kind, act_kind
        box = gym.spaces.Box(-1, 1, (3,), np.float32)
        self.observation_space = (
            gym.spaces.Dict({"a": box, "b": box}) if obs_kind == "dict" else box
        )
        self.action_space = (
            gym.spaces.Discrete(2)
            if act_kind == "discrete"
            else gym.spaces.Box(-2, 1, (2,), np.float32)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        first, where = float(np.ravel(action)[0]), float(self.where[0])
        if self.act_kind == "discrete":
            reward = float((first > 0.5) == (where > 0))
        else:
            reward = -abs(first - where)
        self.time += 1
        return self._observe(), reward, False, self.time == 8, {}

    def _observe(self) -> Any:
        self.where = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        if self.obs_kind == "dict":
            return {"a": self.where, "b": -self.where[::-1].copy()}
        return self.where


def make_venv(obs_kind: str = "box", act_kind: str = "discrete") -> DummyVecEnv:
    """Makes two seeded environments."""
    venv = DummyVecEnv([lambda: SignEnv(obs_kind, act_kind)] * 2)
    venv.seed(3)
    return venv


def expert(
    obs: Any, state: object = None, episode_starts: object = None
) -> tuple[Array, object]:
    """Names the sign of a batch of observations."""
    where = obs["a"] if isinstance(obs, dict) else obs
    return (where[:, 0] > 0).astype(np.int64), state


def demonstrations(
    obs_kind: str = "box", act_kind: str = "discrete", n: int = 6
) -> list[types.TrajectoryWithRew]:
    """Plays episodes of the expert, or of random actions in a box."""
    found = []
    for episode in range(n):
        env = SignEnv(obs_kind, act_kind)
        all_obs, rews = [env.reset(seed=100 + episode)[0]], []
        acts: list[Array] = []
        for _ in range(8):
            if act_kind == "discrete":
                acts.append(np.asarray(env.where[0] > 0, np.int64))
            else:
                acts.append(np.array([env.where[0], 0.5], np.float32))
            obs, reward, *_ = env.step(acts[-1])
            all_obs.append(obs)
            rews.append(reward)
        stacked = (
            types.DictObs.from_obs_list(all_obs)
            if obs_kind == "dict"
            else np.stack(all_obs)
        )
        found.append(
            types.TrajectoryWithRew(
                obs=stacked,
                acts=np.stack(acts),
                infos=None,
                terminal=True,
                rews=np.array(rews),
            )
        )
    return found


# --- numbers out of runs


def sum_of(arrays: Any) -> str:
    """The SHA-256 of arrays or tensors, nested in mappings and sequences."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Mapping | types.DictObs):
            for _, value in part.items():
                add(value)
        elif isinstance(part, list | tuple):
            for value in part:
                add(value)
        else:
            array = np.ascontiguousarray(
                part.detach() if isinstance(part, th.Tensor) else part
            )
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())

    add(arrays)
    return digest.hexdigest()


def rows_of(directory: pathlib.Path) -> dict[str, list[Row]]:
    """The first rows with a loss of every log below a directory, without times."""
    found = {}
    for path in sorted(directory.rglob("progress.json")):
        rows = [
            {
                key: float(value)
                for key, value in json.loads(line).items()
                if isinstance(value, int | float)
                and not any(word in key for word in ("time", "fps", "seconds"))
            }
            for line in path.read_text().splitlines()
        ]
        with_loss = [row for row in rows if any("loss" in key for key in row)]
        if kept := (with_loss or rows)[:N_ROWS]:
            found[str(path.parent.relative_to(directory))] = kept
    return found


def record_of(directory: pathlib.Path, **modules: th.nn.Module | Array) -> Record:
    """What stands in the logs, and the sums of modules' weights."""
    return {
        "rows": rows_of(directory),
        "sums": {
            name: sum_of(part.state_dict() if isinstance(part, th.nn.Module) else part)
            for name, part in modules.items()
        },
    }


def log_to(directory: pathlib.Path) -> imit_logger.HierarchicalLogger:
    """A logger whose numbers `rows_of` reads."""
    return imit_logger.configure(directory, ["json"])


# --- the runs

RUNS: dict[str, Callable[[pathlib.Path], Record]] = {}
Run = Callable[..., Record]


def run(name: str, *args: Any) -> Callable[[Run], Run]:
    """Names a run and gives it arguments."""

    def register(function: Run) -> Run:
        RUNS[name] = lambda directory: function(directory, *args)
        return function

    return register


def make_bc(
    directory: pathlib.Path, obs_kind: str = "box", act_kind: str = "discrete"
) -> bc.BC:
    """A small BC trainer."""
    venv = make_venv(obs_kind, act_kind)
    return bc.BC(
        observation_space=venv.observation_space,
        action_space=venv.action_space,
        demonstrations=demonstrations(obs_kind, act_kind),
        rng=np.random.default_rng(0),
        batch_size=8,
        device="cpu",
        custom_logger=log_to(directory),
    )


@run("bc", "box", "discrete")
@run("bc-continuous", "box", "box")
@run("bc-dict", "dict", "discrete")
def run_bc(directory: pathlib.Path, obs_kind: str, act_kind: str) -> Record:
    trainer = make_bc(directory, obs_kind, act_kind)
    trainer.train(n_epochs=3, log_interval=1, progress_bar=False)
    return record_of(directory, policy=trainer.policy)


@run("dagger")
def run_dagger(directory: pathlib.Path) -> Record:
    trainer = dagger.SimpleDAggerTrainer(
        venv=make_venv(),
        scratch_dir=directory / "scratch",
        expert_policy=expert,
        rng=np.random.default_rng(1),
        bc_trainer=make_bc(directory / "log"),
    )
    trainer.train(
        40,
        progress_bar=False,
        rollout_round_min_episodes=2,
        rollout_round_min_timesteps=16,
        bc_train_kwargs={"n_batches": 3, "log_interval": 1, "progress_bar": False},
    )
    return record_of(directory / "log", policy=trainer.policy)


ON_POLICY = {"n_steps": 16, "batch_size": 16, "n_epochs": 2}
OFF_POLICY = {
    "buffer_size": 200,
    "batch_size": 16,
    "learning_starts": 10,
    "train_freq": 4,
}


def make_rl(name: str, venv: DummyVecEnv) -> Any:
    """A small agent of Stable-Baselines3."""
    cls = getattr(sb3, name)
    settings: dict[str, Any] = ON_POLICY if name == "PPO" else OFF_POLICY
    policy_kwargs = {"net_arch": [8]}
    return cls(
        "MlpPolicy",
        venv,
        seed=0,
        device="cpu",
        policy_kwargs=policy_kwargs,
        **settings,
    )


def make_net(venv: DummyVecEnv, **kwargs: Any) -> reward_nets.BasicRewardNet:
    """A small reward network that normalizes its input."""
    return reward_nets.BasicRewardNet(
        venv.observation_space,
        venv.action_space,
        hid_sizes=(8,),
        normalize_input_layer=networks.RunningNorm,
        **kwargs,
    )


@run("gail-ppo", gail.GAIL, "PPO", "discrete")
@run("gail-sac", gail.GAIL, "SAC", "box")
@run("airl", airl.AIRL, "PPO", "discrete")
def run_adversarial(
    directory: pathlib.Path,
    cls: type[gail.GAIL] | type[airl.AIRL],
    generator: str,
    act_kind: str,
) -> Record:
    venv = make_venv(act_kind=act_kind)
    net: reward_nets.RewardNet = make_net(venv)
    if cls is airl.AIRL:
        net = reward_nets.BasicShapedRewardNet(
            venv.observation_space,
            venv.action_space,
            reward_hid_sizes=(8,),
            potential_hid_sizes=(8,),
        )
    trainer = cls(
        demonstrations=demonstrations(act_kind=act_kind),
        demo_batch_size=16,
        n_disc_updates_per_round=2,
        gen_train_timesteps=32,
        venv=venv,
        gen_algo=make_rl(generator, venv),
        reward_net=net,
        log_dir=directory / "run",
        custom_logger=log_to(directory / "log"),
    )
    # Short rounds share a row of the log, unless somebody dumps it in between.
    trainer.train(3 * 32, callback=lambda _: trainer.logger.dump())
    policy = trainer.policy
    assert policy is not None
    return record_of(directory / "log", policy=policy, reward=net)


@run("density-state", "STATE_DENSITY")
@run("density-state-action", "STATE_ACTION_DENSITY")
@run("density-state-state", "STATE_STATE_DENSITY")
def run_density(directory: pathlib.Path, kind: str) -> Record:
    venv = make_venv()
    trainer = density.DensityAlgorithm(
        demonstrations=demonstrations(),
        density_type=density.DensityType[kind],
        kernel="gaussian",
        venv=venv,
        rng=np.random.default_rng(0),
        rl_algo=make_rl("PPO", venv),
        custom_logger=log_to(directory),
    )
    trainer.train()
    trainer.train_policy(128)
    flat = rollout.flatten_trajectories(demonstrations(n=2))
    rewards = trainer(flat.obs, flat.acts, flat.next_obs, flat.dones)
    return record_of(directory, policy=trainer.policy, rewards=rewards)


@run("mce-irl")
def run_mce_irl(directory: pathlib.Path) -> Record:
    rng = np.random.default_rng(0)
    env = TabularEnv(
        transition_matrix=rng.dirichlet(np.ones(4), size=(4, 3)),
        reward_matrix=rng.normal(size=4),
        horizon=3,
        initial_state_dist=rng.dirichlet(np.ones(4)),
    )
    _, _, pi = mce_partition_fh(env)
    player = TabularPolicy(env.state_space, env.action_space, pi, rng)
    venv = DummyVecEnv([lambda: env])
    venv.seed(0)
    episodes = rollout.generate_trajectories(
        player, venv, rollout.make_min_episodes(4), rng
    )
    net = reward_nets.BasicRewardNet(
        env.observation_space, env.action_space, use_action=False, hid_sizes=(8,)
    )
    trainer = MCEIRL(
        episodes,
        env,
        net,
        rng,
        log_interval=1,
        custom_logger=log_to(directory),
    )
    visits = trainer.train(5)
    return record_of(directory, reward=net, visits=visits, policy=trainer.policy.pi)


@run("preferences", 1)
@run("preferences-ensemble", 3)
def run_preferences(directory: pathlib.Path, n_members: int) -> Record:
    rng, venv = np.random.default_rng(0), make_venv()
    members = [make_net(venv) for _ in range(n_members)]
    loss = prefs.CrossEntropyRewardLoss()
    fragmenter: prefs.Fragmenter = prefs.RandomFragmenter(rng, warning_threshold=0)
    net: reward_nets.RewardNet = members[0]
    if n_members > 1:
        ensemble = reward_nets.RewardEnsemble(
            venv.observation_space, venv.action_space, members
        )
        net = reward_nets.AddSTDRewardWrapper(ensemble, default_alpha=0.1)
        model = prefs.PreferenceModel(ensemble)
        fragmenter = prefs.ActiveSelectionFragmenter(
            model, fragmenter, fragment_sample_factor=2.0
        )
        reward_trainer: prefs.RewardTrainer = prefs.EnsembleTrainer(
            model, loss, batch_size=4, epochs=2, rng=rng
        )
    else:
        reward_trainer = prefs.BasicRewardTrainer(
            prefs.PreferenceModel(net), loss, batch_size=4, epochs=2, rng=rng
        )
    agent = make_rl("PPO", venv)
    trainer = prefs.PreferenceComparisons(
        prefs.AgentTrainer(agent, net, venv, rng, exploration_frac=0.25),
        net,
        num_iterations=3,
        fragmenter=fragmenter,
        reward_trainer=reward_trainer,
        fragment_length=4,
        initial_epoch_multiplier=2.0,
        rng=rng,
        custom_logger=log_to(directory),
    )
    result = trainer.train(96, 16)
    record = record_of(directory, policy=agent.policy, reward=net)
    record["rows"]["result"] = [{key: float(value) for key, value in result.items()}]
    return record


def small() -> dict[str, Any]:
    """Settings of a learner with a replay buffer; it keeps the innermost for itself."""
    return {
        "learning_starts": 8,
        "batch_size": 8,
        "buffer_size": 300,
        "seed": 0,
        "policy_kwargs": {"net_arch": [8]},
        "device": "cpu",
    }


@run("sqil-soft-q", SoftQ, "discrete")
@run("sqil-dqn", sb3.DQN, "discrete")
@run("sqil-sac", sb3.SAC, "box")
def run_sqil(
    directory: pathlib.Path, cls: type[SoftQ | sb3.DQN | sb3.SAC], act_kind: str
) -> Record:
    trainer = sqil.SQIL(
        venv=make_venv(act_kind=act_kind),
        demonstrations=demonstrations(act_kind=act_kind),
        policy="MlpPolicy",
        custom_logger=log_to(directory),
        rl_algo_class=cls,
        rl_kwargs=small(),
    )
    trainer.train(total_timesteps=64, log_interval=1)
    return record_of(directory, policy=trainer.policy)


@run("iq-learn-discrete", "discrete", False)
@run("iq-learn-continuous", "box", False)
@run("iq-learn-offline", "discrete", True)
@run("iq-learn-offline-continuous", "box", True)
def run_iq_learn(directory: pathlib.Path, act_kind: str, offline: bool) -> Record:
    trainer = IQLearn(
        venv=make_venv(act_kind=act_kind),
        demonstrations=demonstrations(act_kind=act_kind),
        policy="MlpPolicy",
        custom_logger=log_to(directory),
        rl_kwargs=small(),
    )
    if offline:
        trainer.train_offline(n_updates=6, log_interval=1)
    else:
        trainer.train(total_timesteps=64, log_interval=1)
    flat = rollout.flatten_trajectories(demonstrations(act_kind=act_kind, n=2))
    rewards = trainer.reward_net.predict(flat.obs, flat.acts, flat.next_obs, flat.dones)
    return record_of(directory, policy=trainer.policy, rewards=rewards)


@run("soft-q")
def run_soft_q(directory: pathlib.Path) -> Record:
    algo = SoftQ("MlpPolicy", make_venv(), **small())
    algo.set_logger(log_to(directory))
    algo.learn(64, log_interval=1)
    return record_of(directory, policy=algo.policy)


def sums_of_trajectories(trajectories: Sequence[types.Trajectory]) -> dict[str, str]:
    """The sums of episodes in their order."""
    return {
        field: sum_of([getattr(trajectory, field) for trajectory in trajectories])
        for field in ("obs", "acts", "rews")
    }


@run("rollout", "box")
@run("rollout-dict", "dict")
def run_rollout(directory: pathlib.Path, obs_kind: str) -> Record:
    venv = make_venv(obs_kind)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    policy.action_space.seed(0)
    trajectories = rollout.rollout(
        policy,
        venv,
        rollout.make_sample_until(min_timesteps=40, min_episodes=5),
        rng=np.random.default_rng(0),
        unwrap=False,
    )
    stats = {k: float(v) for k, v in rollout.rollout_stats(trajectories).items()}
    flat = rollout.flatten_trajectories_with_rew(trajectories)
    fields = ("obs", "acts", "next_obs", "dones", "rews")
    sums = {f"flat {field}": sum_of(getattr(flat, field)) for field in fields}
    return {
        "rows": {"stats": [stats]},
        "sums": sums_of_trajectories(trajectories) | sums,
    }


@run("batches")
def run_batches(directory: pathlib.Path) -> Record:
    flat = rollout.flatten_trajectories(demonstrations())
    loader = BatchLoader(flat, 7, rng=np.random.default_rng(0))
    sums = {}
    for epoch in range(2):
        batches = [(b["obs"], b["acts"], b["next_obs"], b["dones"]) for b in loader]
        sums[f"epoch {epoch}"] = sum_of(batches)
    return {"rows": {}, "sums": sums}
