"""What the measurements of preference comparisons share: a setting, its training."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import adversarial_runs
import common
import numpy as np
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import preference_comparisons as pc
from imitation.algorithms.preference_comparisons.held_out import load_held_out
from imitation.policies import experts
from imitation.regularization import regularizers
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from imitation.util import networks, util

N_HELD_OUT_EPISODES = 5
"""Episodes kept aside after every round, to choose the agent by and to cut held-out
pairs from."""

N_HELD_OUT_PAIRS = 1000


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to train, and how, where it differs from the defaults."""

    env_name: str
    total_timesteps: int
    total_comparisons: int
    agent: str
    agent_kwargs: Mapping[str, Any]
    trainer_kwargs: Mapping[str, Any]
    """Of `PreferenceComparisons`."""
    reward_trainer_kwargs: Mapping[str, Any]
    net_kwargs: Mapping[str, Any]
    n_envs: int = 8
    exploration_frac: float = 0.0
    temperature: float = 1.0
    """Of the synthetic preferences."""
    weight_decay: float | None = None
    """Strength of a `WeightDecayRegularizer` of the reward; None for none."""
    cooldown: float = 1.0
    """Share of the training at whose end the learning rate falls to 0."""


class HeldOut:
    """Pairs of fragments of what the agent did after each round, never trained on.

    Args:
        directory: where a `BestAgent` keeps the episodes.
        length: of fragments.
        seed: of the choice of pairs.
    """

    def __init__(self, directory: str, length: int, seed: int) -> None:
        self.trajectories = load_held_out(directory).trajectories
        self.length = length
        self.rng = np.random.default_rng([seed, 2])

    def accuracy(self, model: pc.PreferenceModel) -> dict[str, float]:
        """How often the model prefers the fragment of the higher true return.

        Pairs of equal true return have no right answer and are left out.
        """
        fragmenter = pc.RandomFragmenter(self.rng, warning_threshold=0)
        pairs = fragmenter(self.trajectories, self.length, N_HELD_OUT_PAIRS)
        with networks.evaluating(model), th.no_grad():
            logits, true_logits = (x.numpy() for x in model.logits(pairs))
        decided = true_logits != 0
        right = np.sign(logits[decided]) == np.sign(true_logits[decided])
        return {
            "accuracy": round(float(right.mean()), 4),
            "decided": round(float(decided.mean()), 4),
        }


def comparisons(
    setting: Setting, venv: VecEnv, seed: int, directory: str
) -> tuple[pc.PreferenceComparisons, Any]:
    """The algorithm and its agent, as a user would put them together."""
    rng = np.random.default_rng([seed, 1])
    net = reward_nets.BasicRewardNet(
        venv.observation_space,
        venv.action_space,
        **{"normalize_input_layer": networks.RunningNorm, **setting.net_kwargs},
    )
    agent = make_agent(setting, venv, seed)
    regularizer = None
    if setting.weight_decay is not None:
        regularizer = regularizers.WeightDecayRegularizer.create(
            initial_lambda=setting.weight_decay
        )
    trainer = pc.PreferenceComparisons(
        pc.AgentTrainer(
            agent,
            reward_nets.NormalizedRewardNet(net, networks.RunningNorm),
            venv,
            rng,
            exploration_frac=setting.exploration_frac,
        ),
        net,
        fragmenter=pc.RandomFragmenter(rng, warning_threshold=0),
        preference_gatherer=pc.SyntheticGatherer(
            temperature=setting.temperature, rng=rng
        ),
        reward_trainer=pc.BasicRewardTrainer(
            pc.PreferenceModel(net),
            pc.CrossEntropyRewardLoss(),
            rng,
            regularizer_factory=regularizer,
            **setting.reward_trainer_kwargs,
        ),
        custom_logger=imit_logger.configure(directory, ["csv"]),
        **setting.trainer_kwargs,
    )
    return trainer, agent


def make_agent(setting: Setting, venv: VecEnv, seed: int) -> Any:
    """A new agent, whose learning rate falls to 0."""
    rate = setting.agent_kwargs["learning_rate"]
    falling = functools.partial(np.interp, xp=(0, setting.cooldown), fp=(0, rate))
    algorithm_class = adversarial_runs.GENERATORS[setting.agent]
    kwargs = {**setting.agent_kwargs, "learning_rate": falling}
    return algorithm_class("MlpPolicy", venv, seed=seed, device="cpu", **kwargs)


class LastAgent(pc.BestAgent):
    """Also notes the last agent before the best one is put back."""

    last: Any = None

    def __call__(self, number: int) -> None:
        """Plays, and after the last round chooses."""
        if number + 1 == self._n_rounds:
            policy, path = self._trainer.algorithm.policy, f"{self._directory}/last"
            policy.save(path)
            self.last = type(policy).load(path, device="cpu")
        super().__call__(number)


def train(
    setting: Setting, seed: int
) -> tuple[dict[str, Any], dict[str, float], float]:
    """Trains with one seed.

    Returns:
        The policies, "best" and "last"; the accuracy of the reward on held-out pairs;
        and the seconds taken.
    """
    th.manual_seed(seed)  # weights of the reward network
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=setting.n_envs)
    apart = util.make_vec_env(setting.env_name, rng=rng, n_envs=N_HELD_OUT_EPISODES)
    with tempfile.TemporaryDirectory() as directory:
        trainer, agent = comparisons(setting, venv, seed, directory)
        n_rounds = trainer.num_iterations + 1
        keep = LastAgent(
            trainer.trajectory_generator,
            apart,
            f"{directory}/held_out",
            n_rounds,
            n_episodes=N_HELD_OUT_EPISODES * n_rounds,
            n_times=n_rounds,
            seed=seed,
        )
        start = time.perf_counter()
        trainer.train(setting.total_timesteps, setting.total_comparisons, keep)
        seconds = time.perf_counter() - start
        trainer.logger.close()
        length = setting.trainer_kwargs["fragment_length"]
        held_out = HeldOut(f"{directory}/held_out", length, seed)
    policies = {"best": agent.policy, "last": keep.last}
    accuracy = held_out.accuracy(trainer.reward_trainer.preference_model)
    return policies, accuracy, seconds


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    learners: dict[str, list[common.Returns]] = {"best": [], "last": []}
    teachers, accuracies, seconds = [], [], []
    for seed in seeds:
        policies, accuracy, took = train(setting, seed)
        for name, policy in policies.items():
            learners[name].append(common.play(policy, setting.env_name, seed))
        venv = util.make_vec_env(setting.env_name, rng=np.random.default_rng(0))
        expert = experts.load_expert(setting.env_name, venv)
        teachers.append(common.play(expert, setting.env_name, seed))
        accuracies.append(accuracy)
        seconds.append(round(took, 2))
        scores = {name: round(learners[name][-1].mean(), 1) for name in policies}
        print(
            f"{setting.env_name} seed {seed}: {scores}, expert "
            f"{teachers[-1].mean():.1f}, accuracy {accuracy['accuracy']:.3f}, "
            f"{took:.1f} s",
            flush=True,
        )
    return {
        "algorithm": "preferences",
        **dataclasses.asdict(setting),
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        **common.summary(learners["best"]),
        "last_agent": common.summary(learners["last"]),
        "expert": common.summary(teachers),
        "held_out_by_seed": accuracies,
        "training_s_by_seed": seconds,
    }
