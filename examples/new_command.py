"""The command of a new algorithm: its settings, what it runs, and what it is called.

python examples/new_command.py with seals_cartpole expert.policy_type=bundled
python examples/new_command.py with resume=RUN_DIR
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from new_algorithm import Mimic

from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.bases import ExpertDataSettings
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.ingredients.demonstrations import get_expert_trajectories
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import setting
from imitation.training.checkpoints import Checkpoints


@dataclasses.dataclass(frozen=True, kw_only=True)
class MimicSettings(ExpertDataSettings):
    """Settings of mimic."""

    named_configs: ClassVar = environment_presets({"fast": {"n_steps": 5}})

    n_steps: int = setting(1000, more_than=0)
    """Optimizer steps."""

    state_interval: int = setting(100, at_least=0)
    """Steps between two saved states, from which resume= continues."""


def mimic(settings: MimicSettings, run: RunHandle) -> Mapping[str, Mapping[str, float]]:
    """Trains a policy and evaluates it."""
    _, log_dir = setup_logging(run, settings.logging)
    data = get_expert_trajectories(
        settings.demonstrations,
        settings.expert,
        settings.environment,
        settings.rng("demonstrations"),
    )
    with make_venv(settings.environment, settings.rng("training")) as venv:
        trainer = Mimic(data, venv, settings.rng("mimic"))
        saver = Checkpoints(
            trainer, log_dir / "checkpoints", state_every=settings.state_interval
        )
        if settings.resume is not None:
            saver.resume()
        trainer.train(settings.n_steps, saver)
        rng = settings.rng("evaluation")
        stats = eval_policy(trainer.policy, venv, settings.policy_evaluation, rng)
    return {"imit_stats": stats}


mimic_ex = SacredExperiment(
    Script(
        name="mimic",
        doc="Imitates an expert.",
        settings_cls=MimicSettings,
        commands={"mimic": mimic},
    )
)

if __name__ == "__main__":
    mimic_ex.main_console()
