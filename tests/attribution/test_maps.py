"""Attribution maps."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support import nwb_builders
from tests.support.over_time import collected
from xcebra_nwb.attribution import session_maps
from xcebra_nwb.attribution.null_test import score_maps
from xcebra_nwb.attribution.time_resolved import OverTimeFile
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.files import sha256
from xcebra_nwb.training import memory
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.maps import maps as attribution
from xcebra_nwb.xcebra.maps.inverse import ROUNDING
from xcebra_nwb.xcebra.maps.jacobian import jacobian
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast

MEMBERS, BINS, UNITS, OUTPUTS = 2, 90, 9, 5
LABELS = [Block("position", 0, 3), Block("speed", 3, 5)]
METHODS = attribution.DEFAULT_METHODS


def model(name: str = "conv10", seed: int = 0) -> tuple[torch.Tensor, Architecture, list[encoder.Layer]]:
    inputs = torch.as_tensor(np.random.default_rng(seed).normal(size=(BINS, UNITS)))
    shape = architecture(name, UNITS, hidden=8, outputs=OUTPUTS)
    layers = encoder.initialize(shape, [np.random.default_rng(s) for s in range(MEMBERS)], torch.device("cpu"))
    return inputs, shape, [tuple(3 * t.double() for t in layer) for layer in layers]


def whole_array_maps(name: str, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Label maps (member, label, unit) and latent maps of the inverse, by numpy's pinv on every bin's full window."""
    inputs, shape, layers = model(name)
    bins = np.arange(10, 80)
    rows = jacobian(shape, layers, inputs, bins)
    flat = rows.reshape(MEMBERS, len(bins), OUTPUTS, -1).numpy()
    inverse = np.linalg.pinv(flat, rcond=np.sqrt(max(tolerance, ROUNDING))).swapaxes(2, 3)
    by_lag = inverse.reshape(MEMBERS, len(bins), OUTPUTS, shape.window, UNITS)
    per_unit = np.sqrt((by_lag**2).sum(axis=3))  # L2 over lags
    label = [np.sqrt((per_unit[:, :, b.first : b.last] ** 2).sum(axis=2).mean(axis=1)) for b in LABELS]
    return np.stack(label, axis=1), per_unit.mean(axis=1)


def maps(name: str = "conv10", tolerance: float = 0.05, **changes: object) -> attribution.Maps:
    inputs, shape, layers = model(name)
    return attribution.attribute(
        Model(inputs, shape, layers, LABELS, Contrast()), np.arange(10, 80), tolerance, **changes
    )


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.3])
def test_the_streamed_map_is_the_whole_array_map(name: str, tolerance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attribution.CHUNK_ELEMENTS, "cpu", 5000)
    found = maps(name, tolerance)
    label, latent = whole_array_maps(name, tolerance)
    close = {"rtol": 1e-8 if tolerance else 1e-4}  # without a cut the Gram squares the condition number
    np.testing.assert_allclose(found.label["inverted_neuron_gradient"], label, **close)
    np.testing.assert_allclose(found.latent["inverted_neuron_gradient"], latent, **close)


@pytest.mark.slow
def test_memory_is_bounded_by_the_chunk_not_by_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    for sizes in (attribution.CHUNK_ELEMENTS, encoder.ELEMENTS):
        monkeypatch.setitem(sizes, "cpu", 20_000)
    rng, shape = np.random.default_rng(0), architecture("conv10", 40, hidden=16, outputs=OUTPUTS)
    inputs = torch.as_tensor(rng.normal(size=(320, 40)), dtype=torch.float32)
    layers = encoder.initialize(shape, [rng], torch.device("cpu"))
    over_time = attribution.OverTime([0], lambda method, first, maps: None)

    def taken(bins: int) -> int:
        where = np.arange(10, bins + 10)
        return memory.peak_bytes(
            lambda: attribution.attribute(
                Model(inputs, shape, layers, LABELS, Contrast()), where, 0.05, METHODS, over_time
            ),
            torch.device("cpu"),
        )

    assert taken(300) <= 1.01 * taken(100) < 50 * 4 * 20_000


