"""Studies without a cluster: search spaces, journals, proposals, trials, settings."""

import json
import pathlib
import types
from typing import Any

import pytest

from imitation.errors import ConfigError
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.config.tuning import TuningSettings
from imitation.scripts.parallel import parallel_ex
from imitation.scripts.registry import COMMANDS
from imitation.scripts.settings import build
from imitation.scripts.studies import spaces
from imitation.scripts.studies.journal import Journal, read_trial, write_error
from imitation.scripts.studies.trial import DIRECTORY, finish_trial
from imitation.scripts.tuning import find_best_trial, tuning_ex

tune = pytest.importorskip("ray.tune")

from imitation.scripts.studies.search import (  # noqa: E402 - needs Ray
    SearchedProposals,
    StudySearcher,
    VariantProposals,
)

FAST = ["cartpole", "fast", "environment.fast", "rl.fast"]


def double(spec: object) -> int:
    return 2


@pytest.mark.parametrize(
    ("space", "described"),
    [
        (tune.grid_search([1, 2]), {"grid_search": [1, 2]}),
        (tune.choice([{"a": 1}, None]), {"choice": [{"a": 1}, None]}),
        (tune.uniform(0.0, 1.0), {"uniform": [0.0, 1.0]}),
        (tune.loguniform(1e-5, 1e-2), {"loguniform": [1e-5, 1e-2]}),
        (tune.quniform(0.0, 1.0, 0.1), {"quniform": [0.0, 1.0, 0.1]}),
        (tune.qloguniform(1e-4, 1.0, 1e-4), {"qloguniform": [1e-4, 1.0, 1e-4]}),
        (tune.randint(0, 9), {"randint": [0, 9]}),
        (tune.lograndint(1, 9), {"lograndint": [1, 9]}),
        (tune.qrandint(0, 8, 2), {"qrandint": [0, 8, 2]}),
        (tune.randn(1.0, 2.0), {"randn": [1.0, 2.0]}),
        (tune.qrandn(1.0, 2.0, 0.5), {"qrandn": [1.0, 2.0, 0.5]}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "space",
)
def test_spaces_become_plain_and_come_back(
    space: Any, described: dict[str, Any]
) -> None:
    assert spaces.describe({"x": space}) == {"x": described}
    json.dumps(described)
    again = spaces.realize(described)
    assert spaces.describe(again) == described
    if not isinstance(space, dict):
        assert str(again.domain_str if hasattr(again, "domain_str") else 0) == str(
            space.domain_str if hasattr(space, "domain_str") else 0
        )


def test_objects_are_remembered_by_this_process_only() -> None:
    def local(spec: Any) -> int:
        return 7

    text = spaces.describe({"x": tune.sample_from(local)})["x"]["sample_from"]
    assert spaces.realize({"sample_from": text}).func is local
    again = spaces.describe({"x": tune.sample_from(local)})["x"]["sample_from"]
    assert again == text
    with pytest.raises(ConfigError, match="only in the process that started it"):
        spaces.realize(text + "9")
    assert spaces.describe(print) == "builtins:print"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"choice": []}, "choice must have a list of values"),
        ({"choice": "abc"}, "choice must have a list of values"),
        ({"uniform": ["a", 1]}, "uniform must have numbers"),
        ({"choice": [1], "grid_search": [2]}, "must have one key"),
        ({"sample_from": [1]}, "must name a function"),
        ({"uniform": [3, 1]}, r"uniform must have \[low, high\] with low < high"),
        ({"uniform": [3]}, r"uniform must have \[low, high\]"),
        ({"loguniform": [0, 1]}, "with 0 < low < high, got"),
        ({"randint": [1, 2, 3]}, r"randint must have \[low, high\]"),
        ({"quniform": [0, 1]}, r"quniform must have \[low, high, quantum\]"),
    ],
)
def test_malformed_spaces(space: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(ParallelSettings, {"search_space": {"config_updates": {"seed": space}}})


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"base_named_configs": "cartpole"}, "base_named_configs must be a Sequence"),
        ({"base_named_configs": {"a": 1}}, "base_named_configs must be a Sequence"),
        ({"base_named_configs": [1]}, "base_named_configs must be a Sequence"),
        ({"base_config_updates": ["a"]}, "base_config_updates must be a Mapping"),
        ({"search_space": 3}, "search_space must be a Mapping"),
        (
            {"search_space": {"named_configs": "fast"}},
            r"search_space\['named_configs'\] must be a Sequence",
        ),
        (
            {"search_space": {"named_configs": {"grid_search": ["fast"]}}},
            r"search_space\['named_configs'\] must be a Sequence",
        ),
        (
            {"search_space": {"config_updates": []}},
            r"search_space\['config_updates'\] must be a Mapping",
        ),
    ],
)
def test_documented_type_errors(updates: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        parallel_ex.run(config_updates=updates)


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"sacred_ex_name": "train"}, "must be one of train_rl, train_imitation"),
        ({"repeat": 0}, "repeat must be a positive integer, got 0"),
        ({"num_samples": 0}, "num_samples must be a positive integer"),
        ({"base_named_configs": ["cartpol"]}, "did you mean cartpole"),
        (
            {"base_config_updates": {"total_timestep": 5}},
            "unknown setting 'total_timestep'; did you mean total_timesteps",
        ),
        (
            {"search_space": {"config_updates": {"rl.batch": {"choice": [1]}}}},
            "unknown setting 'rl.batch'",
        ),
        (
            {"search_space": {"command_name": "gail"}},
            "command_name must be one of train_rl for train_rl, got 'gail'",
        ),
        (
            {"base_config_updates": {"logging.log_dir": "x"}},
            "leave out logging.log_dir",
        ),
        ({"tune_run_kwargs": {"num_sample": 3}}, "tune_run_kwargs.num_sample"),
        ({"tune_run_kwargs": {"name": "x"}}, "tune_run_kwargs.name is not known"),
        (
            {"repeat": 2, "tune_run_kwargs": {"search_alg": print}},
            "instance of ray.tune.search.SearchAlgorithm",
        ),
    ],
)
def test_settings_are_checked_before_anything_is_written(
    workdir: pathlib.Path, updates: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parallel_ex.run(config_updates=updates)
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["rl", "bc", "dagger", "gail", "airl", "pc"])
def test_documented_search_spaces_are_sound(algorithm: str) -> None:
    base = {"parallel_run_config": {"base_named_configs": ["seals_cartpole"]}}
    settings = tuning_ex.script.make_settings("tune", base, [algorithm])
    settings.search().check_study()
    assert settings.search().repeat == 3
    assert settings.search().base_named_configs == ("seals_cartpole",)


