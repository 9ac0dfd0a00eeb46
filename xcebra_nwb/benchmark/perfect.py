"""The check before any measurement: an encoder that is the true inverse must score a perfect map.

Its Jacobian is the pseudo-inverse of the true generator's. It goes through the same attribution and the same metrics
as every trained encoder's. If it does not score as it must, no other score of the benchmark means anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.benchmark.metrics import Score, auroc, row_auroc, trivial_auroc
from xcebra_nwb.benchmark.simulate.two_populations import SHARED, Synthetic, paper_design
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.maps.maps import Maps, maps_of_jacobian
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast

LEAST = 0.995
METHOD = "inverted_neuron_gradient"
LATENTS = (4, 9)
SAMPLES = 2_000


def scores() -> list[Score]:
    """Return the scores of the known-perfect encoder.

    Raises:
        Failure: a score is less than :data:`LEAST`.
    """
    rows = []
    for latents in LATENTS:
        data = paper_design(latents, SAMPLES, np.random.default_rng(latents))
        maps = true_maps(data)
        row, label = row_auroc(maps.latent[METHOD][0], data.carries), auroc(maps.label[METHOD][0, 0], data.carries[-1])
        if not min(row, label) >= LEAST:
            raise Failure(
                f"a known-perfect encoder of {latents} latents scores {row:.3f} by row and {label:.3f} by label, less "
                f"than {LEAST}: the metric or the inverse is broken",
                "nothing is measured with it",
            )
        pooled = {
            "pooled_auroc": auroc(maps.latent[METHOD][0], data.carries),
            "trivial_auroc": trivial_auroc(data.carries),
        }
        rows.append({"setting": f"d = {latents}", "method": METHOD, "row_auroc": row, **pooled, "label_auroc": label})
    return rows


def true_maps(data: Synthetic) -> Maps:
    """Return the maps of the encoder that inverts the generator, over all bins.

    Args:
        data: the simulated data with their generator.
    """
    latents, units = data.carries.shape
    model = TrueInverse(
        inputs=torch.as_tensor(data.latents),
        shape=architecture("mlp", units, 1, latents),
        layers=[],
        labels=[Block("target", SHARED, latents)],
        contrast=Contrast(),
        data=data,
    )
    return maps_of_jacobian(model, np.arange(len(data.latents)), rank_cut=0.0)  # no noise, nothing to cut


@dataclass(frozen=True)
class TrueInverse(Model):
    """An encoder without layers that is known to be right.

    It reads the true latents where others read the rates.
    """

    data: Synthetic

    @property
    def members(self) -> int:
        """One."""
        return 1

    def jacobian(self, bins: NDArray[np.int64], space: Workspace | None = None) -> Tensor:
        """Return the pseudo-inverse (1, B, K, 1, D) of the generator's Jacobian.

        Args:
            bins: time bins at whose true latents it is taken, (B,).
            space: not used.
        """
        generator = standardized_jacobian(self.data, self.data.latents[bins])
        return torch.as_tensor(np.linalg.pinv(generator))[None, :, :, None]


def standardized_jacobian(data: Synthetic, latents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivative of the rates as encoders see them.

    Args:
        data: the simulated data with their generator.
        latents: where it is taken, (bin, latent).

    Returns:
        (bin, unit, latent), of rates at unit variance.
    """
    return data.jacobian(latents) / data.rates.std(axis=0)[:, None]
