"""Proposing trials to Ray Tune, and saying how far they have come.

What is left of the journal comes first, then new trials.
"""

import itertools
import logging
import math
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from ray import tune
from ray.tune.search import Searcher
from ray.tune.search.variant_generator import generate_variants
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.settings import Config, ConfigDict, merge
from imitation.scripts.studies.journal import Journal, TrialRecord, write_error
from imitation.scripts.studies.spaces import describe, realize, spaces_in
from imitation.scripts.studies.trial import DIRECTORY

_logger = logging.getLogger(__name__)

# Ray's own key for the number of a repetition.
_REPEAT = "__trial_index__"


class Proposals(Protocol):
    """A source of settings for groups of trials."""

    def propose(self, group: int) -> ConfigDict | None:
        """Returns sampled settings, plain and nested; None if there are none now."""

    def tell(
        self, group: int, sampled: Mapping[str, object], value: float | None
    ) -> None:
        """Learns the mean metric of a group; None if all its trials failed."""


class VariantProposals:
    """Every point of the grids, with random values for everything else.

    The group's number decides what is proposed, so nothing needs to be remembered.
    """

    def __init__(
        self, space: Mapping[str, object], num_samples: int, seed: int
    ) -> None:
        self.space = space
        self.seed = seed
        grids = [args for _, kind, args in spaces_in(space) if kind == "grid_search"]
        self.n_groups = num_samples * math.prod(map(len, grids))
        self._variants = self._all()
        self._done: list[ConfigDict] = []

    def propose(self, group: int) -> ConfigDict | None:
        """Returns the settings of a group."""
        missing = group + 1 - len(self._done)
        self._done += itertools.islice(self._variants, max(0, missing))
        return self._done[group]

    def tell(
        self, group: int, sampled: Mapping[str, object], value: float | None
    ) -> None:
        """Learns nothing."""

    def _all(self) -> Iterator[dict[str, object]]:
        # Ray samples from a legacy generator; it is private to this object.
        random_state = np.random.RandomState(self.seed % 2**32)
        spec = {"config": realize(self.space)}
        while True:
            for _, variant in generate_variants(spec, random_state=random_state):
                yield describe(variant["config"])


class SearchedProposals:
    """Settings suggested by a search algorithm of Ray, such as Optuna.

    Args:
        space: the described search space.
        searcher: the algorithm.
        metric: what to optimize, with "/" between the levels of the result.
        mode: "max" or "min".
        num_samples: the number of groups.
    """

    def __init__(
        self,
        space: Mapping[str, object],
        searcher: Searcher,
        metric: str,
        mode: str,
        num_samples: int,
    ) -> None:
        self.space = space
        self.searcher = searcher
        self.metric = metric
        self.n_groups = num_samples
        self._own: set[int] = set()
        searched: ConfigDict = {}
        for path, kind, arguments in spaces_in(space):
            name = ".".join(path)
            if kind in ("grid_search", "sample_from"):
                raise ConfigError(
                    f"search_space.{name}: {kind} goes with repeat=1 and no search_alg "
                    "only; use choice, uniform, loguniform or randint"
                )
            inner: Any = realize({kind: arguments})
            for key in reversed(path):
                inner = {key: inner}
            searched = merge(searched, inner)
        if not searched:
            raise ConfigError(
                "search_space holds nothing to search: give at least one of its "
                'settings as {"choice": [...]}, {"uniform": [low, high]} or the like, '
                "or set repeat=1"
            )
        searcher.set_search_properties(metric, mode, searched)

    def propose(self, group: int) -> ConfigDict | None:
        """Asks the algorithm."""
        suggested = self.searcher.suggest(f"group{group}")
        if not isinstance(suggested, dict):  # nothing now, or nothing any more
            return None
        self._own.add(group)
        values = dict(_flat(suggested))
        described: ConfigDict = describe(_replaced(self.space, values, ()))
        return described

    def tell(
        self, group: int, sampled: Mapping[str, object], value: float | None
    ) -> None:
        """Tells the algorithm, also about what it has not suggested itself."""
        # A searcher knows only its own suggestions; the others come from before a kill.
        if group in self._own:
            result = None if value is None else {self.metric: value}
            self.searcher.on_trial_complete(
                f"group{group}", result=result, error=value is None
            )
        elif value is not None:
            values = {}
            for path, _, _ in spaces_in(self.space):
                found: Any = sampled
                for key in path:
                    found = found[key]
                # Searchers of Ray name nested parameters with slashes.
                values["/".join(path)] = found
            self.searcher.add_evaluated_point(values, value)


