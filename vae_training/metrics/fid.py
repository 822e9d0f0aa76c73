"""Frechet Inception distance (Heusel et al. 2017) between originals and reconstructions.

Features are those of `inception`. The distance is that of pytorch-fid up to rounding: it takes the
trace of a matrix root, here by eigenvalues, which stay real where there are fewer pictures than
features. With so few, the value is far too high: compare only sets of the same pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]


def frechet_distance(a: Features, b: Features) -> float:
    """Distance >= 0 of Gaussians fit to features float64[N, D] and float64[M, D].

    |mean_a - mean_b|^2 + tr(C_a) + tr(C_b) - 2 tr((C_a C_b)^(1/2)), with unbiased covariances.
    ValueError for fewer than two pictures in a set.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"FID needs two pictures or more per set; got {len(a)} and {len(b)}")
    shift = a.mean(axis=0) - b.mean(axis=0)
    # The covariance is X^T X with one row of X per picture: the eigenvalues of C_a C_b are the
    # squared singular values of X_a X_b^T, a matrix as small as the smaller of N and D.
    x, y = (_factor(features) for features in (a, b))
    root = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    distance = shift @ shift + np.square(x).sum() + np.square(y).sum() - 2 * root
    return max(float(distance), 0.0)


def _factor(features: Features) -> Features:
    """X of the covariance X^T X, with at most D rows."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return np.asarray(centred)
    return np.asarray(np.linalg.qr(centred, mode="r"))
