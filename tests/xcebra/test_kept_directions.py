"""Which directions of the latents the inverse keeps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.maps import chunk, kept_directions, maps
from xcebra_nwb.xcebra.maps.inverse import gram, times
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections, LabelValues, free_directions
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.maps.tangents import Tangents, tangents
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast

BINS = 3000


def ring(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An angle (bin, 1), and a block (bin, 3) that lies on a ring in its first two latents, with noise."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, (BINS, 1))
    return angle, np.hstack([np.cos(angle), np.sin(angle), np.zeros_like(angle)]) + 0.1 * rng.normal(size=(BINS, 3))


def test_an_angle_moves_its_block_along_the_ring() -> None:
    angle, latents = ring()
    place, projector, _ = tangents(latents, angle, "circular")
    along = np.hstack([-np.sin(angle), np.cos(angle), np.zeros_like(angle)])
    kept = np.einsum("ni,nij,nj->n", along, projector[place], along)
    np.testing.assert_allclose(np.trace(projector, axis1=1, axis2=2), 1)
    assert np.median(kept) > 0.98


def test_where_the_animal_rests_does_not_decide_the_slope() -> None:
    rng = np.random.default_rng(0)
    speed = np.where(rng.random(BINS) < 0.8, 1e-3 * rng.random(BINS), rng.random(BINS))
    latents = np.stack([2 * speed, -speed, np.zeros(BINS)], axis=1) + 0.05 * rng.normal(size=(BINS, 3))
    place, projector, _ = tangents(latents, speed, "continuous")
    expected = np.outer([2, -1, 0], [2, -1, 0]) / 5
    assert np.abs(projector[place] - expected).max(axis=(1, 2)).mean() < 0.15


def test_an_axis_that_never_varies_moves_nothing() -> None:
    rng = np.random.default_rng(0)
    track = np.stack([rng.random(BINS), np.full(BINS, 3.0)], axis=1)
    latents = np.stack([track[:, 0], np.sin(track[:, 0]), rng.normal(size=BINS)], axis=1)
    projector = tangents(latents, track, "continuous").projector
    np.testing.assert_allclose(np.trace(projector, axis1=1, axis2=2), 1)


def test_classes_move_a_block_between_their_means() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=BINS)
    means = np.array([[0.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0]])
    place, projector, _ = tangents(means[codes] + 1e-9 * rng.normal(size=(BINS, 4)), codes, "discrete")
    assert (place == 0).all()
    np.testing.assert_allclose(np.trace(projector[0]), 2)
    np.testing.assert_allclose(projector[0] @ means.T, means.T, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 40), st.sampled_from(["continuous", "circular", "discrete"])
)
def test_they_are_projectors_of_at_most_the_labels_dimensions(axes: int, latents: int, levels: int, kind: str) -> None:
    rng = np.random.default_rng(levels)
    axes = axes if kind == "continuous" else 1
    values = rng.integers(levels, size=(60, axes)) * (1 if kind == "discrete" else 0.37)
    block = rng.normal(size=(60, latents))
    _, projector, _ = tangents(block, values[:, 0] if kind == "discrete" else values, kind)
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-8)
    most = levels - 1 if kind == "discrete" else axes
    assert np.trace(projector, axis1=1, axis2=2).max() <= min(most, latents) + 1e-8


def test_the_step_is_as_long_as_the_label_moves_the_block() -> None:
    values = np.random.default_rng(0).normal(size=(BINS, 2))
    values /= values.std(axis=0)
    latents = values @ np.array([[3.0, 0, 0], [0, 0.5, 0]])
    step = tangents(latents, values, "continuous").displacement
    np.testing.assert_allclose(step, np.broadcast_to(np.diag([3, 0.5, 0]), step.shape), atol=1e-6)


def walk(count: int, seed: int = 0) -> np.ndarray:
    """Independent slow signals (bin, count)."""
    steps = np.random.default_rng(seed).normal(size=(BINS, count))
    return np.stack([np.convolve(column, np.ones(20), mode="same") for column in steps.T], axis=1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_of_the_free_latents_only_what_is_new_is_kept(scale: float) -> None:
    known, new = walk(2), walk(1, seed=1)
    repeated = np.tanh(known[:, :1] / 5) * 5
    free = scale * np.hstack([repeated + new, repeated - new])  # an axis of neither is new or repeated
    projector = free_directions(np.hstack([known, free]), np.array([2, 3]))
    np.testing.assert_allclose(np.trace(projector), 1)
    assert projector[0, 1] < -0.4  # the difference of the two


def test_free_latents_that_are_all_new_or_that_never_vary() -> None:
    known, free = walk(2), walk(2, seed=1)
    np.testing.assert_allclose(free_directions(np.hstack([known, free]), np.array([2, 3])), np.eye(2), atol=1e-10)
    flat = np.hstack([known, free[:, :1], np.ones((BINS, 1))])
    np.testing.assert_allclose(free_directions(flat, np.array([2, 3])), np.diag([1, 0]), atol=1e-10)
    assert free_directions(known, np.zeros(0, dtype=int)).shape == (0, 0)


def linear(weight: np.ndarray, inputs: np.ndarray, labels: list[Block]) -> Model:
    """One encoder, inputs @ weight (unit, latent)."""
    shape = Architecture(weight.shape[0], 0, weight.shape[1], kernels=(1,), residual=(False,))
    layers = [(torch.as_tensor(weight)[None], torch.zeros(1, 1, weight.shape[1], dtype=torch.float64))]
    return Model(torch.as_tensor(inputs), shape, layers, labels, Contrast())


def label_map(model: Model, cut: float | KeptDirections) -> np.ndarray:
    bins = np.arange(len(model.inputs))
    found = maps.attribute(model, bins, cut)
    map_of_first: np.ndarray = found.label["inverted_neuron_gradient"][0, 0]
    return map_of_first / np.linalg.norm(map_of_first)


def test_a_latent_too_many_does_not_drown_the_map() -> None:
    """Units 0-3 carry the label, 4-7 nothing; the block's second latent is a whisper of the latter."""
    rng = np.random.default_rng(0)
    label = walk(1)
    inputs = np.hstack([label @ rng.normal(size=(1, 4)), np.zeros((BINS, 4))]) + 0.3 * rng.normal(size=(BINS, 8))
    weight = np.zeros((8, 2))
    weight[:4, 0], weight[4:, 1], weight[:4, 1] = inputs[:, :4].T @ label[:, 0] / BINS / 50, 0.02, 0.001
    model = linear(weight, inputs, [Block("label", 0, 2)])
    kept = kept_directions.directions_to_keep(model, np.arange(BINS), [LabelValues("continuous", [label])])
    assert label_map(model, kept)[4:].max() < 0.1 < label_map(model, kept)[:4].min()
    assert label_map(model, 0.0)[4:].min() > 0.3


