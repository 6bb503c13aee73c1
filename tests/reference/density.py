"""Densities written out sample by sample, from the formulas."""

import math
from collections.abc import Sequence
from typing import Any

KERNELS: Any = {
    "gaussian": lambda u: math.exp(-0.5 * u * u),
    "exponential": lambda u: math.exp(-u),
    "tophat": lambda u: float(u < 1),
    "epanechnikov": lambda u: max(0.0, 1 - u * u),
    "linear": lambda u: max(0.0, 1 - u),
    "cosine": lambda u: math.cos(math.pi * u / 2) if u < 1 else 0.0,
}
"""K(‖x − xᵢ‖ / h), not normalised."""


def log_volume_of_unit_ball(n_features: int) -> float:
    """By the recursion V(n) = V(n − 2) · 2π / n."""
    if n_features < 2:
        return math.log(2) if n_features else 0.0
    return log_volume_of_unit_ball(n_features - 2) + math.log(2 * math.pi / n_features)


def log_kernel_integral(kernel: Any, n_features: Any, n_points: int = 4_000) -> float:
    """Log of the integral of a kernel over space, in shells around its centre."""
    radius = {"gaussian": 12.0, "exponential": 60.0}.get(kernel, 1.0)
    width = radius / n_points
    total = 0.0
    for i in range(n_points):
        r = (i + 0.5) * width
        total += KERNELS[kernel](r) * r ** (n_features - 1) * width
    surface = math.log(n_features) + log_volume_of_unit_ball(n_features)
    return math.log(total) + surface


def kernel_log_density(
    point: Any,
    samples: Any,
    kernel: Any,
    bandwidth: Any,
) -> float:
    """Parzen's estimate: the mean of kernels around the samples."""
    total = sum(
        KERNELS[kernel](math.dist(point, sample) / bandwidth) for sample in samples
    )
    n_features = len(point)
    norm = log_kernel_integral(kernel, n_features) + n_features * math.log(bandwidth)
    return math.log(total / len(samples)) - norm if total else -math.inf


def neighbor_log_density(
    point: Sequence[float],
    samples: Sequence[Sequence[float]],
    n_neighbors: int,
    min_distance: float,
) -> float:
    """Samples in a ball around the point, divided by its volume."""
    k = min(n_neighbors, len(samples))
    distance = sorted(math.dist(point, sample) for sample in samples)[k - 1]
    radius = math.hypot(distance, min_distance)
    n_features = len(point)
    volume = log_volume_of_unit_ball(n_features) + n_features * math.log(radius)
    return math.log(k / len(samples)) - volume
