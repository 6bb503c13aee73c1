"""The references of normalized scores: an expert and random actions, by environment.

normalized = (score − random) / (expert − random)

Release 1.0 divided each run by the expert score stored with it. Its DAgger stored that
of the demonstrations which the learner had helped to collect, so that its scores came
out too high; here every run of an environment has the same denominator.
"""

import dataclasses
import functools
import importlib.resources
import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence

from imitation.errors import ArtifactError
from imitation.reports.benchmarks.collect import Run
from imitation.util import artifacts
from imitation.util.paths import AnyPath

# The command whose runs by release 1.0 stored another expert score.
_MIXED = "dagger"


@dataclasses.dataclass(frozen=True)
class Reference:
    """The mean returns that count as 0 and as 1 in an environment; None if unknown."""

    random: float | None = None
    expert: float | None = None
    random_source: str = ""
    expert_source: str = ""

    @property
    def complete(self) -> bool:
        """True if there is a scale."""
        known = self.random is not None and self.expert is not None
        return known and self.random != self.expert

    def normalize(self, score: float) -> float:
        """Returns (score − random) / (expert − random); needs a `complete` scale."""
        assert self.random is not None and self.expert is not None
        return (score - self.random) / (self.expert - self.random)


def find_references(
    runs: Iterable[Run], given: Mapping[str, Reference] | None = None
) -> dict[str, Reference]:
    """Finds the references of every environment of some runs.

    In the order of precedence, the random score is a given one, the mean over
    completed runs of ``eval_policy`` with a random policy, or one that comes with the
    package. The expert score is a given one, or the median over completed runs of the
    expert scores stored with them; those of DAgger count only where there are no
    others.

    Returns:
        References by environment, incomplete where nothing is known.
    """
    by_env: dict[str, list[Run]] = {}
    for run in runs:
        if run.usable and run.env:
            by_env.setdefault(run.env, []).append(run)
    found = {}
    for env, group in by_env.items():
        own = (given or {}).get(env, Reference())
        random, random_source = own.random, "given"
        if random is None:
            random, random_source = _random_score(env, group)
        expert, expert_source = own.expert, "given"
        stored = [run for run in group if run.expert_score is not None]
        if expert is None and stored:
            # Release 1.0 stored for DAgger the mixed episodes of its training.
            clean = [run for run in stored if run.algorithm != _MIXED] or stored
            expert = statistics.median(
                r.expert_score for r in clean if r.expert_score is not None
            )
            expert_source = "runs"
        expert_source = "" if expert is None else expert_source
        found[env] = Reference(random, expert, random_source, expert_source)
    return found


def read_references(path: AnyPath) -> dict[str, Reference]:
    """Reads references that a user has written.

    Args:
        path: a JSON file, ``{"CartPole-v1": {"random": 22, "expert": 500}, ...}``;
            either number may be left out.

    Returns:
        References by environment.

    Raises:
        ArtifactError: the file does not exist or is not like that.
    """
    content = artifacts.read_json(path)
    name = os.fsdecode(path)
    expected = 'an object such as {"CartPole-v1": {"random": 22, "expert": 500}}'
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{name} must hold {expected}")
    references = {}
    for env, scores in content.items():
        fine = isinstance(scores, Mapping) and set(scores) <= {"random", "expert"}
        # JSON's true is an int, and Python reads NaN and Infinity from JSON.
        if not fine or not all(
            isinstance(score, int | float)
            and not isinstance(score, bool)
            and math.isfinite(score)
            for score in scores.values()
        ):
            raise ArtifactError(f"{name} must hold {expected}, got {env!r}: {scores!r}")
        references[env] = Reference(scores.get("random"), scores.get("expert"))
    return references


@functools.cache
def bundled() -> Mapping[str, float]:
    """Returns the mean returns of random actions that come with the package.

    ``benchmarks/returns/random_scores.py`` measures them.
    """
    file = importlib.resources.files("imitation.reports.benchmarks")
    content = json.loads((file / "random_scores.json").read_text("utf-8"))
    return {row["env_name"]: row["return_mean"] for row in content["rows"]}


def _random_score(env: str, runs: Sequence[Run]) -> tuple[float | None, str]:
    # Only eval_policy: a study of another command may have a random expert.
    scores = [
        run.score
        for run in runs
        if run.algorithm == "eval_policy" and run.policy_type == "random"
        if run.score is not None
    ]
    if scores:
        return statistics.fmean(scores), "runs"
    if env in bundled():
        return bundled()[env], "bundled"
    return None, ""
