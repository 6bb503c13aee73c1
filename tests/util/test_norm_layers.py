"""Tests of the normalisation layers against formulas over all the data at once."""

import numpy as np
import pytest
import torch as th

from imitation.util.networks import BaseNorm, EMANorm, RunningNorm

NORMS = [RunningNorm, EMANorm]


def random_batches(sizes: list[int], n_features: int = 3) -> list[th.Tensor]:
    return [
        th.randn(size, n_features) * (i + 1) + 10 * i for i, size in enumerate(sizes)
    ]


def test_running_norm_has_the_moments_of_all_samples() -> None:
    batches = random_batches([1, 7, 1, 32, 2])
    norm = RunningNorm(3)
    for i, batch in enumerate(batches):
        norm(batch)
        seen = th.cat(batches[: i + 1]).double()
        th.testing.assert_close(norm.running_mean, seen.mean(0))
        th.testing.assert_close(norm.running_var, seen.var(0, unbiased=False))
        assert norm.count == len(seen)


def ema_by_definition(
    batches: list[th.Tensor], decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Moments of all samples, a batch k steps ago weighing decay^k in total."""
    samples = np.concatenate([batch.double().numpy() for batch in batches])
    weights = np.concatenate(
        [
            np.full(len(batch), decay ** (len(batches) - 1 - i) / len(batch))
            for i, batch in enumerate(batches)
        ]
    )
    weights /= weights.sum()
    mean = weights @ samples
    return mean, weights @ (samples - mean) ** 2


@pytest.mark.parametrize("decay", [0.01, 0.5, 0.99])
def test_ema_norm_weighs_batches_exponentially(decay: float) -> None:
    batches = random_batches([1, 4, 16, 1, 3, 8])
    norm = EMANorm(3, decay=decay)
    for i, batch in enumerate(batches):
        norm(batch)
        mean, var = ema_by_definition(batches[: i + 1], decay)
        np.testing.assert_allclose(norm.running_mean, mean, rtol=1e-12)
        np.testing.assert_allclose(norm.running_var, var, rtol=1e-10, atol=1e-12)
    assert norm.num_batches == len(batches)
    assert norm.count == 33
    th.testing.assert_close(
        norm.inv_learning_rate.item(), sum(decay**k for k in range(len(batches)))
    )


@pytest.mark.parametrize("norm_class", NORMS)
def test_normalizes_the_batch_it_has_seen(norm_class: type[BaseNorm]) -> None:
    x = 5 + 3 * th.randn(64, 2)
    y = norm_class(2)(x)
    th.testing.assert_close(y.mean(0), th.zeros(2), atol=1e-5, rtol=0)
    th.testing.assert_close(y.std(0, unbiased=False), th.ones(2), atol=1e-4, rtol=0)
    assert y.dtype == th.float32


@pytest.mark.parametrize("norm_class", NORMS)
def test_evaluation_mode_changes_nothing(norm_class: type[BaseNorm]) -> None:
    norm = norm_class(2, eps=0.25)
    norm(th.randn(8, 2))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.eval()
    x = th.randn(4, 2)
    y = norm(x)
    expected = (x - before["running_mean"]) / (before["running_var"] + 0.25).sqrt()
    th.testing.assert_close(y, expected.float())
    th.testing.assert_close(norm.state_dict(), before)


@pytest.mark.parametrize("norm_class", NORMS)
def test_reset_restores_the_state_of_a_new_layer(norm_class: type[BaseNorm]) -> None:
    norm = norm_class(2)
    norm(th.randn(8, 2))
    norm.reset_running_stats()
    th.testing.assert_close(norm.state_dict(), norm_class(2).state_dict())
    x = th.randn(4, 2)
    th.testing.assert_close(norm.eval()(x), x, rtol=1e-4, atol=0)


@pytest.mark.parametrize("norm_class", NORMS)
def test_one_sample_and_no_sample(norm_class: type[BaseNorm]) -> None:
    norm = norm_class(2)
    assert norm(th.empty(0, 2)).shape == (0, 2)
    assert norm.count == 0
    th.testing.assert_close(norm(th.tensor([[3.0, -4.0]])), th.zeros(1, 2))
    th.testing.assert_close(norm.running_mean.tolist(), [3.0, -4.0])
    th.testing.assert_close(norm.running_var.tolist(), [0.0, 0.0])


@pytest.mark.parametrize("norm_class", NORMS)
def test_a_vector_is_a_batch_of_one_feature(norm_class: type[BaseNorm]) -> None:
    flat, column = norm_class(1), norm_class(1)
    x = th.randn(6)
    th.testing.assert_close(flat(x), column(x.unsqueeze(1)).squeeze(1))


@pytest.mark.parametrize("dtype", [th.uint8, th.int64, th.float64, th.bfloat16])
def test_dtypes(dtype: th.dtype) -> None:
    norm = RunningNorm(1)
    y = norm(th.tensor([[1], [3]], dtype=dtype))
    assert y.dtype == (dtype if dtype.is_floating_point else th.float32)
    th.testing.assert_close(y.flatten().tolist(), [-1.0, 1.0], rtol=0.01, atol=0)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 3, 3), ()])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(batch, 3\), got"):
        RunningNorm(3)(th.ones(shape))


@pytest.mark.parametrize("decay", [-0.1, 0.0, 1.0, 1.5, float("nan")])
def test_decay_out_of_range(decay: float) -> None:
    with pytest.raises(ValueError, match="decay must be between 0 and 1"):
        EMANorm(3, decay=decay)


def test_count_exceeds_32_bits() -> None:
    norm = RunningNorm(1)
    norm.count.fill_(2**31 - 1)
    norm(th.zeros(2, 1))
    assert norm.count == 2**31 + 1
    assert 0 < norm.running_var.item() <= 1


def test_no_drift_over_millions_of_samples() -> None:
    """In float32 the mean would freeze: 1e-7 of a sample is below its resolution."""
    norm = RunningNorm(1)
    x = 1000 + th.tensor([[-1.0], [1.0]]).repeat(2, 1)
    norm(x)
    norm.count.fill_(10_000_000)
    for _ in range(250):
        norm(x + 1)
    n_new = 1000
    weight = n_new / (10_000_000 + n_new)
    th.testing.assert_close(norm.running_mean.item() - 1000, weight, rtol=1e-6, atol=0)
    # Var = 1 within + weight (1 - weight) between the two means.
    between = weight * (1 - weight)
    th.testing.assert_close(norm.running_var.item() - 1, between, rtol=1e-6, atol=0)


@pytest.mark.parametrize("norm_class", NORMS)
def test_gradients_flow_through_the_input_alone(norm_class: type[BaseNorm]) -> None:
    norm = norm_class(1).double()
    x = th.randn(4, 1, dtype=th.float64, requires_grad=True)
    norm(x)
    y = norm(x)
    norm(x)  # updates the statistics in place between forward and backward
    y.sum().backward()
    assert not any(buffer.requires_grad for buffer in norm.buffers())
    assert x.grad is not None and bool((x.grad == x.grad[0]).all()) and x.grad[0] > 0


@pytest.mark.parametrize("norm_class", NORMS)
def test_loads_float32_statistics_of_release_1(norm_class: type[BaseNorm]) -> None:
    norm = norm_class(2)
    norm(th.randn(8, 2))
    narrow = {
        name: value.float() if value.is_floating_point() else value.int()
        for name, value in norm.state_dict().items()
    }
    loaded = norm_class(2)
    loaded.load_state_dict(narrow)
    assert loaded.count.dtype == th.int64
    assert loaded.running_mean.dtype == th.float64
    x = th.randn(3, 2)
    th.testing.assert_close(loaded.eval()(x), norm.eval()(x))
