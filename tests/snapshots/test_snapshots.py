"""Every run gives the numbers in ``numbers.json``; see `record` where one must not."""

import copy

import pytest

from snapshots import record, runs

DOCUMENT = record.load()
SAME_MACHINE = DOCUMENT["fingerprint"] == record.fingerprint()


@pytest.mark.parametrize("name", runs.RUNS)
def test_numbers_are_the_recorded_ones(name: str) -> None:
    recorded, found = DOCUMENT["runs"][name], record.perform(name)
    differences = record.differences(name, recorded, found, same_machine=SAME_MACHINE)
    assert list(differences) == []


def test_every_recorded_run_exists_and_every_change_has_a_reason() -> None:
    assert DOCUMENT["runs"].keys() == runs.RUNS.keys()
    assert DOCUMENT["changes"]
    for change in DOCUMENT["changes"]:
        assert change["what"] and change["why"]


def test_differences_are_found() -> None:
    recorded: runs.Record = {
        "rows": {".": [{"loss": 0.5, "agent/loss": 2.0}]},
        "sums": {"policy": "00"},
    }
    found = copy.deepcopy(recorded)

    def lines(*, same_machine: bool = True, name: str = "preferences") -> list[str]:
        return [*record.differences(name, recorded, found, same_machine=same_machine)]

    found["rows"]["."][0]["loss"] *= 1 + 1e-7
    found["rows"]["."][0]["new"] = 1.0
    assert lines() == []
    found["rows"]["."][0]["loss"] = 0.50001
    found["rows"]["."][0]["agent/loss"] = 2.1
    found["sums"]["policy"] = "01"
    assert lines() == [
        "., row 0: loss is 0.50001 instead of 0.5",
        "., row 0: agent/loss is 2.1 instead of 2.0",
        "policy: other bits",
    ]
    # Elsewhere weights have other bits, and what the agent sees has another constant.
    assert lines(same_machine=False) == ["., row 0: loss is 0.50001 instead of 0.5"]
    assert len(lines(same_machine=False, name="bc")) == 2
    del found["rows"]["."][0]["loss"]
    assert lines()[0] == "., row 0: loss is missing"
    found["rows"].clear()
    assert lines()[0] == ".: 0 rows instead of 1"
