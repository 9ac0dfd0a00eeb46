"""What comes before the encoders, and what judges them."""

from __future__ import annotations

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from xcebra_nwb.assess.activity import explained_sharing
from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.core.activity import encoder_input
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.xcebra.decoding import decoding_score

SAMPLES, LATENTS, UNITS = 20_000, 3, 100
TRAIN, TEST = np.split(np.arange(SAMPLES), [4 * SAMPLES // 5])


def bench_spikes_to_counts(benchmark: BenchmarkFixture) -> None:
    generator, grid = np.random.default_rng(0), Grid(0.0, 0.05, SAMPLES)
    spikes = [np.sort(generator.uniform(0, 0.05 * SAMPLES, 5_000)) for _ in range(UNITS)]
    benchmark(lambda: [grid.count_events(times) for times in spikes])


def bench_encoder_input(benchmark: BenchmarkFixture) -> None:
    session = Work(units=UNITS).task.session
    session["activity"].attrs["smoothing"] = 0.1
    benchmark(lambda: encoder_input(session))


def bench_decoding(benchmark: BenchmarkFixture) -> None:
    """The heaviest of assess: once for every member and label."""
    generator = np.random.default_rng(0)
    latents = np.cumsum(generator.normal(size=(SAMPLES, LATENTS)), axis=0)
    benchmark(lambda: decoding_score(latents, latents[:, :1], TRAIN, TEST, "continuous"))


def bench_what_units_share(benchmark: BenchmarkFixture) -> None:
    """Once for every seed."""
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(SAMPLES, LATENTS))
    activity = (np.tanh(latents @ generator.normal(size=(LATENTS, UNITS)))).astype(np.float32)
    bins = np.arange(SAMPLES)
    benchmark(lambda: explained_sharing(latents, activity, bins, TRAIN, TEST, generator))