def test_where_all_latents_are_new_it_is_the_plain_inverse() -> None:
    rng = np.random.default_rng(0)
    latents = walk(4) / walk(4).std(axis=0)
    generator = rng.normal(size=(4, 9))
    model = linear(np.linalg.pinv(generator), latents @ generator, [Block("label", 2, 4)])
    kept = kept_directions.directions_to_keep(model, np.arange(BINS), [LabelValues("continuous", [latents[:, 2:]])])
    assert kept.free_count.tolist() == [2]
    np.testing.assert_allclose(label_map(model, kept), label_map(model, 0.0), rtol=1e-6)


def kept_of(blocks: list[Block], projectors: list[np.ndarray], secants: dict[int, torch.Tensor]) -> KeptDirections:
    everywhere = [[Tangents(np.zeros(5, dtype=int), p[None], p[None])] for p in projectors]
    return KeptDirections(blocks, everywhere, np.zeros(0, dtype=int), [np.zeros((0, 0))], secants)


def test_a_class_latent_has_its_mean_gradient_and_saturated_bins_stay_without(monkeypatch: pytest.MonkeyPatch) -> None:
    jacobian = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 5, 2, 1, 7)))
    mean = torch.ones(1, 1, 7, dtype=torch.float64)
    kept = kept_of([Block("angle", 0, 1), Block("choice", 1, 2)], [np.eye(1), np.eye(1)], {1: mean})
    replaced = kept.replaced(jacobian)
    torch.testing.assert_close(replaced[:, :, 0], jacobian[:, :, 0])
    assert (replaced[0, :, 1] == 1).all()
    model = linear(np.ones((7, 2)), np.zeros((5, 7)), kept.blocks)
    jacobian[:, 3] = 0.0
    monkeypatch.setattr(Model, "jacobian", lambda self, bins, *space: jacobian[:, bins])
    wanted = chunk.Wanted(kept, [chunk.INVERSE], resolved=True, every=1)
    found = chunk.of_jacobian(model, wanted, 0, np.arange(5), Workspace()).maps[chunk.INVERSE].squares
    assert (found[0, 1, 3] == 0).all()
    assert (found[0, 1, [0, 1, 2, 4]].sum(dim=-1) > 0.99).all()


