"""Do comparisons chosen by an ensemble's disagreement teach more than random ones?

    python benchmarks/returns/preference_selection.py

Asks about fragments of episodes that an agent played at several stages of its training,
a few at a time, and counts the comparisons until an ensemble of rewards is right about
90% of pairs of other episodes. Both selections see the same episodes, begin with
networks of the same weights and are judged by the same pairs. Writes
`benchmarks/returns/preference_selection.json`: the numbers by seed, and the mean of
their differences with a 95% bootstrap interval over the seeds.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from typing import Any

import adversarial_runs
import common
import numpy as np
import torch as th
from stable_baselines3 import PPO

from imitation.algorithms import preference_comparisons as pc
from imitation.data import rollout, types
from imitation.rewards import reward_nets
from imitation.util import logger as imit_logger
from imitation.util import networks, util

TARGET = 0.9
N_HELD_OUT_PAIRS = 1000
N_STAGES = 5


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is compared."""

    env_name: str
    fragment_length: int
    uncertainty_on: str = "logit"
    n_members: int = 3
    n_rounds: int = 15
    comparisons_per_round: int = 20
    oversampling: float = 10.0
    """Candidates of the active selection for each pair asked about."""
    stage_timesteps: int = 20_000
    episodes_per_stage: int = 16
    epochs: int = 30


@functools.cache
def episodes(setting: Setting) -> tuple[Any, Any, list[types.TrajectoryWithRew]]:
    """The spaces, and episodes of an agent before and while it is trained."""
    rng = np.random.default_rng(0)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=8)
    agent = PPO("MlpPolicy", venv, seed=0, **adversarial_runs.CARTPOLE_PPO)
    played: list[types.TrajectoryWithRew] = []
    for stage in range(N_STAGES):
        if stage:
            agent.learn(setting.stage_timesteps)
        stop = rollout.make_min_episodes(setting.episodes_per_stage)
        played += rollout.generate_trajectories(agent, venv, stop, rng)
    return venv.observation_space, venv.action_space, played


def ensemble(setting: Setting, seed: int) -> reward_nets.RewardEnsemble:
    """Networks whose weights depend on the seed alone."""
    observation_space, action_space, _ = episodes(setting)
    th.manual_seed(seed)
    members = [
        reward_nets.BasicRewardNet(
            observation_space,
            action_space,
            use_action=False,
            normalize_input_layer=networks.RunningNorm,
        )
        for _ in range(setting.n_members)
    ]
    return reward_nets.RewardEnsemble(observation_space, action_space, members)


def accuracy(model: pc.PreferenceModel, pairs: Any) -> float:
    """Share of the pairs without a tie that the mean of the members gets right."""
    with networks.evaluating(model), th.no_grad():
        logits, true_logits = model.logits(pairs)
    predicted, truth = logits.mean(1).sign().numpy(), true_logits.sign().numpy()
    return float((predicted == truth)[truth != 0].mean())


def curve(setting: Setting, seed: int, active: bool) -> list[float]:
    """Accuracy after each round of comparisons."""
    _, _, played = episodes(setting)
    order = np.random.default_rng([seed, 1]).permutation(len(played))
    asked = [played[i] for i in order[::2]]
    judge = pc.RandomFragmenter(np.random.default_rng([seed, 2]), warning_threshold=0)
    held_out = judge(
        [played[i] for i in order[1::2]], setting.fragment_length, N_HELD_OUT_PAIRS
    )
    rng = np.random.default_rng([seed, 3])
    net = ensemble(setting, seed)
    model = pc.PreferenceModel(net)
    fragmenter: pc.Fragmenter = pc.RandomFragmenter(rng, warning_threshold=0)
    if active:
        fragmenter = pc.ActiveSelectionFragmenter(
            model, fragmenter, setting.oversampling, setting.uncertainty_on
        )
    reached: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        trainer = pc.PreferenceComparisons(
            pc.TrajectoryDataset(asked, rng),
            net,
            num_iterations=setting.n_rounds - 1,
            fragmenter=fragmenter,
            preference_gatherer=pc.SyntheticGatherer(temperature=0, rng=rng),
            reward_trainer=pc.EnsembleTrainer(
                model, pc.CrossEntropyRewardLoss(), rng, epochs=setting.epochs
            ),
            fragment_length=setting.fragment_length,
            initial_comparison_frac=1 / setting.n_rounds,
            initial_epoch_multiplier=4,
            query_schedule="constant",
            custom_logger=imit_logger.configure(directory, []),
        )
        trainer.train(
            total_timesteps=0,
            total_comparisons=setting.n_rounds * setting.comparisons_per_round,
            callback=lambda _: reached.append(accuracy(model, held_out)),
        )
    return reached


def needed(setting: Setting, reached: list[float]) -> float:
    """Comparisons until the target; half a round above the last if never reached."""
    for number, value in enumerate(reached, start=1):
        if value >= TARGET:
            return float(number * setting.comparisons_per_round)
    return (len(reached) + 0.5) * setting.comparisons_per_round


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Compares the two selections with every seed."""
    curves: dict[str, list[list[float]]] = {"random": [], "active": []}
    for seed in seeds:
        for name in curves:
            curves[name].append(curve(setting, seed, name == "active"))
        counts = {name: needed(setting, curves[name][-1]) for name in curves}
        print(f"{setting.env_name} seed {seed}: {counts}", flush=True)
    by_seed = {name: [needed(setting, c) for c in curves[name]] for name in curves}
    saved = np.subtract(by_seed["random"], by_seed["active"])
    rng = np.random.default_rng(0)
    resampled = rng.choice(saved, (common.N_RESAMPLES, len(saved))).mean(1)
    return {
        "algorithm": "active selection",
        **dataclasses.asdict(setting),
        "target": TARGET,
        "seeds": seeds,
        "comparisons_needed": by_seed,
        "saved_mean": round(float(saved.mean()), 1),
        "saved_ci95": [
            round(float(x), 1) for x in np.percentile(resampled, [2.5, 97.5])
        ],
        "final_accuracy": {
            name: round(float(np.mean([c[-1] for c in curves[name]])), 4)
            for name in curves
        },
        "accuracy_by_round": {
            name: np.mean(curves[name], axis=0).round(4).tolist() for name in curves
        },
    }


SETTINGS = [
    Setting("seals/CartPole-v0", fragment_length=50),
    Setting("Pendulum-v1", fragment_length=50),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, measure)