def test_tuning_needs_a_search_space(workdir: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="one of rl, bc, dagger, gail, airl, pc"):
        tuning_ex.run()
    assert list(workdir.iterdir()) == []


def make_settings(**updates: Any) -> Any:
    config = {"run_name": "study", "seed": 5, "base_named_configs": FAST, **updates}
    return build(ParallelSettings, config)


def test_nested_settings_are_merged_key_by_key() -> None:
    settings = make_settings(
        base_config_updates={"rl": {"batch_size": 64, "rl_kwargs": {"ent_coef": 0.1}}},
        base_named_configs=["a"],
    )
    sampled = {
        "named_configs": ["b"],
        "config_updates": {"rl.rl_kwargs.learning_rate": 1e-3},
        "command_name": "train_rl",
    }
    run = settings.make_run(sampled, 0)
    kwargs = {"ent_coef": 0.1, "learning_rate": 1e-3}
    assert run["config_updates"]["rl"] == {"batch_size": 64, "rl_kwargs": kwargs}
    assert run["named_configs"] == ["a", "b"]
    assert run["command_name"] == "train_rl"


def test_seeds_are_those_of_the_repetition_and_below_the_evaluations() -> None:
    settings = make_settings()
    seeds = [settings.make_run({}, r)["config_updates"]["seed"] for r in (0, 1, 0)]
    assert seeds[0] == seeds[2] != seeds[1]
    assert all(seed < 2**30 for seed in seeds)
    own = settings.make_run({"config_updates": {"seed": 3}}, 0)
    assert own["config_updates"]["seed"] == 3


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("train_rl", "monitor_return_mean"),
        ("train_imitation", "imit_stats/monitor_return_mean"),
        ("train_mce_irl", "imit_stats/return_mean"),
    ],
)
def test_metric_is_one_that_the_command_returns(name: str, metric: str) -> None:
    assert COMMANDS[name].metric == metric