def test_out_of_memory_halves_the_chunks_and_says_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attribution.CHUNK_ELEMENTS, "cpu", 64 * OUTPUTS * 10 * UNITS)  # a member at a time
    whole, (before, over_time), done = maps(), collected([1]), []
    maps(over_time=over_time)
    original, sizes = Model.jacobian, []

    def limited(self: Model, bins: np.ndarray, *space: Workspace) -> torch.Tensor:
        sizes.append(len(bins))
        if len(bins) > 20 or sizes == [64, 32, 16, 16, 16]:  # the last in the middle, after a chunk went well
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, bins, *space)

    monkeypatch.setattr(Model, "jacobian", limited)
    after, over_time = collected([1])
    found = maps(over_time=over_time, progress=done.append)
    assert sizes == [64, 32, 16, 16, 16, *[8] * 8 * MEMBERS, *[6] * MEMBERS]
    assert sum(done) == 70
    for method in METHODS:
        np.testing.assert_allclose(found.label[method], whole.label[method], rtol=1e-10)
        np.testing.assert_allclose(found.latent[method], whole.latent[method], rtol=1e-10)
        resolved = [np.concatenate(chunks[method], axis=1) for chunks in (before, after)]
        np.testing.assert_allclose(*resolved, rtol=1e-6)
    np.testing.assert_allclose(found.condition, whole.condition)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("gaps", [False, True])
def test_one_thread_and_two_give_the_same_bits(name: str, gaps: bool) -> None:
    rng, shape = np.random.default_rng(0), architecture(name, 40, hidden=64, outputs=OUTPUTS)
    inputs = torch.as_tensor(rng.normal(size=(2000, 40)), dtype=torch.float32)
    layers = encoder.initialize(shape, [rng, rng], torch.device("cpu"))
    bins = np.arange(10, 1300) if not gaps else np.sort(rng.choice(np.arange(10, 1900), 1300, replace=False))
    threads, found, resolved = torch.get_num_threads(), [], []
    for count in (1, 2):
        by_method, over_time = collected([0, 1])
        torch.set_num_threads(count)
        try:
            found.append(
                attribution.attribute(Model(inputs, shape, layers, LABELS, Contrast()), bins, 0.05, over_time=over_time)
            )
        finally:
            torch.set_num_threads(threads)
        resolved.append(np.concatenate([np.concatenate(by_method[method], axis=1) for method in METHODS]))
    for method in METHODS:
        np.testing.assert_array_equal(found[0].label[method], found[1].label[method])
        np.testing.assert_array_equal(found[0].latent[method], found[1].latent[method])
    np.testing.assert_array_equal(found[0].condition, found[1].condition)
    np.testing.assert_array_equal(*resolved)


def test_the_condition_is_the_median_over_bins_that_are_even_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, shape, layers = model()
    rows = jacobian(shape, layers, inputs, np.arange(10, 80)).flatten(3).numpy()
    conditions = np.linalg.cond(rows) ** 2  # (member, bin)
    np.testing.assert_allclose(maps().condition, np.median(conditions, axis=1), rtol=1e-5)
    monkeypatch.setattr(attribution, "CONDITIONS", 24)
    monkeypatch.setitem(attribution.CHUNK_ELEMENTS, "cpu", 5000)  # 5 bins, no multiple of the 3 between two
    np.testing.assert_allclose(maps().condition, np.median(conditions[:, ::3], axis=1), rtol=1e-5)


def test_a_bin_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Model, bins: np.ndarray, *space: Workspace) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Model, "jacobian", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        maps()


