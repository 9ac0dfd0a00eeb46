"""Maps of a chunk of bins, by the inverse of the Jacobian, as it is cut either way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from xcebra_nwb.benchmark.solve import label_blocks
from xcebra_nwb.benchmark.speed.ours import RANK_TOLERANCE, shape_of
from xcebra_nwb.benchmark.speed.work import LABEL, Work
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.core.session import labels
from xcebra_nwb.training.trained_ensemble import contrast
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.maps.kept_directions import LabelValues, directions_to_keep
from xcebra_nwb.xcebra.maps.maps import maps_of_jacobian
from xcebra_nwb.xcebra.maps.model import Model

BINS = np.arange(20, 2020)
METHODS = ("inverted_neuron_gradient", "neuron_gradient")


@pytest.mark.parametrize("cut", ["tolerance", "directions"])
@pytest.mark.parametrize("architecture", ["mlp", "conv10"])
def bench_maps_of_2000_bins(benchmark: BenchmarkFixture, architecture: str, cut: str) -> None:
    work = Work(kind="attribution", architecture=architecture)
    model, label = untrained(work), labels(work.task.session)[LABEL]
    values = LabelValues(label.attrs["kind"], [label.values[BINS].reshape(len(BINS), -1)] * model.members)
    kept = RANK_TOLERANCE if cut == "tolerance" else directions_to_keep(model, BINS, [values])
    benchmark(lambda: maps_of_jacobian(model, BINS, kept, METHODS))


def untrained(work: Work) -> Model:
    """A single encoder as it was drawn: what a map costs does not depend on what it says."""
    shape, inputs = shape_of(work), torch.as_tensor(encoder_input(work.task.session))
    layers = encoder.initialize(shape, [np.random.default_rng(0)], inputs.device)
    return Model(inputs, shape, layers, label_blocks(work.task.config), contrast(work.task.config.training))
