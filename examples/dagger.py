"""Trains DAgger with an expert that is a plain function.

Any function from observations to actions can be the expert. This one is a hand-written
controller, better than most first policies and far from optimal; DAgger's learner comes
to act like it.

    python examples/dagger.py
"""

import tempfile

import numpy as np

from imitation.algorithms import bc
from imitation.algorithms.dagger import SimpleDAggerTrainer
from imitation.policies.evaluate import evaluate
from imitation.util import util


def push_towards_the_lean(observations, state=None, episode_starts=None):
    """Pushes the cart under the pole: right if the pole leans or falls to the right."""
    position, velocity, angle, spin = observations.T
    lean = angle + 0.5 * spin + 0.02 * position + 0.05 * velocity
    return (lean > 0).astype(np.int64), state


rng = np.random.default_rng(0)
venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=2)
learner = bc.BC(
    observation_space=venv.observation_space,
    action_space=venv.action_space,
    rng=rng,
)
with tempfile.TemporaryDirectory() as scratch_dir:
    trainer = SimpleDAggerTrainer(
        venv=venv,
        scratch_dir=scratch_dir,
        expert_policy=push_towards_the_lean,
        bc_trainer=learner,
        rng=rng,
    )
    trainer.train(total_timesteps=4_000)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