class StudySearcher(Searcher):
    """Hands the trials of a study to Ray, each group as often as it is repeated.

    `make_run` makes the complete arguments of a run from what was sampled and the
    number of the repetition. The mean `metric` of each group is told to the proposals;
    None tells nothing.
    """

    def __init__(
        self,
        journal: Journal,
        proposals: Proposals,
        n_groups: int,
        repeat: int,
        make_run: Callable[[Config, int], ConfigDict],
        metric: str | None,
    ) -> None:
        super().__init__(metric=metric, mode=None)
        self.journal = journal
        self.proposals = proposals
        self.n_groups = n_groups
        self.repeat = repeat
        self.make_run = make_run
        self.target = metric
        known = journal.trials()
        self._known = {(t.group, t.repeat): t for t in known}
        # All repetitions of a group come first, so that its mean is known early.
        self._queue = [(g, r) for g in range(n_groups) for r in range(repeat)]
        self._sampled = {t.group: t.sampled for t in known}
        self._running: dict[str, TrialRecord] = {}
        self._values: dict[int, list[float | None]] = {}

    @override
    def suggest(self, trial_id: str) -> Any:
        if not self._queue:
            return str(Searcher.FINISHED)
        group, repeat = self._queue[0]
        record = self._known.get((group, repeat))
        if record is None:
            record = self._new(group, repeat)
            if record is None:
                return None
        self._queue.pop(0)
        self._running[trial_id] = record
        place = {DIRECTORY: str(record.directory), _REPEAT: repeat}
        return merge(record.sampled, place)

    @override
    def on_trial_complete(
        self, trial_id: str, result: ConfigDict | None = None, error: bool = False
    ) -> None:
        record = self._running.pop(trial_id)
        values = self._values.setdefault(record.group, [])
        value: object = None
        if not error and result and self.target is not None:
            value = result.get(self.target)
            if value is None:
                value = dict(_flat(result)).get(self.target)
        values.append(float(value) if isinstance(value, int | float) else None)
        if len(values) == self.repeat:
            known = [v for v in values if v is not None and math.isfinite(v)]
            mean = statistics.fmean(known) if known else None
            self.proposals.tell(record.group, record.sampled, mean)

    def _new(self, group: int, repeat: int) -> TrialRecord | None:
        """Writes a new trial down; None if there is no proposal for it yet."""
        if group not in self._sampled:
            proposed = self.proposals.propose(group)
            if proposed is None:
                return None
            self._sampled[group] = proposed
        sampled = self._sampled[group]
        return self.journal.add(
            index=group * self.repeat + repeat,
            group=group,
            repeat=repeat,
            sampled=sampled,
            run=self.make_run(sampled, repeat),
            sacred_ex_name=self.journal.spec["sacred_ex_name"],
            run_name=self.journal.spec["run_name"],
            cwd=self.journal.spec["cwd"],
        )

    @override
    def set_search_properties(
        self, metric: str | None, mode: str | None, config: ConfigDict, **spec: Any
    ) -> bool:
        return True  # the study knows its own metric and space

    # The journal is the state.
    @override
    def save(self, checkpoint_path: str) -> None: ...

    @override
    def restore(self, checkpoint_path: str) -> None: ...


def _flat(config: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in config.items():
        name = f"{path}/{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, value


def _replaced(
    config: object, values: Mapping[str, object], path: tuple[str, ...]
) -> object:
    """Described settings with the suggested value in place of every space."""
    name = "/".join(path)
    if name in values:
        return values[name]
    if isinstance(config, Mapping):
        return {k: _replaced(v, values, (*path, str(k))) for k, v in config.items()}
    return config


class Progress(tune.Callback):
    """Says after each trial how many have ended and how long the rest will take."""

    def __init__(self, n_trials: int, n_before: int) -> None:
        self.n_trials = n_trials
        self.n_before = n_before
        self.n_ended = 0
        self.started = time.monotonic()

    def on_trial_complete(
        self, iteration: int, trials: list[Any], trial: object, **info: object
    ) -> None:
        """Says that a trial is finished."""
        self._tell(trial, "finished")

    def on_trial_error(
        self, iteration: int, trials: list[Any], trial: Any, **info: object
    ) -> None:
        """Says that a trial failed, and keeps it where its worker could not."""
        directory = pathlib.Path(trial.config[DIRECTORY])
        if not (directory / "error.txt").exists():
            # Ray's last line about a worker that left no reason itself.
            path = pathlib.Path(trial.error_file or "")
            lines = path.read_text("utf-8").split("\n") if path.is_file() else []
            last = next((x for x in reversed(lines) if x.strip()), "no reason given")
            write_error(directory, f"the worker died: {last}")
        self._tell(trial, "failed")

    def _tell(self, trial: Any, what: str) -> None:
        self.n_ended += 1
        name = pathlib.Path(trial.config[DIRECTORY]).name
        n_new = self.n_ended - self.n_before
        left = ""
        if n_new > 0 and self.n_ended < self.n_trials:
            seconds = (time.monotonic() - self.started) / n_new
            minutes = seconds * (self.n_trials - self.n_ended) / 60
            left = f", about {minutes:.1f} min left"
        _logger.info("%d/%d: %s %s%s", self.n_ended, self.n_trials, name, what, left)