def test_a_missing_study_of_ray_is_one_line(workdir: pathlib.Path) -> None:
    updates = {"experiment_checkpoint_path": str(workdir / "nowhere")}
    with pytest.raises(ConfigError, match="nowhere' holds no study of Ray") as caught:
        parallel_ex.run(config_updates=updates)
    assert "\n" not in str(caught.value)


def make_journal(directory: Any, **updates: Any) -> Journal:
    names = {"sacred_ex_name": "train_rl", "run_name": "study"}
    return Journal(directory, {**names, "cwd": str(directory), **updates})


def make_searcher(
    directory: Any,
    proposals: Any,
    repeat: int = 1,
    metric: Any = None,
    settings: Any = None,
) -> StudySearcher:
    settings = settings or make_settings()
    return StudySearcher(
        make_journal(directory),
        proposals,
        proposals.n_groups,
        repeat,
        settings.make_run,
        metric,
    )


def suggestions(searcher: Any) -> Any:
    found: list[Any] = []
    while isinstance(config := searcher.suggest(f"t{len(found)}"), dict):
        found.append(config)
    return found


GRID = {
    "config_updates": {
        "seed": {"grid_search": [1, 2, 3]},
        "rl": {"rl_kwargs": {"learning_rate": {"loguniform": [1e-5, 1e-2]}}},
    }
}


def rate(config: Any) -> Any:
    return config["config_updates"]["rl"]["rl_kwargs"]["learning_rate"]


def test_grids_are_complete_and_random_values_differ(tmp_path: pathlib.Path) -> None:
    searcher = make_searcher(tmp_path, VariantProposals(GRID, 2, seed=0))
    found = suggestions(searcher)
    seeds = [config["config_updates"]["seed"] for config in found]
    assert seeds == [1, 2, 3, 1, 2, 3]
    assert len({rate(config) for config in found}) == 6
    assert all(1e-5 <= rate(config) <= 1e-2 for config in found)


def test_proposals_depend_on_the_seed_and_the_number_only() -> None:
    one, other = (VariantProposals(GRID, 2, seed=4) for _ in range(2))
    assert other.propose(5) == [one.propose(i) for i in range(6)][5]
    assert VariantProposals(GRID, 2, seed=5).propose(0) != one.propose(0)


def test_a_study_goes_on_where_it_stopped(tmp_path: pathlib.Path) -> None:
    proposals = VariantProposals(GRID, 1, seed=0)
    first = make_searcher(tmp_path, proposals)
    before = [first.suggest("a"), first.suggest("b")]
    again = make_searcher(tmp_path, VariantProposals(GRID, 1, seed=0))
    after = suggestions(again)
    assert after[:2] == before
    assert len(after) == 3
    assert len(make_journal(tmp_path).trials()) == 3


def test_a_directory_keeps_one_study(tmp_path: pathlib.Path) -> None:
    make_journal(tmp_path)
    make_journal(tmp_path, cwd="elsewhere")
    with pytest.raises(ConfigError, match="holds another study"):
        make_journal(tmp_path, run_name="other")


def test_trial_directories_say_what_was_sampled(tmp_path: pathlib.Path) -> None:
    searcher = make_searcher(tmp_path, VariantProposals(GRID, 1, seed=0))
    name = pathlib.Path(searcher.suggest("a")[DIRECTORY]).name
    assert name.startswith("00000-seed=1,learning_rate=")
    assert len(name) < 100


RATES = {"config_updates": {"rl.rl_kwargs.learning_rate": {"uniform": [0.0, 1.0]}}}