def test_the_forward_map_is_the_norm_of_the_gradient() -> None:
    inputs, shape, layers = model("mlp")
    rows = jacobian(shape, layers, inputs, np.arange(10, 80))
    expected = rows[:, :, 3:5, 0].square().sum(dim=2).mean(dim=1).sqrt()
    np.testing.assert_allclose(maps("mlp").label["neuron_gradient"][:, 1], expected.numpy(), rtol=1e-10)


def test_for_a_linear_encoder_the_inverse_finds_the_generator() -> None:
    """x = G z, f = G^+ x: the inverse of the Jacobian is G itself, zeros included."""
    rng = np.random.default_rng(0)
    generator = rng.normal(size=(UNITS, 4))
    generator[:4, 2:] = 0  # the first four units do not depend on the second label
    weight = torch.as_tensor(np.linalg.pinv(generator).T)[None]
    shape = Architecture(UNITS, 0, 4, kernels=(1,), residual=(False,))
    inputs = torch.as_tensor(rng.normal(size=(30, UNITS)))
    labels = [Block("first", 0, 2), Block("second", 2, 4)]
    layers = [(weight, torch.zeros(1, 1, 4, dtype=torch.float64))]
    found = attribution.attribute(Model(inputs, shape, layers, labels, Contrast()), np.arange(30), 0.0)
    expected = np.stack([np.linalg.norm(generator[:, :2], axis=1), np.linalg.norm(generator[:, 2:], axis=1)])
    np.testing.assert_allclose(found.label["inverted_neuron_gradient"][0], expected, atol=1e-10)
    np.testing.assert_allclose(found.effective_rank, [[2, 2]], atol=1e-9)


def test_maps_over_time_are_those_whose_mean_square_is_the_map() -> None:
    resolved, over_time = collected([1])
    found = maps(over_time=over_time)
    for method in METHODS:
        by_bin = np.concatenate(resolved[method], axis=1)
        assert by_bin.shape == (2, 70, UNITS)
        root = np.sqrt((by_bin.astype(float) ** 2).mean(axis=1))
        np.testing.assert_allclose(root, found.label[method][1], rtol=1e-5)


def test_blocks_at_unit_length_lose_one_rank_each_and_the_inverse_holds() -> None:
    inputs, shape, layers = model("mlp")
    cosine = Contrast("cosine")
    found = attribution.attribute(Model(inputs, shape, layers, LABELS, cosine), np.arange(10, 80), 0.0)
    np.testing.assert_allclose(found.effective_rank, [[2, 1]] * MEMBERS, atol=1e-6)
    assert np.isfinite(found.label["inverted_neuron_gradient"]).all()
    assert found.label["inverted_neuron_gradient"].max() < 1e3


@pytest.mark.slow
def test_the_jacobian_of_unit_length_blocks_is_that_of_automatic_differentiation() -> None:
    inputs, shape, layers = model("mlp")
    one = [(w[:1], b[:1]) for w, b in layers]
    contrast = Contrast("cosine")
    rows = Model(inputs, shape, one, LABELS, contrast).jacobian(np.array([5]))[0, 0, :, 0]

    def prepared(x: torch.Tensor) -> torch.Tensor:
        latents = encoder.forward(shape, one, x[None, None, None])[0][0, 0]
        return torch.cat([contrast.prepare(latents[b.first : b.last]) for b in LABELS])

    torch.testing.assert_close(rows, torch.autograd.functional.jacobian(prepared, inputs[5]))


def test_bins_without_a_gradient_are_left_out_and_counted() -> None:
    inputs, shape, layers = model("mlp")
    clipped = Architecture(UNITS, 8, OUTPUTS, shape.kernels, shape.residual, clip=1e-9)
    found = attribution.attribute(Model(inputs, clipped, layers, LABELS, Contrast()), np.arange(10, 80), 0.05)
    assert found.usable.tolist() == [0, 0]
    assert np.isnan(found.label["inverted_neuron_gradient"]).all()


