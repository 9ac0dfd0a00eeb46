"""Random labels on a plane, a circle and a sphere, each with the distance that defines the nearest label."""

from __future__ import annotations

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors at length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def arc(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distance of two angles along the circle, rad."""
    return np.abs((first - second + np.pi) % (2 * np.pi) - np.pi)[..., 0]


SPACES = {  # a function that draws labels, and the distance that defines the nearest label
    "plane": (lambda rng, n: rng.normal(size=(n, 2)).round(1), lambda a, b: np.linalg.norm(a - b, axis=-1)),
    "circle": (lambda rng, n: rng.uniform(-9, 9, (n, 1)).round(1), arc),
    "sphere": (
        lambda rng, n: unit(rng.normal(size=(n, 3))),
        lambda a, b: np.arccos(np.clip((a * b).sum(-1), -1, 1)),
    ),
}