class Suggesting(tune.search.Searcher):  # type: ignore[misc, name-defined]  # Ray is untyped
    """Suggests 0.1, 0.2, … and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, Any] = {}
        self.evaluated: list[Any] = []
        self.space = None

    def set_search_properties(
        self, metric: Any, mode: Any, config: Any, **spec: Any
    ) -> bool:
        self.space = config
        return True

    def suggest(self, trial_id: Any) -> dict[str, Any]:
        n = len(self.told) + 1
        self.told[trial_id] = None
        return {"config_updates": {"rl": {"rl_kwargs": {"learning_rate": n / 10}}}}

    def on_trial_complete(
        self, trial_id: Any, result: None = None, error: bool = False
    ) -> None:
        self.told[trial_id] = "error" if error else result

    def add_evaluated_point(self, parameters: Any, value: Any, **kwargs: Any) -> None:
        self.evaluated.append((parameters, value))


def searched(directory: Any, algorithm: Any, n: int = 2, repeat: int = 2) -> Any:
    space = make_settings(search_space=RATES).search_space
    proposals = SearchedProposals(space, algorithm, "stats/score", "max", n)
    return make_searcher(directory, proposals, repeat, metric="stats/score")


def score(value: Any) -> dict[str, Any]:
    return {"stats": {"score": value}}


def test_search_sees_the_mean_of_the_repetitions(tmp_path: pathlib.Path) -> None:
    algorithm: Any = Suggesting()
    searcher = searched(tmp_path, algorithm)
    assert rate(algorithm.space).upper == 1.0
    configs = suggestions(searcher)
    assert [round(rate(c), 2) for c in configs] == [0.1, 0.1, 0.2, 0.2]
    searcher.on_trial_complete("t0", score(3.0))
    assert algorithm.told.get("group0", "untold") is None
    searcher.on_trial_complete("t1", score(5.0))
    assert algorithm.told["group0"] == {"stats/score": 4.0}
    searcher.on_trial_complete("t2", score(1.0))
    searcher.on_trial_complete("t3", error=True)
    assert algorithm.told["group1"] == {"stats/score": 1.0}, "failed ones do not count"


def test_search_is_told_when_all_repetitions_fail(tmp_path: pathlib.Path) -> None:
    algorithm = Suggesting()
    searcher = searched(tmp_path, algorithm, n=1)
    suggestions(searcher)
    for name in ("t0", "t1"):
        searcher.on_trial_complete(name, error=True)
    assert algorithm.told["group0"] == "error"


def test_resumed_search_learns_of_what_was_found_before(tmp_path: pathlib.Path) -> None:
    first = searched(tmp_path, Suggesting())
    for name in ("a", "b", "c"):
        first.suggest(name)
    algorithm = Suggesting()
    again = searched(tmp_path, algorithm)
    configs = suggestions(again)
    assert len(configs) == 4
    assert algorithm.told == {}, "both groups were proposed before the kill"
    for i, value in enumerate((1.0, 3.0, 8.0, 8.0)):
        again.on_trial_complete(f"t{i}", score(value))
    name = "config_updates/rl/rl_kwargs/learning_rate"
    assert algorithm.evaluated == [({name: 0.1}, 2.0), ({name: 0.2}, 8.0)]


def test_optuna_searches_and_takes_up_earlier_results(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("optuna")
    from ray.tune.search.optuna import OptunaSearch

    def make(seed: Any) -> Any:
        algorithm = OptunaSearch(metric="stats/score", mode="max", seed=seed)
        return searched(tmp_path, algorithm, n=12, repeat=1)

    def value(config: pytest.Config) -> Any:
        return -((rate(config) - 0.7) ** 2)

    first, configs = make(0), []
    for i in range(6):
        configs.append(first.suggest(f"t{i}"))
        first.on_trial_complete(f"t{i}", score(value(configs[-1])))
    again = make(6)
    for i in range(12):
        config = again.suggest(f"t{i}")
        if i < 6:
            assert config == configs[i]
        configs.append(config)
        again.on_trial_complete(f"t{i}", score(value(config)))
    study = again.proposals.searcher._ot_study
    assert len(study.trials) == 12
    assert study.best_value == pytest.approx(max(map(value, configs)))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"config_updates": {"seed": {"grid_search": [1]}}}, "grid_search goes with"),
        ({"config_updates": {"seed": 1}}, "holds nothing to search"),
    ],
)
def test_what_cannot_be_searched(
    tmp_path: pathlib.Path, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SearchedProposals(space, Suggesting(), "score", "max", 1)


def test_fast_study_trial_by_trial(tmp_path: pathlib.Path) -> None:
    """What `parallel with fast` does in workers, here in one process."""
    settings = parallel_ex.script.make_settings("parallel", {"seed": 0}, ["fast"])
    proposals = VariantProposals(settings.search_space, 1, seed=0)
    searcher = make_searcher(tmp_path, proposals, settings=settings)
    directories = [pathlib.Path(c[DIRECTORY]) for c in suggestions(searcher)]
    results = [finish_trial(directory) for directory in directories]
    assert all(result["monitor_return_mean"] > 0 for result in results)
    for directory in directories:
        run = json.loads((directory / "sacred" / "1" / "run.json").read_text())
        assert run["experiment"]["name"] == "study"
        assert run["status"] == "COMPLETED"
    stamps = [(d / "result.json").stat().st_mtime_ns for d in directories]
    assert [finish_trial(d) for d in directories] == results
    assert [(d / "result.json").stat().st_mtime_ns for d in directories] == stamps
    assert len(list(directories[0].glob("sacred/[0-9]*"))) == 1, "not run again"
    table = make_journal(tmp_path).write_table().read_text().splitlines()
    assert len(table) == 3 and table[1].startswith("0,finished")


def test_failed_trial_says_why_and_is_tried_again(tmp_path: pathlib.Path) -> None:
    bad = {"config_updates": {"rl": {"rl_kwargs": {"learning_rate": {"choice": [-1]}}}}}
    proposals = VariantProposals(bad, 1, seed=0)
    searcher = make_searcher(tmp_path, proposals)
    directory = pathlib.Path(searcher.suggest("a")[DIRECTORY])
    with pytest.raises(ValueError, match=r"."):
        finish_trial(directory)
    record = read_trial(directory)
    assert record.status == "failed"
    assert "\n" not in record.error and "Error" in record.error
    assert ",failed," not in record.error
    again = make_searcher(tmp_path, VariantProposals(bad, 1, seed=0))
    assert pathlib.Path(again.suggest("a")[DIRECTORY]) == directory


def test_errors_are_kept_in_a_line(tmp_path: pathlib.Path) -> None:
    make_journal(tmp_path)
    write_error(tmp_path, "two\nlines\n")
    assert (tmp_path / "error.txt").read_text() == "two lines"


def trial(rate_: Any, seed: Any, value: Any) -> types.SimpleNamespace:
    result = {} if value is None else score(value)
    updates = {"rl": {"lr": rate_}, "seed": seed}
    config = {"config_updates": updates, DIRECTORY: str(seed), "__trial_index__": seed}
    return types.SimpleNamespace(config=config, last_result=result)


def test_best_trial_is_that_of_the_best_mean() -> None:
    trials: Any = [
        *(trial(0.1, 0, 9.0), trial(0.1, 1, 1.0)),
        *(trial(0.2, 0, 6.0), trial(0.2, 1, 6.0)),
        *(trial(0.3, 0, None), trial(0.3, 1, 5.5)),
    ]
    analysis: Any = types.SimpleNamespace(trials=trials)
    assert find_best_trial(analysis, "stats/score", print_return=True) is trials[2]


@pytest.mark.parametrize("trials", [[], [trial(0.1, 0, None)]])
def test_no_trials_found(trials: list[Any]) -> None:
    analysis: Any = types.SimpleNamespace(trials=trials)
    with pytest.raises(ValueError, match="No trials found"):
        find_best_trial(analysis, "stats/score")


def test_tuning_settings_survive_being_stored() -> None:
    config: Any = {"parallel_run_config": {"search_space": {"config_updates": {}}}}
    objects = {"seed": tune.randint(0, 9)}
    config["parallel_run_config"]["search_space"]["config_updates"] = objects
    settings = build(TuningSettings, config)
    stored = json.loads(json.dumps(dict(settings.parallel_run_config)))
    again = build(TuningSettings, {"parallel_run_config": stored})
    assert again == settings
