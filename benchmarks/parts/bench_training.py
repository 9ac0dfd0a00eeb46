"""What a training is made of: steps, the loss, and the pairs that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.training.design.prepare import prepare
from xcebra_nwb.training.trained_ensemble import options
from xcebra_nwb.xcebra.sampling.groups import Groups
from xcebra_nwb.xcebra.sampling.label_increments import NormalIncrements
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, NearPairs
from xcebra_nwb.xcebra.sampling.windows import TRAIN
from xcebra_nwb.xcebra.trainers import contrastive
from xcebra_nwb.xcebra.trainers.loss import Contrast, contrastive_loss

STEPS = 16  # drawn together
BINS, BATCH, MEMBERS, LATENTS = 20_000, 512, 4, 3


@pytest.mark.parametrize("weight", [0.0, 0.1], ids=["without_penalty", "with_penalty"])
@pytest.mark.parametrize("architecture", ["mlp", "conv10"])
def bench_16_steps(benchmark: BenchmarkFixture, architecture: str, weight: float) -> None:
    work = Work(architecture=architecture)
    ready, inputs = prepare(work.task.session, work.task.config), torch.as_tensor(encoder_input(work.task.session))
    chosen = replace(options(work.task.config), steps=STEPS, regularizer_weight=weight, regularizer_ramp=(0.0, 0.0))
    samples, generators = ready.samples(TRAIN), ready.generators(work.task.config)
    benchmark(lambda: contrastive.train(inputs, ready.shape, ready.blocks, samples, generators, chosen))


def bench_contrastive_loss_and_its_gradient(benchmark: BenchmarkFixture) -> None:
    torch.manual_seed(0)
    latents = [torch.randn(MEMBERS, BATCH, LATENTS, requires_grad=True) for _ in range(3)]
    benchmark(lambda: contrastive_loss(*latents, Contrast()).sum().backward())


@pytest.mark.parametrize("axes", [1, 3])
def bench_drawing_nearest(benchmark: BenchmarkFixture, axes: int) -> None:
    generator = np.random.default_rng(0)
    walk = np.cumsum(generator.normal(size=(BINS, axes)), axis=0)
    rule, references = NearPairs.of(walk, NormalIncrements(1.0)), generator.integers(BINS, size=(STEPS, BATCH))
    benchmark(lambda: rule.draw(references, generator))


def bench_drawing_of_the_same_class(benchmark: BenchmarkFixture) -> None:
    generator = np.random.default_rng(0)
    rule = DiscretePairs(Groups.of(generator.integers(8, size=BINS)))
    references = generator.integers(BINS, size=(STEPS, BATCH))
    benchmark(lambda: rule.draw(references, generator))
