"""Trains GAIL or AIRL on demonstrations of an expert.

Writes ``checkpoints/{<round>,final,best}/`` with the rewards ``reward_train.pt`` and
``reward_test.pt`` and the policy ``gen_policy/model.zip``, and ``checkpoints/latest``,
from which an interrupted run is resumed.
"""

import contextlib
import functools
import logging
import pathlib
from collections.abc import Mapping, Sequence

from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.adversarial.common import AdversarialTrainer
from imitation.data import types
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.scripts import settings as typed
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_adversarial import (
    ALGORITHMS,
    TrainAdversarialSettings,
)
from imitation.scripts.ingredients.demonstrations import (
    with_expert_stats,
)
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.reward import make_reward_net
from imitation.scripts.ingredients.rl import load_rl_algo_from_path, make_rl_algo
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.util.logger import HierarchicalLogger
from imitation.util.progress import progress_bar

Stats = Mapping[str, Mapping[str, float]]

_logger = logging.getLogger("imitation.scripts.train_adversarial")  # also as __main__


def gail(settings: TrainAdversarialSettings, run: RunHandle) -> Stats:
    """Trains generative adversarial imitation learning; see `train_adversarial`."""
    return train_adversarial("gail", settings, run)


def airl(settings: TrainAdversarialSettings, run: RunHandle) -> Stats:
    """Trains adversarial inverse RL; see `train_adversarial`."""
    return train_adversarial("airl", settings, run)


def train_adversarial(
    command: str, settings: TrainAdversarialSettings, run: RunHandle
) -> Stats:
    """Trains a policy and a reward on demonstrations.

    Returns:
        ``imit_stats``: statistics of the trained policy's rollouts, of which
        ``return_*`` are of the learned test reward and ``monitor_return_*`` of the
        environment's; ``expert_stats``: those of the demonstrations, if they have
        rewards.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    if settings.show_config:
        config = typed.to_config(settings)
        del config["algorithm_specific"]  # merged in below
        config["algorithm_kwargs"] = settings.merged_kwargs(command)
        for name, value in typed.flatten(config):
            print(f"{name} = {value!r}")
    expert_trajs = settings.load_demonstrations()
    with make_venv(
        settings.environment, settings.rng("training"), log_dir=log_dir
    ) as venv:
        trainer = _make_trainer(
            command, settings, venv, expert_trajs, custom_logger, log_dir
        )
        checkpoint_dir = log_dir / "checkpoints"
        evaluation: contextlib.AbstractContextManager[VecEnv | None]
        evaluation = contextlib.nullcontext()
        if settings.eval_interval > 0:
            # Environments of their own: the training's are in the midst of episodes.
            rng = settings.rng("evaluation during training")
            evaluation = make_venv(settings.environment, rng)
        with (
            evaluation as eval_venv,
            progress_bar(settings.total_timesteps, command, "step") as bar,
        ):

            def advance(round_num: int) -> None:
                if bar.n == 0:
                    # Rounds of an interrupted run do not count for the rate.
                    bar.n = bar.initial = round_num * trainer.gen_train_timesteps
                bar.update(trainer.gen_train_timesteps)

            trainer.train(
                settings.total_timesteps,
                advance,
                checkpoint_dir=checkpoint_dir,
                checkpoint_interval=settings.checkpoint_interval,
                resume=settings.resume is not None,
                eval_venv=eval_venv,
                eval_interval=settings.eval_interval,
                n_eval_episodes=settings.n_eval_episodes,
                state_interval=settings.state_interval or 0,
            )
    if settings.checkpoint_interval >= 0:
        _logger.info("Saved rewards and policy to %s", checkpoint_dir / "final")
    return with_expert_stats(_evaluate(trainer, settings), expert_trajs)


def _make_trainer(
    command: str,
    settings: TrainAdversarialSettings,
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory],
    custom_logger: HierarchicalLogger,
    log_dir: pathlib.Path,
) -> AdversarialTrainer:
    seed = settings.make_seed("agent")
    if settings.agent_path is None:
        gen_algo = make_rl_algo(venv, settings.rl, settings.policy, seed)
    else:
        gen_algo = load_rl_algo_from_path(settings.agent_path, venv, settings.rl, seed)
    reward_net = make_reward_net(venv, settings.reward, settings.rng("reward"))
    with typed.building(f"{command} with algorithm_kwargs"):
        return ALGORITHMS[command](
            demonstrations=expert_trajs,
            venv=venv,
            gen_algo=gen_algo,
            reward_net=reward_net,
            disc_options=settings.discriminator,
            log_dir=log_dir,
            custom_logger=custom_logger,
            rng=settings.rng(command),
            **settings.merged_kwargs(command),
        )


def _evaluate(
    trainer: AdversarialTrainer, settings: TrainAdversarialSettings
) -> Mapping[str, float]:
    """The statistics of the trained policy, with the test reward as its reward."""
    rng = settings.rng("evaluation")
    # Measuring must not change the statistics that the reward is normalized by.
    reward_fn = functools.partial(
        trainer.reward_test.predict_processed, update_stats=False
    )
    with make_venv(settings.environment, rng) as venv:
        rewarded = RewardVecEnvWrapper(venv, reward_fn)
        return eval_policy(trainer.gen_algo, rewarded, settings.policy_evaluation, rng)


train_adversarial_ex = SacredExperiment(
    Script(
        name="train_adversarial",
        doc="Trains GAIL (gail) or AIRL (airl) on demonstrations of an expert.",
        settings_cls=TrainAdversarialSettings,
        commands={"gail": gail, "airl": airl},
    )
)

main_console = train_adversarial_ex.main_console


if __name__ == "__main__":
    main_console()