def test_members_together_have_the_maps_of_each_alone() -> None:
    """With classes, whose mean gradient is a member's own, and directions that only some members keep."""
    rng, latents = np.random.default_rng(0), walk(2)
    inputs = np.hstack([latents, rng.normal(size=(BINS, 4))])
    shape = architecture("mlp", 6, hidden=4, outputs=4)
    layers = encoder.initialize(shape, rng.spawn(3), torch.device("cpu"))
    blocks = [Block("position", 0, 2), Block("choice", 2, 3)]
    model = Model(torch.as_tensor(inputs, dtype=torch.float32), shape, layers, blocks, Contrast())
    shifted = [np.roll(latents, shift, axis=0) for shift in (0, 700, 1500)]
    labels = [
        LabelValues("continuous", shifted),
        LabelValues("discrete", [(place[:, 0] > 0).astype(np.int64) for place in shifted]),
    ]
    bins = np.arange(BINS)
    kept = kept_directions.directions_to_keep(model, bins, labels)
    whole = maps.maps_of_jacobian(model, bins, kept)
    for member in range(3):
        alone = maps.maps_of_jacobian(model.only([member]), bins, kept.only([member]))
        for method in alone.label:
            np.testing.assert_array_equal(alone.label[method][0], whole.label[method][member])
            np.testing.assert_array_equal(alone.latent[method][0], whole.latent[method][member])
    assert kept.only([1, 2]).secants[2].equal(kept.secants[2][1:])


def test_latent_maps_are_the_inverse_along_what_is_kept() -> None:
    jacobian = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 5, 3, 2, 7)))
    kept = kept_of([Block("a", 0, 2), Block("b", 2, 3)], [np.diag([1.0, 0]), np.eye(1)], {})
    restricted = jacobian.flatten(3).clone()
    restricted[:, :, 1] = 0
    expected = torch.linalg.pinv(restricted).mT.unflatten(3, (2, 7)).square().sum(dim=3).sqrt().sum(dim=1)

    class Known(Model):
        def jacobian(self, bins: np.ndarray, space: Workspace | None = None) -> torch.Tensor:
            return jacobian[:, bins].clone()

    model = Known(torch.zeros(5, 7), linear(np.ones((7, 3)), np.zeros((5, 7)), []).shape, [], kept.blocks, Contrast())
    wanted = chunk.Wanted(kept, [chunk.INVERSE], resolved=False, every=1)
    found = chunk.of_jacobian(model, wanted, 0, np.arange(5), Workspace()).maps[chunk.INVERSE]
    np.testing.assert_allclose(found.latent, expected, atol=1e-12)


def test_the_mean_gradient_is_that_of_automatic_differentiation() -> None:
    rng = np.random.default_rng(0)
    shape = architecture("mlp", 6, hidden=4, outputs=2)
    layers = encoder.initialize(shape, [rng], torch.device("cpu"))
    model = Model(torch.as_tensor(rng.normal(size=(40, 6)), dtype=torch.float32), shape, layers, [], Contrast())
    inputs = model.inputs[:, None].clone().requires_grad_()
    encoder.forward(shape, layers, inputs[None])[0][0, :, 1].mean().backward()
    assert inputs.grad is not None
    found = kept_directions.mean_gradient(model, np.arange(40))[0, 1]
    torch.testing.assert_close(found.float(), inputs.grad.sum(dim=0))


def test_shares_are_what_a_step_of_the_label_changes_in_each_unit() -> None:
    """Two classes' directions, one of them hardly used: units of it have hardly a share, and every bin counts alike."""
    inverse = torch.zeros(1, 5, 2, 1, 3, dtype=torch.float64)
    inverse[0, :, 0, 0, 0] = inverse[0, :, 1, 0, 1] = torch.tensor([1.0, 10, 100, 0, 1])
    everywhere = Tangents(np.zeros(5, dtype=int), np.eye(2)[None], np.diag([3.0, 4.0])[None])
    kept = KeptDirections([Block("choice", 0, 2)], [[everywhere]], np.zeros(0, dtype=int), [np.zeros((0, 0))], {})
    expected = torch.tensor([0.36, 0.64, 0.0], dtype=torch.float64).expand(5, 3).clone()
    expected[3] = 0
    as_it_is = torch.eye(2, dtype=torch.float64).expand(1, 5, 2, 2)
    squares = times(kept.label_displacement(as_it_is, 0), inverse).square().sum(dim=3)
    torch.testing.assert_close(kept.shares(squares)[0, 0], expected)


def test_blocks_that_share_latents_keep_what_either_label_moves() -> None:
    kept = kept_of([Block("a", 0, 2), Block("b", 1, 3)], [np.eye(2), np.diag([1.0, 0])], {})
    jacobian = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 5, 3, 1, 7)))
    restricted = jacobian.clone()
    restricted[:, :, 2] = 0
    inverse, share = kept.inverse(gram(jacobian.flatten(3)), 0)
    torch.testing.assert_close(times(inverse, jacobian).flatten(3), torch.linalg.pinv(restricted.flatten(3)).mT)
    torch.testing.assert_close(share, torch.tensor([1.0, 1, 0], dtype=torch.float64).expand(1, 5, 3))