def test_the_map_is_that_of_the_bins_with_a_gradient() -> None:
    inputs, shape, layers = model("mlp")
    bins = np.arange(10, 80)
    size = np.abs(encoder.embed(shape, layers, inputs, bins)).min(axis=-1)  # (member, bin)
    clip = float(np.median(size))  # beyond it all outputs of a bin are saturated
    clipped = Architecture(UNITS, 8, OUTPUTS, shape.kernels, shape.residual, clip=clip)
    whole = attribution.attribute(Model(inputs, clipped, layers, LABELS, Contrast()), bins, 0.05)
    for member in range(MEMBERS):
        alive = bins[size[member] < clip]
        assert 0 < len(alive) < len(bins)
        found = attribution.attribute(Model(inputs, clipped, layers, LABELS, Contrast()), alive, 0.05)
        assert whole.usable[member] == pytest.approx(len(alive) / len(bins))
        assert found.usable[member] == 1
        np.testing.assert_allclose(whole.effective_rank[member], found.effective_rank[member])
        for method in METHODS:
            np.testing.assert_allclose(whole.label[method][member], found.label[method][member])
            np.testing.assert_allclose(whole.latent[method][member], found.latent[method][member])


def test_float32_rounding_does_not_blow_up_blocks_at_unit_length() -> None:
    """The direction that unit length takes away has a gradient of rounding only, and no cut was asked for."""
    inputs, shape, layers = model("mlp")
    single = [tuple(t.float() for t in layer) for layer in layers]
    cosine, bins = Contrast("cosine"), np.arange(10, 80)
    double = attribution.attribute(Model(inputs, shape, layers, LABELS, cosine), bins, 0.0)
    found = attribution.attribute(Model(inputs.float(), shape, single, LABELS, cosine), bins, 0.0)
    np.testing.assert_allclose(found.effective_rank, double.effective_rank, atol=1e-6)
    for method in METHODS:
        np.testing.assert_allclose(found.label[method], double.label[method], rtol=0.02)


SILENT = 2  # the unit of the tiny session that never changes
QUICK = {"steps": 8, "batch_size": 64, "seeds": 2, "nulls": 3, "held_out_blocks": 2, "device": "cpu"}


