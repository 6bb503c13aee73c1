"""Densities against formulas written out, closed forms, invariances, scikit-learn."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from sklearn.neighbors import KernelDensity

from imitation.algorithms.density.estimators import (
    KERNELS,
    DensityOptions,
    GaussianKernelDensity,
    make_estimate,
)
from imitation.algorithms.density.features import (
    DensityType,
    TransitionFeatures,
    flatten_batch,
)
from imitation.algorithms.density.reward import DensityReward
from imitation.data import types
from imitation.errors import ArtifactError, ConfigError, DataError
from reference import density as reference

BOX = spaces.Box(-1, 1, (2, 3), np.float32)
SPACES = [
    BOX,
    spaces.Discrete(4, start=-1),
    spaces.MultiDiscrete([2, 3], start=[1, -1]),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 2]])),
    spaces.MultiBinary(3),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.Dict({"b": BOX, "a": spaces.Discrete(3)}),
]


def batch_of(space: gym.Space[Any], n: int = 5) -> Any:
    space.seed(0)
    drawn = [space.sample() for _ in range(n)]
    if isinstance(space, spaces.Dict):
        return {key: np.stack([each[key] for each in drawn]) for key in space.spaces}
    return np.stack(drawn)


def row(batch: Any, i: int) -> Any:
    return types.map_maybe_dict(lambda part: part[i], batch)


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_batches_are_flattened_like_single_values(space: gym.Space[Any]) -> None:
    batch = batch_of(space)
    flat = flatten_batch("obs", batch, space)
    for i in range(5):
        single: Any = spaces.flatten(space, row(batch, i))
        assert single.dtype == flat.dtype
        np.testing.assert_array_equal(flat[i], single)
    as_tensors = types.map_maybe_dict(th.as_tensor, batch)
    np.testing.assert_array_equal(flatten_batch("obs", as_tensors, space), flat)


@pytest.mark.parametrize(
    ("values", "space", "message"),
    [
        (np.zeros((4, 3)), BOX, r"obs has the shape \(4, 3\), expected \(batch, 2, 3"),
        (np.float32(1), BOX, r"obs has the shape \(\)"),
        (np.array([0, 4]), spaces.Discrete(4), "obs has values outside its space"),
        (np.array([-1]), spaces.Discrete(4), "obs has values outside its space"),
        (np.zeros((2, 6)), SPACES[-1], "must be a dictionary with the keys"),
        ({"b": np.zeros((2, 2, 3))}, SPACES[-1], "must be a dictionary with the keys"),
    ],
)
def test_values_that_do_not_fit(values: Any, space: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        flatten_batch("obs", values, space)


def test_spaces_that_cannot_be_flattened() -> None:
    strange = spaces.Dict({"x": spaces.Text(3)})
    with pytest.raises(ConfigError, match="densities are of Box, Discrete"):
        TransitionFeatures(DensityType.STATE_DENSITY, strange, spaces.Discrete(2))


def test_parts_of_the_features() -> None:
    obs, act = spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(2)
    states, later = np.array([[1, 2], [3, 4]]) / 10, np.array([[5, 6], [7, 8]]) / 10
    for density_type, expected in {
        DensityType.STATE_DENSITY: [[0.1, 0.2], [0.3, 0.4]],
        DensityType.STATE_ACTION_DENSITY: [[0.1, 0.2, 0, 1], [0.3, 0.4, 1, 0]],
        DensityType.STATE_STATE_DENSITY: [[0.1, 0.2, 0.5, 0.6], [0.3, 0.4, 0.7, 0.8]],
    }.items():
        features = TransitionFeatures(density_type, obs, act)
        found = features(states, np.array([1, 0]), later)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def samples_and_points(
    n_features: int, seed: int = 0
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(30, n_features)), rng.normal(size=(8, n_features))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_features", [1, 3])
def test_kernels_against_the_formula(kernel: str, n_features: int) -> None:
    samples, points = samples_and_points(n_features)
    options = DensityOptions(kernel=kernel, kernel_bandwidth=0.8)
    found = make_estimate(samples, options).log_density(points)
    expected = [
        reference.kernel_log_density(p, samples.tolist(), kernel, 0.8)
        for p in points.tolist()
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("n_neighbors", [1, 4, 100])
def test_neighbors_against_the_formula(n_neighbors: int) -> None:
    samples, points = samples_and_points(3)
    options = DensityOptions(
        estimator="knn", n_neighbors=n_neighbors, kernel_bandwidth=0.1
    )
    found = make_estimate(samples, options).log_density(points)
    expected = [
        reference.neighbor_log_density(p, samples.tolist(), n_neighbors, 0.1)
        for p in points.tolist()
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("bandwidth", [1e-3, 0.4, 50.0])
@pytest.mark.parametrize("far", [0.0, 1e6])
def test_gaussian_like_scikit_learn_near_and_far(bandwidth: float, far: float) -> None:
    samples, points = samples_and_points(5)
    points[0] *= 1e3  # where all kernels are 0 in floating point
    points[1] = samples[1]
    slow = KernelDensity(bandwidth=bandwidth).fit(samples).score_samples(points)
    fast = GaussianKernelDensity(samples + far, bandwidth).log_density(points + far)
    np.testing.assert_allclose(fast, slow, rtol=1e-10 if not far else 1e-4, atol=1e-8)


def test_many_blocks_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, points = samples_and_points(4)
    whole = GaussianKernelDensity(samples, 0.5).log_density(points)
    monkeypatch.setattr("imitation.algorithms.density.estimators.BLOCK", 90)
    parts = GaussianKernelDensity(samples, 0.5).log_density(points)
    np.testing.assert_allclose(parts, whole, rtol=1e-13)
    assert GaussianKernelDensity(samples, 0.5).log_density(points[:0]).shape == (0,)


def test_one_sample_in_closed_form() -> None:
    estimate = GaussianKernelDensity(np.array([[1.0, 2.0]]), 0.5)
    (at, beside) = estimate.log_density(np.array([[1.0, 2.0], [1.5, 2.0]]))
    assert at == pytest.approx(-math.log(2 * math.pi * 0.25))
    assert beside == pytest.approx(at - 0.5)


@pytest.mark.parametrize(("estimator", "width"), [("kernel", 0.05), ("knn", 1e-6)])
def test_many_samples_show_the_density_they_are_from(
    estimator: str, width: float
) -> None:
    samples = np.random.default_rng(0).normal(size=(2000, 1))
    options = DensityOptions(
        estimator=estimator, n_neighbors=50, kernel_bandwidth=width
    )
    grid = np.linspace(-2, 2, 400)
    density = np.exp(make_estimate(samples, options).log_density(grid[:, None]))
    true = np.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
    assert abs((density - true).mean()) < 0.01
    assert abs(density - true).mean() < 0.04


OBS, ACT = spaces.Box(-np.inf, np.inf, (2,), np.float64), spaces.Discrete(2)


def make_reward(**options: Any) -> DensityReward:
    samples, _ = samples_and_points(4)
    features = TransitionFeatures(DensityType.STATE_STATE_DENSITY, OBS, ACT)
    return DensityReward(features, {None: samples}, DensityOptions(**options))


def rate(reward: DensityReward, points: Any, steps: Any = None) -> Any:
    n = len(points)
    return reward(points[:, :2], np.zeros(n, int), points[:, 2:], np.zeros(n), steps)


def test_standardised_inputs_have_no_units() -> None:
    samples, points = samples_and_points(4)
    units, offset = np.array([1, 1e3, 1e-3, 7]), np.array([5, 0, 1, -9])
    features = TransitionFeatures(DensityType.STATE_STATE_DENSITY, OBS, ACT)
    scores = []
    for standardise in (True, False):
        options = DensityOptions(standardise_inputs=standardise)
        for scale, shift in ((1.0, 0.0), (units, offset)):
            reward = DensityReward(features, {None: samples * scale + shift}, options)
            scores.append(rate(reward, points * scale + shift))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)
    assert abs(scores[2] - scores[3]).min() > 1e-2


def test_a_constant_feature_stays_as_it_is() -> None:
    samples, points = samples_and_points(4)
    samples[:, 3] = 7.0
    features = TransitionFeatures(DensityType.STATE_STATE_DENSITY, OBS, ACT)
    reward = DensityReward(features, {None: samples}, DensityOptions())
    points[:, 3] = 7.0
    assert np.isfinite(rate(reward, points)).all()


def make_timed() -> DensityReward:
    samples, _ = samples_and_points(4)
    features = TransitionFeatures(DensityType.STATE_STATE_DENSITY, OBS, ACT)
    parts: Any = {time: samples[time * 10 :][:10] for time in range(3)}
    return DensityReward(features, parts, DensityOptions())


def test_times_have_their_own_densities() -> None:
    reward, points = make_timed(), samples_and_points(4)[1]
    steps = np.array([0, 2, 1, 1, 0, 2, 2, 0])
    found = rate(reward, points, steps)
    for i, time in enumerate(steps):
        alone = rate(reward, points[i : i + 1], np.array([time]))
        np.testing.assert_allclose(found[i], alone[0], rtol=1e-6)
    assert not np.allclose(found, rate(reward, points, np.zeros(8, int)))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (None, "steps must be provided with non-stationary models"),
        ([0] * 7 + [3], r"Time 3 out of range \(0, 3\], and absorbing states not curr"),
        ([0] * 7 + [-1], r"Time -1 out of range \(0, 3\]"),
        ([0] * 7, r"steps must have the shape \(8,\), one for each transition"),
    ],
)
def test_wrong_times(steps: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate(make_timed(), samples_and_points(4)[1], steps)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"standardise_inputs": False, "kernel_bandwidth": 0.3},
    {"kernel": "exponential"},
    {"estimator": "knn", "n_neighbors": 3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_saved_and_loaded_gives_the_same_numbers(tmp_path: Any, options: Any) -> None:
    reward, points = make_reward(**options), samples_and_points(4)[1]
    reward.save(tmp_path / "density")
    again = DensityReward.load(tmp_path / "density")
    assert again.options == reward.options
    np.testing.assert_array_equal(rate(again, points), rate(reward, points))
    files = {path.name for path in (tmp_path / "density").iterdir()}
    assert files == {"density.json", "density.safetensors"}


def test_saved_by_time(tmp_path: Any) -> None:
    reward, points = make_timed(), samples_and_points(4)[1]
    reward.save(tmp_path / "density")
    steps = np.arange(8) % 3
    found = rate(DensityReward.load(tmp_path / "density"), points, steps)
    np.testing.assert_array_equal(found, rate(reward, points, steps))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format_version": 1', '"format_version": 9'),
        ('"kernel"', '"kernels"'),
        ("STATE_STATE_DENSITY", "STATES"),
        ('"type": "Discrete"', '"type": "Strange"'),
        ('"gaussian"', '"square"'),
        ("{", "["),
    ],
)
def test_damaged_files(tmp_path: Any, old: str, new: str) -> None:
    make_reward().save(tmp_path / "density")
    path = tmp_path / "density" / "density.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ArtifactError) as caught:
        DensityReward.load(tmp_path / "density")
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_there(tmp_path: Any) -> None:
    with pytest.raises(ArtifactError, match="cannot read"):
        DensityReward.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "square"}, "kernel must be one of gaussian, tophat"),
        ({"kernel_bandwidth": 0.0}, "kernel_bandwidth must be a positive number"),
        ({"kernel_bandwidth": math.nan}, "kernel_bandwidth must be a positive number"),
        ({"kernel_bandwidth": "wide"}, "kernel_bandwidth must be a positive number"),
        ({"estimator": "tree"}, "estimator must be one of kernel, knn, got 'tree'"),
        ({"n_neighbors": 0}, "n_neighbors must be a positive integer"),
        ({"n_neighbors": 2.5}, "n_neighbors must be a positive integer"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DensityOptions(**options)
