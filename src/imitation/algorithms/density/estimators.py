"""Estimators of a density from samples of it.

Kernel estimate: Parzen, "On Estimation of a Probability Density Function and Mode",
Annals of Mathematical Statistics 33(3), 1962. Nearest neighbors: Loftsgaarden and
Quesenberry, "A Nonparametric Estimate of a Multivariate Density Function", Annals of
Mathematical Statistics 36(3), 1965.
"""

import dataclasses
import math
from typing import Protocol

import numpy as np
from typing_extensions import override

from imitation.errors import ConfigError

ESTIMATORS = ("kernel", "knn")
KERNELS = ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine")

# Pairs of a query and a sample in one step of the work; they fit into a cache.
BLOCK = 2**18


class DensityEstimate(Protocol):
    """A density estimated from samples."""

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Computes log densities.

        Args:
            points: shape ``(B, F)``.

        Returns:
            Shape ``(B,)``, float64.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensityOptions:
    """Settings of a density estimate, and their defaults."""

    kernel: str = "gaussian"
    """Kernel of the estimator "kernel": gaussian, tophat, epanechnikov, exponential,
    linear or cosine. All but gaussian and exponential are zero beyond the bandwidth,
    which makes the reward −∞ there."""

    kernel_bandwidth: float = 0.5
    """Width h of the kernel, in the units of the (standardized) inputs. For "knn", the
    distance below which samples count as equally near."""

    standardise_inputs: bool = True
    """Whether each input gets mean 0 and variance 1 over the demonstrations."""

    estimator: str = "kernel"
    """"kernel", whose time for one score grows with the number of demonstrations, or
    "knn", the distance of the k-th nearest neighbor, found in a tree."""

    n_neighbors: int = 10
    """k of "knn"; all samples count where there are fewer."""

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise ConfigError(
                f"estimator must be one of {', '.join(ESTIMATORS)}, got "
                f"{self.estimator!r}"
            )
        if self.kernel not in KERNELS:
            raise ConfigError(
                f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}"
            )
        width, k = self.kernel_bandwidth, self.n_neighbors
        # Settings of a command come from text, so that the types are not certain.
        is_number = isinstance(width, int | float | np.number)
        if not (is_number and math.isfinite(width) and width > 0):
            raise ConfigError(
                f"kernel_bandwidth must be a positive number, got {width!r}"
            )
        if not isinstance(k, int | np.integer) or k < 1:
            raise ConfigError(f"n_neighbors must be a positive integer, got {k!r}")


class GaussianKernelDensity(DensityEstimate):
    """Kernel estimate with the Gaussian kernel, in matrix products.

    log p(x) = log Σᵢ exp(−‖x − xᵢ‖² / 2h²) − log N − F log h − F/2 · log 2π

    With coordinates in units of h, ‖x − y‖² = ‖x‖² − 2(x·y − ‖y‖²/2): the terms that
    depend on both are one matrix product of [x, 1] with [y, −‖y‖²/2].

    Args:
        samples: shape ``(N, F)``.
        bandwidth: h.
    """

    def __init__(self, samples: np.ndarray, bandwidth: float) -> None:
        self._bandwidth = float(bandwidth)
        # Coordinates far from 0 would lose digits in the squares.
        self._center = samples.mean(axis=0, dtype=np.float64)
        scaled = (samples - self._center) / self._bandwidth
        norms = np.einsum("ij,ij->i", scaled, scaled)
        self._samples = np.concatenate([scaled, -0.5 * norms[:, None]], axis=1).T.copy()
        n_samples, n_features = samples.shape
        self._log_norm = math.log(n_samples) + n_features * (
            math.log(self._bandwidth) + 0.5 * math.log(2 * math.pi)
        )

    @override
    def log_density(self, points: np.ndarray) -> np.ndarray:
        scaled = (points - self._center) / self._bandwidth
        augmented = np.concatenate([scaled, np.ones((len(points), 1))], axis=1)
        sums = np.empty(len(points))
        n_rows = max(1, BLOCK // self._samples.shape[1])
        for start in range(0, len(points), n_rows):
            rows = slice(start, start + n_rows)
            terms = augmented[rows] @ self._samples  # (rows, N)
            # log Σ exp, in place: exp of large negative numbers alone would be 0.
            largest = terms.max(axis=1)
            terms -= largest[:, None]
            np.exp(terms, out=terms)
            sums[rows] = largest + np.log(terms.sum(axis=1))
        norms = np.einsum("ij,ij->i", scaled, scaled)
        # ‖x‖² is the same for all samples, so it was left out of the sums.
        scores: np.ndarray = sums - 0.5 * norms - self._log_norm
        return scores


class TreeKernelDensity(DensityEstimate):
    """Kernel estimate with any kernel, by scikit-learn's ``KernelDensity``.

    Args:
        samples: shape ``(N, F)``.
        kernel: name of the kernel.
        bandwidth: its width.
    """

    def __init__(self, samples: np.ndarray, kernel: str, bandwidth: float) -> None:
        from sklearn.neighbors import KernelDensity

        model = KernelDensity(kernel=kernel, bandwidth=float(bandwidth))
        self._model = model.fit(samples)

    @override
    def log_density(self, points: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self._model.score_samples(points)
        return scores


class NearestNeighborDensity(DensityEstimate):
    """Density from the distance r of the k-th nearest sample.

    log p(x) = log k − log N − log V − F/2 · log(r² + h²)

    where V is the volume of the unit ball in F dimensions. A score takes about log N
    operations, where the kernel estimate takes N.

    Differences: the paper has r^F for (r² + h²)^(F/2), and so an infinite density where
    k samples coincide.

    Args:
        samples: shape ``(N, F)``.
        n_neighbors: k; N if there are fewer samples.
        min_distance: h.
    """

    def __init__(
        self, samples: np.ndarray, n_neighbors: int, min_distance: float
    ) -> None:
        from sklearn.neighbors import KDTree  # slow to import, and seldom needed

        n_samples, self._n_features = samples.shape
        self._n_neighbors = min(n_neighbors, n_samples)
        self._min_square = float(min_distance) ** 2
        self._tree = KDTree(np.asarray(samples, dtype=np.float64))
        half = self._n_features / 2
        log_volume = half * math.log(math.pi) - math.lgamma(half + 1)
        self._constant = math.log(self._n_neighbors / n_samples) - log_volume

    @override
    def log_density(self, points: np.ndarray) -> np.ndarray:
        if not len(points):  # the tree refuses an empty query
            return np.zeros(0)
        # (B, k), nearest first.
        distances, _ = self._tree.query(points, self._n_neighbors)
        squares = distances[:, -1] ** 2 + self._min_square
        scores: np.ndarray = self._constant - self._n_features / 2 * np.log(squares)
        return scores


def make_estimate(samples: np.ndarray, options: DensityOptions) -> DensityEstimate:
    """Estimates the density that samples come from.

    Args:
        samples: shape ``(N, F)``.
        options: the kind of estimate.
    """
    width = options.kernel_bandwidth
    if options.estimator == "knn":
        return NearestNeighborDensity(samples, options.n_neighbors, width)
    if options.kernel == "gaussian":  # faster and more exact than scikit-learn's
        return GaussianKernelDensity(samples, width)
    return TreeKernelDensity(samples, options.kernel, width)
