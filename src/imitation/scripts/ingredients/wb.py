"""Weights & Biases logging."""

import dataclasses
import pathlib
import sys

from imitation.errors import ConfigError, missing_extra
from imitation.scripts.settings import Config, Settings, building, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class WandbSettings(Settings):
    """The appearance of a run at Weights & Biases."""

    prefix = "logging.wandb."

    wandb_tag: str | None = setting(None)
    """Tag of the run; None sets none."""

    wandb_name_prefix: str = setting("")
    """What to put before the name of the run."""

    wandb_kwargs: Config = setting(
        {"project": "imitation", "monitor_gym": False, "save_code": False}
    )
    """Keyword arguments of ``wandb.init``."""

    wandb_additional_info: Config = setting({})
    """Entries to add to the run's config there."""


def wandb_init(
    settings: WandbSettings,
    log_dir: pathlib.Path,
    run_name: str,
    config: Config,
) -> None:
    """Starts a Weights & Biases run."""
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise missing_extra("wandb", "wandb") from error
    log_dir.mkdir(parents=True, exist_ok=True)
    try:
        with building("a run with logging.wandb.wandb_kwargs"):
            wandb.init(
                name=settings.wandb_name_prefix + run_name,
                tags=None if settings.wandb_tag is None else [settings.wandb_tag],
                # Its files lie beside those of the run, not in the current directory.
                dir=str(log_dir),
                config={**config, **settings.wandb_additional_info},
                **settings.wandb_kwargs,
            )
    except wandb.Error as error:
        raise ConfigError(
            f"Weights & Biases does not start: {error} Set WANDB_MODE=offline to keep "
            "its files here"
        ) from error


def wandb_finish(*, failed: bool) -> None:
    """Finishes the Weights & Biases run, so that the next command has its own."""
    # Not imported: without a run of it there is nothing to finish.
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish(exit_code=int(failed))
