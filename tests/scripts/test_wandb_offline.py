"""Weights & Biases without a network: the documented settings end up in its files."""

import json
import pathlib
from typing import Any

import pytest

from imitation.scripts.train_imitation import train_imitation_ex

wandb = pytest.importorskip("wandb")

FAST = ["cartpole", "environment.fast", "demonstrations.fast", "policy_evaluation.fast"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_run_is_kept_offline(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    started = []
    init = wandb.init

    def remembering(**kwargs: Any) -> Any:
        started.append(init(**kwargs))
        return started[-1]

    monkeypatch.setattr(wandb, "init", remembering)
    train_imitation_ex.run(
        "bc",
        named_configs=[*FAST, "fast", "logging.wandb_logging"],
        config_updates={
            "logging.log_dir": "output/bc/CartPole-v1/1",
            "logging.wandb.wandb_tag": "trying",
            "logging.wandb.wandb_name_prefix": "mine-",
            "logging.wandb.wandb_additional_info": {"note": "hello"},
            "expert.policy_type": "random",
            "bc.batch_size": 8,
            "seed": 0,
        },
    )
    (run,) = started
    assert run.name == "mine-bc-CartPole-v1-1"
    assert run.tags == ("trying",)
    assert run.project == "imitation"
    assert run.config["note"] == "hello"
    assert run.config["bc"]["batch_size"] == 8
    assert wandb.run is None, "the run is finished"
    wandb.teardown()  # waits for the service that writes the file
    (directory,) = (workdir / "output/bc/CartPole-v1/1/wandb").glob("offline-run-*")
    (file,) = directory.glob("run-*.wandb")
    assert b"bc/loss" in file.read_bytes()
    # The other formats are written beside it.
    rows = (workdir / "output/bc/CartPole-v1/1/log/progress.json").read_text()
    assert "bc/loss" in json.loads(rows.splitlines()[0])
