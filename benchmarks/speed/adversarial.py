"""How long does one environment step of GAIL and AIRL take, beside bare PPO?

8 Pendulum environments of `make_vec_env`, rollouts of 256 steps each, minibatches of
64, 5 epochs, and 8 discriminator updates of 512 expert and 512 generator samples a
round; 10,000 expert transitions; networks as in the tutorials, which normalize their
inputs. The bare loop is Stable-Baselines3's PPO alone, on the same environments with
the same settings: its time is that of GAIL without a discriminator. All include their
default log (console, text and CSV; the console leads nowhere), which PPO writes once a
round, and GAIL and AIRL three times: raw values of generator and discriminator, and
means. "bare ÷ ours" is our steps per second as a share of PPO's.
"""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING

from harness import Case, Ratio, Workload, main, same

if TYPE_CHECKING:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecEnv

    from imitation.data.types import Transitions

N_ENVS = 8
N_STEPS = 256
N_ROUNDS = 4
UNITS = N_ENVS * N_STEPS * N_ROUNDS
N_TRANSITIONS = 10_000
RATIOS = (
    Ratio("release ÷ ours", "release", "ours"),
    Ratio("bare ÷ ours", "bare", "ours"),
)


def environments() -> VecEnv:
    """Seeded environments, each in a `Monitor`."""
    import numpy as np

    from imitation.util.util import make_vec_env

    return make_vec_env("Pendulum-v1", rng=np.random.default_rng(0), n_envs=N_ENVS)


def generator(venv: VecEnv) -> PPO:
    """The generator, and what bounds it."""
    from stable_baselines3 import PPO

    return PPO(
        "MlpPolicy",
        venv,
        n_steps=N_STEPS,
        batch_size=64,
        n_epochs=5,
        seed=0,
        device="cpu",
    )


def demonstrations(venv: VecEnv) -> Transitions:
    """Transitions in the spaces' bounds; how fast it is does not depend on them."""
    import numpy as np

    from imitation.data.types import Transitions

    rng = np.random.default_rng(0)
    acts, obs, next_obs = (
        rng.uniform(-1, 1, size=(N_TRANSITIONS, space.shape[0])).astype(np.float32)
        for space in (
            venv.action_space,
            venv.observation_space,
            venv.observation_space,
        )
    )
    return Transitions(
        obs=obs,
        acts=acts,
        next_obs=next_obs,
        dones=np.zeros(N_TRANSITIONS, bool),
        infos=np.array([{}] * N_TRANSITIONS),
    )


def imitation_setup(algorithm: str) -> Workload:
    """`GAIL.train` or `AIRL.train`."""
    from imitation.algorithms.adversarial.airl import AIRL
    from imitation.algorithms.adversarial.gail import GAIL
    from imitation.rewards.reward_nets import BasicRewardNet, BasicShapedRewardNet
    from imitation.util.networks import RunningNorm

    venv = environments()
    trainer_class, net_class = {
        "GAIL": (GAIL, BasicRewardNet),
        "AIRL": (AIRL, BasicShapedRewardNet),
    }[algorithm]
    trainer = trainer_class(
        demonstrations=demonstrations(venv),
        demo_batch_size=512,
        n_disc_updates_per_round=8,
        venv=venv,
        gen_algo=generator(venv),
        reward_net=net_class(
            venv.observation_space,
            venv.action_space,
            normalize_input_layer=RunningNorm,
        ),
    )
    return lambda: trainer.train(UNITS)


def bare_setup() -> Workload:
    """`PPO.learn`."""
    from stable_baselines3.common.logger import configure

    algo = generator(environments())
    directory = tempfile.mkdtemp(prefix="ppo-")
    algo.set_logger(configure(directory, ["stdout", "log", "csv"]))
    return lambda: algo.learn(UNITS, reset_num_timesteps=False)


def case(algorithm: str, target: float | None) -> Case:
    """The case of one algorithm."""
    return Case(
        name=f"{algorithm}, Pendulum-v1",
        setups=same(partial(imitation_setup, algorithm), bare_setup),
        units=UNITS,
        unit="step",
        target=target,
        ratios=RATIOS,
    )


if __name__ == "__main__":
    main(
        "How long does one environment step of GAIL and AIRL take, beside bare PPO?",
        [case("GAIL", 1.25), case("AIRL", None)],
        repeats=15,
    )
