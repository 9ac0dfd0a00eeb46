"""What a session takes of memory: the workflow's estimate against what is measured, and what the workflow asks for."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snakemake.common import overwrite_function_params

from tests.support.paths import ROOT
from tests.support.small_trainings import options
from xcebra_nwb.core import sizes as sizes_of
from xcebra_nwb.core.activity import SHARE
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.core.sizes import MEGABYTE, Sizes
from xcebra_nwb.core.slurm_jobs import Kills
from xcebra_nwb.training import memory
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.trainers import contrastive

COMMON = ROOT / "workflow" / "rules" / "common.smk"
counts = st.integers(1, 10**4)


@given(counts, counts, st.integers(0, 5), st.sampled_from(["bins", "units", "labels", "seen_bytes"]))
@settings(max_examples=50)
def test_a_larger_session_takes_more(bins: int, units: int, labels: int, larger: str) -> None:
    chosen, sizes = schema.validate({}), Sizes(bins=bins, units=units, labels=labels)
    more = sizes.model_copy(update={larger: getattr(sizes, larger) + 1})
    assert sizes_of.session_megabytes(more, chosen) > sizes_of.session_megabytes(sizes, chosen)
    assert sizes_of.step_megabytes(more, chosen) >= sizes_of.step_megabytes(sizes, chosen)


@given(counts, counts, st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]))
@settings(max_examples=20)
def test_what_is_asked_for_holds_the_recording_in_memory(bins: int, units: int, seen: int, recorded: int) -> None:
    sizes = Sizes(bins=bins, units=units, labels=1, seen_bytes=seen, recorded_bytes=recorded)
    chosen = schema.validate({"attribution": {"methods": ["generator_support"]}})
    held = [sizes_of.session_megabytes(sizes, one) * MEGABYTE for one in (schema.validate({}), chosen)]
    assert SHARE * held[0] >= seen * bins * units
    assert SHARE * held[1] >= (seen + recorded) * bins * units


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize(("units", "batch"), [(20, 256), (150, 128)])
def test_a_step_takes_what_is_said_or_a_little_less(name: str, units: int, batch: int) -> None:
    chosen = schema.validate(
        {"encoder": {"architecture": name}, "training": {"batch_size": batch, "seeds": 2, "nulls": 0}}
    )
    shape = architecture(name, units, chosen.encoder.hidden, outputs=8)
    blocks = [Block("time", 0, 8), Block("label", 0, 3)]
    bins = np.arange(20, 1000)

    class Next:
        def draw(self, references: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            return (references + 1) % len(bins)

    data = [Samples(bins, np.arange(len(bins)), [Next(), Next()])] * 2
    inputs = torch.zeros(1020, units)
    one = options(1, batch_size=batch, regularizer_ramp=(0.0, 0.0))

    def work() -> None:
        contrastive.train(inputs, shape, blocks, data, [np.random.default_rng(seed) for seed in (0, 1)], one)

    taken = memory.peak_bytes(work, torch.device("cpu")) / MEGABYTE
    said = sizes_of.step_megabytes(Sizes(bins=1020, units=units, labels=1), chosen)
    assert taken <= said <= 4 * taken


class Killed:
    """Every earlier attempt was killed for want of memory."""

    def kills(self, session: str, attempt: int) -> Kills:
        return Kills(memory=attempt - 1)


def test_the_workflow_asks_for_what_the_sizes_say_once_they_are_known(tmp_path: Path) -> None:
    chosen, sizes = schema.validate({}), Sizes(bins=10**5, units=300, labels=3)
    (tmp_path / "source.nwb").write_bytes(bytes(10**6))
    row = Session(session="a", include=True, source=str(tmp_path / "source.nwb"))
    rules = {"CONFIG": chosen, "TABLE": {"a": row}, "RESULTS": tmp_path, "Path": Path, "sizes": sizes_of}
    rules |= {"HISTORY": Killed(), "workflow": SimpleNamespace(is_main_process=True)}
    functions, _, _ = COMMON.read_text().partition("# Jobs are named by their group")
    rules |= {"inspect": inspect, "overwrite_function_params": overwrite_function_params}
    exec(functions, rules)

    def asked(name: str, attempt: int = 1) -> int:
        return rules[name](SimpleNamespace(session="a"), attempt)

    names = ("session_memory", "results_memory", "training_memory")
    assert [asked(name) for name in names] == [2004] * 3  # guessed from the size of the file
    (tmp_path / "a").mkdir()
    sizes_of.save(sizes, tmp_path / "a")
    held, step = sizes_of.session_megabytes(sizes, chosen), sizes_of.step_megabytes(sizes, chosen)
    found = [sizes_of.PROGRAM_MEGABYTES + held, sizes_of.PROGRAM_MEGABYTES + held + step]
    assert [asked(name) for name in names] == pytest.approx([2004, *found], abs=2)
    assert [asked(name, attempt=2) for name in names[1:]] == pytest.approx([2 * one for one in found], abs=4)
    assert rules["batch_memory"](["a"])(SimpleNamespace(), 1) == pytest.approx(2000 + held + step, abs=2)
