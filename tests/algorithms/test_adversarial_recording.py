"""What the generator did, recorded, and the choice of it that is kept."""

from typing import Any, cast

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.errors import ConfigError, DataError
from imitation.training.recording import GeneratorSamples, StepRecorder
from reference.episodes import play_alone
from reference.scripted_env import ScriptedEnv, scripted_policy

N_ENVS: Any = 3


def recorder(kind: Any = "array") -> StepRecorder:
    return StepRecorder(
        DummyVecEnv([lambda i=i: ScriptedEnv(i, 0, kind) for i in range(N_ENVS)])  # type: ignore[misc]  # a default, not an argument
    )


def record(venv: Any, n_steps: Any, obs: None = None) -> Any:
    obs = venv.reset() if obs is None else obs
    for _ in range(n_steps):
        obs, *_ = venv.step(scripted_policy(obs))
    return obs


def parts(obs: Any) -> Any:
    return obs if isinstance(obs, dict) else {"where": obs}


@pytest.mark.parametrize("splits", [[40], [1, 1, 7, 31], [20, 20]])
@pytest.mark.parametrize("kind", ["array", "dict"])
def test_records_what_each_environment_did_alone(kind: str, splits: list[int]) -> None:
    venv = recorder(kind)
    obs, popped = None, []
    for n_steps in splits:
        obs = record(venv, n_steps, obs)
        popped.append(venv.pop())
    ends = []
    for env in range(N_ENVS):
        episodes = play_alone(ScriptedEnv(env, 0, kind), 40)
        obs = [o for episode in episodes for o in episode["obs"][:-1]][:40]
        next_obs = [o for episode in episodes for o in episode["obs"][1:]][:40]
        acts = [a for episode in episodes for a in episode["acts"]][:40]
        dones: Any = np.zeros(max(e["end"] for e in episodes), bool)
        dones[[e["end"] - 1 for e in episodes]] = True
        ends += [(e["end"], env, len(e["acts"])) for e in episodes if e["end"] <= 40]
        for name, expected in (("obs", obs), ("next_obs", next_obs)):
            for key in parts(expected[0]):
                found = [parts(getattr(steps, name))[key][:, env] for steps in popped]
                np.testing.assert_array_equal(
                    np.concatenate(found), [parts(one)[key] for one in expected]
                )
        for name, expected in (("acts", acts), ("dones", dones[:40])):
            found = [getattr(steps, name)[:, env] for steps in popped]
            np.testing.assert_array_equal(np.concatenate(found), expected)
    lengths = [length for steps in popped for length in steps.ep_lens]
    assert lengths == [length for _, _, length in sorted(ends)]


def test_flat_goes_through_time_first() -> None:
    venv = recorder()
    record(venv, 5)
    steps: Any = venv.pop()
    flat: Any = steps.flat()
    assert len(steps) == len(flat["acts"]) == 5 * N_ENVS
    np.testing.assert_array_equal(flat["obs"][:, 0], [0, 1, 2] * 5)
    np.testing.assert_array_equal(flat["obs"][N_ENVS], steps.obs[1, 0])
    arguments = steps.as_arguments()
    assert list(arguments) == ["state", "action", "next_state", "done"]
    np.testing.assert_array_equal(arguments["next_state"], flat["next_obs"])


def test_nothing_to_pop() -> None:
    venv = recorder()
    venv.reset()
    with pytest.raises(DataError, match="no steps were recorded"):
        venv.pop()


def test_reset_forgets() -> None:
    venv = recorder()
    record(venv, 3)
    record(venv, 2)
    assert venv.n_steps == 2
    assert len(venv.pop().acts) == 2


def test_environments_may_reuse_their_arrays() -> None:
    class Reusing(DummyVecEnv):
        buffer: Any

        def step_wait(self) -> Any:
            obs: Any
            obs, *rest = super().step_wait()
            self.buffer[...] = obs
            return self.buffer, *rest

        def reset(self) -> Any:
            self.buffer = np.copy(cast("Any", super().reset()))
            return self.buffer

    makers: Any = [lambda i=i: ScriptedEnv(i, 0) for i in range(N_ENVS)]
    venv, plain = StepRecorder(Reusing(makers)), recorder()
    for each in (venv, plain):
        record(each, 9)
    found, expected = venv.pop().flat(), plain.pop().flat()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


def transitions(start: Any, n: Any) -> dict[str, Any]:
    rows = np.arange(start, start + n)
    return {"obs": {"a": rows, "b": -rows}, "acts": rows * 2, "dones": rows % 2 == 0}


def test_generator_samples_keep_rows_together() -> None:
    kept = GeneratorSamples(10, np.random.default_rng(0))
    kept.store(transitions(0, 6))
    kept.store(transitions(6, 6))
    assert kept.size() == 10
    drawn = kept.sample(200)
    rows = drawn["obs"]["a"]
    assert set(rows.tolist()) == set(range(2, 12))
    np.testing.assert_array_equal(drawn["obs"]["b"], -rows)
    np.testing.assert_array_equal(drawn["acts"], 2 * rows)
    np.testing.assert_array_equal(drawn["dones"], rows % 2 == 0)


def test_generator_samples_choose_among_too_many() -> None:
    kept: Any = GeneratorSamples(10, np.random.default_rng(0))
    kept.store(transitions(0, 100))
    rows = set(kept.sample(300)["acts"].tolist())
    assert len(rows) == 10
    assert max(rows) > 100 > min(rows)  # of all parts, not the last ones


def test_generator_samples_resume() -> None:
    kept = GeneratorSamples(10, np.random.default_rng(0))
    kept.store(transitions(0, 7))
    kept.store(transitions(7, 6))
    other = GeneratorSamples(10, np.random.default_rng(0))
    other.load_state_dict(kept.state_dict())
    other._rng.bit_generator.state = kept._rng.bit_generator.state
    for each in (kept, other):
        each.store(transitions(50, 4))
    np.testing.assert_array_equal(kept.sample(20)["acts"], other.sample(20)["acts"])


def test_generator_samples_need_room() -> None:
    with pytest.raises(ConfigError, match="gen_replay_buffer_capacity=-1"):
        GeneratorSamples(-1, np.random.default_rng(0))
