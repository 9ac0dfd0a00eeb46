"""Our side of the speed benchmark: a training or an attribution, and the least work that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from xcebra_nwb.attribution.map_bins import one_of_each_stretch
from xcebra_nwb.benchmark.solve import label_blocks
from xcebra_nwb.benchmark.speed.stopwatch import CPU, finished
from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.training.design.prepare import prepare
from xcebra_nwb.training.trained_ensemble import contrast, options
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.maps.generator import Options
from xcebra_nwb.xcebra.maps.generator_support import METHOD as SUPPORT
from xcebra_nwb.xcebra.maps.generator_support import Observed
from xcebra_nwb.xcebra.maps.maps import JACOBIAN_METHODS, Sampling, attribute
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.windows import TRAIN
from xcebra_nwb.xcebra.trainers import contrastive

RANK_TOLERANCE = 0.05


def ours(work: Work, device: torch.device = CPU) -> Callable[[int], object]:
    """Return a function that does our training or attribution.

    Args:
        work: what to do.
        device: where to do it.

    Returns:
        A function of the number of steps, or of bins.
    """
    return finished(_training(work, device) if work.kind == "training" else _attribution(work, device), device)


def _training(work: Work, device: torch.device) -> Callable[[int], object]:
    ready, settings = prepare(work.task.session, work.task.config), options(work.task.config)
    inputs, samples = torch.as_tensor(encoder_input(work.task.session), device=device), ready.samples(TRAIN)

    def steps(count: int) -> object:
        generators = ready.generators(work.task.config)
        counted = replace(settings, steps=count, regularizer_ramp=(0.0, 0.0))
        return contrastive.train(inputs, ready.shape, ready.blocks, samples, generators, counted)

    return steps


def _attribution(work: Work, device: torch.device) -> Callable[[int], object]:
    """Of encoders as they were drawn: what a map costs does not depend on what it says."""
    shape, inputs = shape_of(work), torch.as_tensor(encoder_input(work.task.session), device=device)
    layers = encoder.initialize(shape, [np.random.default_rng(n) for n in range(work.members)], inputs.device)
    usable, generators = np.arange(shape.window, work.bins - shape.window), [np.random.default_rng(0)] * work.members
    settings = Options(**work.task.config.attribution.generator.model_dump())

    def bins(count: int) -> object:
        first = one_of_each_stretch(usable[:count], max(1, round(count * work.share)), np.random.default_rng(0))
        return attribute(
            Model(inputs, shape, layers, label_blocks(work.task.config), contrast(work.task.config.training)),
            first,
            RANK_TOLERANCE,
            [work.method],
            sampling=Sampling(np.random.default_rng(0), count),
            observed=Observed(inputs, False, first, first, generators, settings) if work.method == SUPPORT else None,
        )

    return bins


def shape_of(work: Work) -> Architecture:
    """Return the encoder's architecture."""
    return architecture(work.architecture, work.units, work.hidden, work.outputs)


def least(work: Work) -> tuple[float, float] | None:
    """Return the least work of a step, or of a bin of the recording.

    Of a member's step: four roles through the encoder and back (values, weights and, but for the first layer, inputs),
    the references once more for the penalty and twice back, and of every objective three products of batch x batch.
    Of a bin: the encoder once, and once back for every latent. What moves is the activations, written and read on each
    way.

    Args:
        work: what to do.

    Returns:
        The operations of its matrix products, and the bytes that have to move; None for methods outside the Jacobian's.
    """
    shape, objectives = shape_of(work), 2
    layers = list(zip(shape.kernels, shape.widths[:-1], shape.widths[1:], strict=True))
    bins = shape.window - np.cumsum([kernel - 1 for kernel, _, _ in layers])  # that every layer's output has
    each = [float(2 * t * kernel * before * after) for t, (kernel, before, after) in zip(bins, layers, strict=True)]
    values = float(shape.window * shape.units + sum(t * after for t, (_, _, after) in zip(bins, layers, strict=True)))
    if work.kind == "attribution":
        once, ways = work.method in JACOBIAN_METHODS, work.share * (1 + work.outputs)
        return (sum(each) * ways, 8 * values * ways) if once else None
    windows = (2 + objectives) * work.batch
    encoded = windows * (3 * sum(each) - each[0]) + work.batch * 3 * sum(each)
    compared = 3 * 2 * work.batch**2 * (work.outputs + 3 + objectives)
    return encoded + compared, 4 * (4 * windows * values + 3 * objectives * work.batch**2)