def choose(training: dict | None = None, **chosen: object) -> schema.Config:
    return schema.validate({"neural": {"min_spikes": 10}, "training": training or QUICK, "attribution": chosen})


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results directory of a tiny session with a unit that never changes."""
    directory = tmp_path_factory.mktemp("tiny")
    extract(nwb_builders.tiny(directory / "tiny.nwb"), directory, choose(), "tiny")
    session = contract.load(directory / "session.nc")
    session["activity"][:, SILENT] = 3.0
    contract.save(session, directory / "session.nc")
    return directory


@pytest.fixture(scope="module")
def trained(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = Path(shutil.copytree(extracted, tmp_path_factory.mktemp("trained"), dirs_exist_ok=True))
    train(directory, choose())
    return directory


def attributed(directory: Path, **chosen: object) -> xr.Dataset:
    attribute(directory, choose(**chosen))
    with xr.open_dataset(directory / "attribution.nc", engine="h5netcdf") as stored:
        return stored.load()


@pytest.mark.slow
@pytest.mark.parametrize("methods", [METHODS, METHODS[::-1]], ids=lambda methods: methods[0])
def test_the_first_method_is_the_one_that_is_tested(trained: Path, methods: tuple[str, ...]) -> None:
    alone, both = attributed(trained, methods=[methods[0]]), attributed(trained, methods=list(methods))
    assert both.attrs["tested_method"] == methods[0]
    tested = score_maps(both["attribution_seeds"].sel(map_method=methods[0]).values, both["null_attribution"].values)
    other = score_maps(both["attribution_seeds"].sel(map_method=methods[1]).values, both["null_attribution"].values)
    assert not np.allclose(tested.z, other.z, equal_nan=True)
    np.testing.assert_array_equal(both["z"], tested.z)
    for name in ("z", "p_value", "q_value", "null_attribution"):
        np.testing.assert_array_equal(both[name], alone[name])


@pytest.mark.slow
def test_a_unit_that_never_changes_has_no_map_and_no_part_in_the_test(trained: Path) -> None:
    found = attributed(trained)
    names = ("attribution", "attribution_sd", "attribution_low", "attribution_high", "attribution_seeds", "latent_map")
    names += ("null_attribution", "z", "z_low", "z_high", "p_value", "q_value")
    others = np.delete(np.arange(found.sizes["unit"]), SILENT)
    for name in names:
        assert np.isnan(found[name].isel(unit=SILENT)).all(), name
        assert np.isfinite(found[name].isel(unit=others)).all(), name
    assert np.isfinite(found["agreement"]).all()
    seeds, nulls = (found[name].isel(unit=others) for name in ("attribution_seeds", "null_attribution"))
    tested = score_maps(seeds.isel(map_method=0).values, nulls.values)
    for name, values in tested._asdict().items():
        np.testing.assert_allclose(found[name].isel(unit=others), values, rtol=1e-9)


@pytest.mark.slow
def test_maps_of_some_bins_are_near_those_of_all_and_say_how_near(trained: Path) -> None:
    every, some = attributed(trained, bins="all"), attributed(trained, bins=200)
    assert every["sampling_error"].values.tolist() == [0.0] * every.sizes["label"]
    assert every.attrs["map_bins"] == every.attrs["usable_bins"] == some.attrs["usable_bins"] > 200
    assert some.attrs["map_bins"] == 200
    maps, shorter = (found["attribution"].isel(map_method=0).drop_isel(unit=SILENT) for found in (every, some))
    missed = np.sqrt(np.square(shorter - maps).sum("unit") / np.square(maps).sum("unit"))
    assert ((missed > 0) & (missed < 4 * some["sampling_error"])).all()


@pytest.mark.slow
def test_baselines_stand_beside_the_tested_map_at_fewer_bins(trained: Path) -> None:
    beside = ["inverted_neuron_gradient", "integrated_gradients", "feature_ablation"]
    found, alone = attributed(trained, methods=beside, samples=30), attributed(trained)
    assert found["map_method"].values.tolist() == beside
    np.testing.assert_array_equal(found["null_attribution"], alone["null_attribution"])
    others = np.delete(np.arange(found.sizes["unit"]), SILENT)
    for name in ("attribution", "attribution_seeds", "latent_map"):
        assert np.isnan(found[name].isel(unit=SILENT)).all()
        assert np.isfinite(found[name].isel(unit=others)).all()
    assert found.sizes["sample"] == 30
    assert np.isin(found["sampled_time"], netcdf.load_dataset(trained / "session.nc")["time"]).all()
    assert "sampled_time" not in alone


@pytest.mark.slow
def test_a_baseline_can_be_the_tested_method(trained: Path) -> None:
    first, again = (
        attributed(trained, methods=["shapley_sampling", "neuron_gradient"], samples=5).load() for _ in range(2)
    )
    assert first.attrs["tested_method"] == "shapley_sampling"
    others = np.delete(np.arange(first.sizes["unit"]), SILENT)
    assert np.isfinite(first["null_attribution"].isel(unit=others)).all()
    xr.testing.assert_identical(first.drop_attrs(), again.drop_attrs())


@pytest.mark.slow
@pytest.mark.thorough
def test_the_support_of_a_generator_can_be_the_tested_method_or_stand_beside_it(trained: Path) -> None:
    few = {"generator": {"steps": 20}}
    beside = attributed(trained, methods=["neuron_gradient", "generator_support"], **few)
    first, again = (
        attributed(trained, methods=["generator_support", "neuron_gradient"], time_resolved=True, **few)
        for _ in range(2)
    )
    assert first.attrs["tested_method"] == "generator_support"
    xr.testing.assert_identical(first.drop_attrs(), again.drop_attrs())
    seeds = [found["attribution_seeds"].sel(map_method="generator_support").values for found in (beside, first)]
    np.testing.assert_allclose(*seeds, rtol=1e-3)  # a seed's generator is the same whoever is fitted beside it
    others = np.delete(np.arange(first.sizes["unit"]), SILENT)
    for name in ("attribution_seeds", "latent_map", "null_attribution", "z", "generator_deviance_explained"):
        assert np.isnan(first[name].isel(unit=SILENT)).all(), name
        assert np.isfinite(first[name].isel(unit=others)).all(), name
    assert first["generator_deviance_explained"].dims == ("seed", "unit")
    assert first["attribution_over_time"].attrs["method"] == "generator_support"
    assert "generator_deviance_explained" not in attributed(trained)


@pytest.mark.slow
def test_maps_over_time_are_of_the_seeds_at_the_usable_bins(extracted: Path, tmp_path: Path) -> None:
    shutil.copytree(extracted, tmp_path, dirs_exist_ok=True)
    train(tmp_path, choose(QUICK | {"seeds": 1}))
    found = attributed(tmp_path, time_resolved=True)
    session = contract.load(tmp_path / "session.nc")
    np.testing.assert_array_equal(found["time"], session["time"].values[session["segment"].values >= 0])
    for method, name in zip(METHODS, ("attribution_over_time", f"attribution_over_time_{METHODS[1]}"), strict=True):
        resolved = found[name]
        assert resolved.dims == ("label", "time", "unit")
        assert resolved.attrs["method"] == method
        mean_square = (resolved.astype(float) ** 2).mean(dim="time")
        np.testing.assert_allclose(mean_square, found["attribution"].sel(map_method=method) ** 2, rtol=1e-4)


@pytest.mark.slow
def test_by_default_the_inverse_keeps_what_labels_move(trained: Path) -> None:
    found, cut = attributed(trained), attributed(trained, rank_tolerance=0.05)
    shares = found["attribution_seeds"].sel(map_method="inverted_neuron_gradient")
    np.testing.assert_allclose((shares**2).sum(dim="unit"), 1, rtol=1e-6)
    np.testing.assert_allclose(found["effective_rank"], [[2, 1, 1]] * 2)  # position, an angle, a speed
    assert found["free_directions"].dims == ("seed",)
    assert "free_directions" not in cut
    forward = [one["attribution_seeds"].sel(map_method="neuron_gradient") for one in (found, cut)]
    np.testing.assert_array_equal(*forward)


@pytest.mark.slow
@pytest.mark.thorough
def test_members_in_groups_have_the_maps_of_the_ensemble(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = ["inverted_neuron_gradient", "generator_support", "neuron_gradient"]
    chosen = {"methods": methods, "generator": {"steps": 20}, "time_resolved": True}
    together = attributed(trained, **chosen)
    assert "attribution_over_time" not in netcdf.load_dataset(trained / "attribution.nc")
    monkeypatch.setattr(session_maps, "BYTES", 1)  # one at a time
    found = attributed(trained, **chosen)
    xr.testing.assert_allclose(found.drop_attrs(), together.drop_attrs(), rtol=1e-3)
    baselines = {"methods": ["neuron_gradient", "gradient_shap"], "samples": 20}
    alone = attributed(trained, **baselines)
    monkeypatch.undo()
    xr.testing.assert_allclose(alone.drop_attrs(), attributed(trained, **baselines).drop_attrs(), rtol=1e-3)


@pytest.mark.slow
def test_nothing_is_left_of_maps_that_could_not_be_finished(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attributed(trained)
    before = {file.name: sha256(file) for file in trained.iterdir() if file.is_file()}

    def fails(*arguments: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(OverTimeFile, "add", fails)
    with pytest.raises(RuntimeError, match="the disk is full"):
        attributed(trained, time_resolved=True)
    assert {file.name: sha256(file) for file in trained.iterdir() if file.is_file()} == before
