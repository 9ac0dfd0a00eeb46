"""Batches drawn on a device keep the rules of those drawn on the CPU; here the device is the CPU."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.label_spaces import SPACES, arc, unit
from tests.support.small_trainings import BLOCKS, UNITS, options, recording, samples
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.sampling.device import batches
from xcebra_nwb.xcebra.sampling.device.batches import DEVICE_STEPS_A_DRAW, draws_on
from xcebra_nwb.xcebra.sampling.device.label_increments import Angles, angle_distribution, device_increments
from xcebra_nwb.xcebra.sampling.device.nearest import nearest_in_chunks, proves_itself
from xcebra_nwb.xcebra.sampling.device.neighbours import device_search
from xcebra_nwb.xcebra.sampling.groups import Groups
from xcebra_nwb.xcebra.sampling.label_increments import (
    Increments,
    NormalIncrements,
    RecordedIncrements,
    VonMisesFisherIncrements,
    VonMisesIncrements,
    label_increments,
)
from xcebra_nwb.xcebra.sampling.neighbours import TURN, Neighbours
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, NearPairs, PositiveRule, TimePairs
from xcebra_nwb.xcebra.sampling.windows import successors
from xcebra_nwb.xcebra.trainers import contrastive
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint

CPU = torch.device("cpu")
B, S = 16, 3
TRITON = importlib.util.find_spec("triton") is not None


def on(array: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(array)


def distance(space: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return arc(one, other) if space == "circle" else np.linalg.norm(one - other, axis=-1)


LABELS = SPACES | {"line": (lambda rng, n: rng.normal(size=(n, 1)).round(1), None)}


@pytest.mark.parametrize("space", LABELS)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_the_place_found_is_the_nearest_of_its_class_and_member(space: str, seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    made, circular = LABELS[space][0], space == "circle"
    values, codes = [made(rng, n) for n in sizes], [rng.integers(3, size=n) for n in sizes]
    neighbours = [Neighbours.of(v, circular, c) for v, c in zip(values, codes, strict=True)]
    everyone = [0, *range(len(sizes))]  # the first two members share theirs
    targets = np.stack([made(rng, S * B).reshape(S, B, -1) for _ in everyone])
    asked = np.stack([rng.choice(codes[own], size=(S, B)) for own in everyone])
    found = device_search([neighbours[own] for own in everyone], CPU).nearest(on(targets), on(asked)).numpy()
    for member, own in enumerate(everyone):
        labels = neighbours[own].labels
        place_class = np.searchsorted(neighbours[own].first, np.arange(len(labels)), side="right") - 1
        apart = distance(space, targets[member][..., None, :], labels)
        apart = np.where(place_class == asked[member][..., None], apart, np.inf)
        taken = np.take_along_axis(apart, found[member][..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(taken, apart.min(axis=-1), atol=1e-6 if labels.shape[1] > 1 else 1e-14)


def test_of_places_that_are_equally_near_the_first_is_taken() -> None:
    for values, target in (([[0.0], [2.0]], [1.0]), ([[0.0, 1.0], [1.0, 0.0], [1.0, 2.0]], [1.0, 1.0])):
        found = device_search([Neighbours.of(np.array(values))], CPU)
        assert found.nearest(on(np.array(target)).view(1, 1, 1, -1), torch.zeros(1, 1, 1, dtype=torch.int64)) == 0


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), places=st.integers(1, 60), elements=st.integers(1, 3000))
def test_a_search_in_chunks_finds_what_one_at_once_does(seed: int, places: int, elements: int) -> None:
    rng = np.random.default_rng(seed)
    points, targets = (on(rng.integers(-4, 5, size=(2, n)).astype(np.float32)) for n in (places, 40))
    first = rng.integers(places, size=40)
    last = on(rng.integers(first, places) + 1)
    found = nearest_in_chunks(points, targets, on(first), last, elements)
    apart = (targets[:, :, None] - points[:, None]).square().sum(dim=0)
    number = torch.arange(places)
    apart[(number < on(first)[:, None]) | (number >= last[:, None])] = torch.inf
    np.testing.assert_array_equal(found, apart.argmin(dim=1))


def test_labels_far_from_zero_keep_their_digits() -> None:
    values = 1e9 + np.arange(400.0).reshape(200, 2) / 64
    rule = NearPairs.of(values, RecordedIncrements(np.array([[0.03, 0.03]])))
    np.testing.assert_array_equal(drawn_by(rule, np.arange(B)), rule.draw(np.arange(B), np.random.default_rng(0)))


def drawn_by(rule: PositiveRule, references: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positives (reference,) of one member, drawn by the form of its rule on a device."""
    there, generator = batches.device_pairs(rule, [rule], CPU), torch.Generator().manual_seed(seed)
    uniform = torch.rand(1, there.uniforms, 1, len(references), generator=generator, dtype=torch.float64)
    normal = torch.randn(1, there.normals, 1, len(references), generator=generator)
    return there.draw(on(references).view(1, 1, -1), uniform, normal).numpy()[0, 0]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 3))
def test_where_nothing_is_random_both_draw_the_same(seed: int, samples: int, axes: int) -> None:
    rng = np.random.default_rng(seed)
    values, codes = rng.normal(size=(samples, axes)), rng.integers(3, size=samples)
    rule = NearPairs.of(values, RecordedIncrements(rng.normal(size=(1, axes))), classes=codes)
    everyone = np.arange(samples)
    np.testing.assert_array_equal(drawn_by(rule, everyone), rule.draw(everyone, rng))
    following = TimePairs(successors(np.sort(codes), 1))
    np.testing.assert_array_equal(drawn_by(following, everyone), following.draw(everyone, rng))


def test_angles_are_near_across_the_wrap() -> None:
    values = np.array([[0.05], [np.pi], [-0.05 + 4 * np.pi]])
    assert drawn_by(NearPairs.of(values, RecordedIncrements(np.array([[-0.1]])), circular=True), np.array([0])) == [2]
    assert drawn_by(NearPairs.of(values, RecordedIncrements(np.array([[0.1]])), circular=True), np.array([2])) == [0]


@pytest.mark.parametrize("classes", [None, np.r_[np.zeros(25, int), np.ones(26, int)]], ids=["alone", "mixed"])
def test_equal_labels_are_drawn_from_alike(classes: np.ndarray | None) -> None:
    rule = NearPairs.of(np.array([[0.0]] * 50 + [[9.0]]), RecordedIncrements(np.array([[0.0]])), classes=classes)
    drawn = np.bincount(drawn_by(rule, np.zeros(5000, dtype=np.int64)), minlength=51)
    near = 50 if classes is None else 25
    assert drawn[near:].sum() == 0
    assert 0.5 < drawn[:near].min() * near / 5000 <= drawn[:near].max() * near / 5000 < 1.5


def test_discrete_positives_are_all_samples_of_the_class_alike() -> None:
    codes = np.repeat([0, 2, 0, 1], [5, 20, 5, 1])  # ten, one, twenty
    drawn = drawn_by(DiscretePairs(Groups.of(codes)), np.repeat(np.arange(31), 2000))
    np.testing.assert_array_equal(codes[drawn], np.repeat(codes, 2000))
    assert stats.chisquare(np.bincount(drawn)[codes == 2]).pvalue > 1e-3


STEPS: dict[str, tuple[Increments, np.ndarray]] = {
    "recorded": (RecordedIncrements(np.random.default_rng(0).gamma(2, size=(50, 2))), np.array([5.0, -2.0])),
    "normal": (NormalIncrements(0.3), np.array([5.0, -2.0])),
    "circle": (VonMisesIncrements(2.5), np.array([6.2])),
    "narrow circle": (VonMisesIncrements(1e5), np.array([6.2])),
    "plane": (VonMisesFisherIncrements(0.5), unit(np.array([1.0, -2.0]))),
    "sphere": (VonMisesFisherIncrements(20.0), unit(np.array([1.0, -2.0, 3.0]))),
    "narrow sphere": (VonMisesFisherIncrements(1e6), np.array([1.0, 0.0, 0.0])),
    "five axes": (VonMisesFisherIncrements(3.0), unit(np.array([1.0, -2.0, 3.0, 0.5, 0.0]))),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_distributed_as_on_the_cpu(name: str) -> None:
    steps, label = STEPS[name]
    there, count, generator = (
        device_increments(steps, [steps], len(label), CPU),
        20_000,
        torch.Generator().manual_seed(0),
    )
    uniform = torch.rand(1, there.uniforms, 1, count, generator=generator, dtype=torch.float64)
    normal = torch.randn(1, there.normals, 1, count, generator=generator)
    moved = there.moved(on(np.tile(label, (1, 1, count, 1))), uniform, normal).numpy()[0, 0]
    expected = steps.moved(np.tile(label, (count, 1)), np.random.default_rng(0))
    directions = np.vstack([np.eye(len(label)), np.ones(len(label))])
    if isinstance(steps, VonMisesIncrements):
        moved, expected = ((a - label + np.pi) % TURN - np.pi for a in (moved, expected))
    if isinstance(steps, VonMisesFisherIncrements):
        np.testing.assert_allclose(np.linalg.norm(moved, axis=-1), 1, atol=1e-12)
    for direction in directions:
        assert stats.ks_2samp(moved @ direction, expected @ direction).pvalue > 1e-3


@pytest.mark.parametrize("kappa", [1e-3, 2.0, 40.0])  # of more than 50 scipy's is an approximation
def test_the_distribution_of_angles_is_right_on_the_circle(kappa: float) -> None:
    probability, angle = angle_distribution(kappa, 2)
    np.testing.assert_allclose(probability, 2 * stats.vonmises.cdf(angle, kappa) - 1, atol=1e-6)


@pytest.mark.parametrize("kappa", [1e-3, 2.0, 50.0, 1e6])
def test_the_distribution_of_angles_is_right_on_the_sphere(kappa: float) -> None:
    asked = np.linspace(0, 1, 10_001)[:-1]
    cosine = np.cos(Angles.of([kappa], 3, CPU).quantile(on(asked).view(1, 1, -1)).numpy()[0, 0])
    exceeded = -np.expm1(-kappa * (1 - cosine)) / -np.expm1(-2 * kappa)
    np.testing.assert_allclose(exceeded, asked, atol=1e-6)


def mixed_rules(shift: int, rng: np.random.Generator) -> list[PositiveRule]:
    """One rule of every kind, on 200 samples in two runs, with the labels shifted."""
    run, path = np.repeat([0, 1], [120, 80]), np.cumsum(rng.normal(size=(200, 2)), axis=0)
    path, codes = np.roll(path, shift, axis=0), np.roll(np.arange(200) // 10 % 3, shift)
    recorded = RecordedIncrements(label_increments(path, run, 2, circular=False))
    return [
        TimePairs(successors(run, 3)),
        NearPairs.of(path, recorded),
        NearPairs.of(path[:, :1].round(), NormalIncrements(0.5), classes=codes),
        NearPairs.of(path[:, :1], VonMisesIncrements(3.0), circular=True),
        NearPairs.of(unit(path), VonMisesFisherIncrements(5.0)),
        DiscretePairs(Groups.of(codes)),
    ]


WIDTHS = [3, 1, 2, 2, 1, 4]


def draws(rules: list[list[PositiveRule]], device: torch.device = CPU):
    bins, following = np.arange(200) * 2 + 7, np.flatnonzero(successors(np.repeat([0, 1], [120, 80]), 3) >= 0)
    return draws_on(device, [bins] * len(rules), [following] * len(rules), rules, WIDTHS, B, S)


def test_batches_keep_every_rule() -> None:
    rules = mixed_rules(0, np.random.default_rng(0))
    one = replace(rules[1], increments=RecordedIncrements(np.array([[0.3, 0.1]])))  # so that the nearest is known
    bins, directions = draws([[rules[0], one, *rules[2:]]])([3])
    assert bins.shape == (S, 1, 2 + len(rules), B)
    assert directions.shape == (S, 1, B, sum(WIDTHS))
    number = (bins[:, 0].numpy() - 7) // 2
    np.testing.assert_array_equal(number * 2 + 7, bins[:, 0])
    reference, negative, time, near, mixed, _, _, discrete = np.moveaxis(number, 1, 0)
    run = np.repeat([0, 1], [120, 80])
    np.testing.assert_array_equal(time, reference + 3)
    np.testing.assert_array_equal(run[time], run[reference])
    apart = np.linalg.norm(one.values[reference][..., None, :] + [0.3, 0.1] - one.values, axis=-1)
    np.testing.assert_array_equal(near, apart.argmin(axis=-1))
    for positive, codes in ((mixed, rules[2].classes), (discrete, rules[5].classes.group)):
        np.testing.assert_array_equal(codes[positive], codes[reference])
    assert 0 <= negative.min() <= negative.max() < 200
    blocks = directions.split(WIDTHS, dim=-1)
    for block, width in zip(blocks, WIDTHS, strict=True):
        np.testing.assert_allclose(block.norm(dim=-1), width**0.5, rtol=1e-5)


def test_references_and_negatives_are_all_drawn_alike() -> None:
    following = successors(np.zeros(20, dtype=np.int64), 5)
    there = draws_on(CPU, [np.arange(20)], [np.arange(15)], [[TimePairs(following)]], [1], 500, 20)
    bins, directions = there([5])
    for role, choices in ((0, 15), (1, 20)):
        counts = np.bincount(bins[:, 0, role].flatten())
        assert len(counts) == choices
        assert stats.chisquare(counts).pvalue > 1e-3
    np.testing.assert_allclose(directions.abs(), 1, rtol=1e-6)
    assert abs(directions.mean()) < 0.05


def test_members_together_draw_what_each_draws_alone() -> None:
    rng = np.random.default_rng(0)
    first, other = mixed_rules(0, rng), mixed_rules(60, rng)
    apart = [other[0], other[2], *other[2:]]  # of another kind than the first's
    stack = [first, [first[0], *other[1:]], apart, first]
    bins, directions = draws(stack)([1, 2, 3, 4])
    for member, rules in enumerate(stack):
        alone = draws([rules])([member + 1])
        np.testing.assert_array_equal(bins[:, member], alone[0][:, 0])
        np.testing.assert_array_equal(directions[:, member], alone[1][:, 0])
    again = draws(stack)([1, 2, 3, 4])
    np.testing.assert_array_equal(bins, again[0])
    assert not (bins[:, 0] == bins[:, 3]).all()


def test_members_of_different_lengths_are_drawn_together() -> None:
    lines = [np.random.default_rng(n).normal(size=(n, 1)) for n in (30, 50)]
    rules = [[NearPairs.of(line, NormalIncrements(0.1))] for line in lines]
    bins, everyone = [np.arange(len(line)) for line in lines], np.arange(30)
    found, _ = draws_on(CPU, bins, [everyone, everyone], rules, [1], 400, 2)([1, 2])
    assert found[:, 0].max() == 29
    assert found[:, 1].max() == 49


def trained_there(steps: int, seeds: list[int], resume: ResumePoint | None = None) -> contrastive.Trained:
    activity, position = recording()
    shape = architecture("mlp", UNITS, hidden=16, outputs=4)
    generators = [np.random.default_rng(seed) for seed in seeds]
    data = samples(position, [0, 120][: len(seeds)])
    return contrastive.train(activity, shape, BLOCKS, data, generators, options(steps), resume=resume)


@pytest.mark.slow
def test_training_by_a_devices_own_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_cpu = trained_there(150, [1, 2])
    monkeypatch.setattr(contrastive, "draws_itself", lambda device: True)
    found = trained_there(150, [1, 2])
    late, late_on_the_cpu = (one.loss[:, :, -50:].mean(axis=2) for one in (found, on_the_cpu))
    assert not np.array_equal(late, late_on_the_cpu)  # other draws, but as good
    np.testing.assert_allclose(late, late_on_the_cpu, atol=0.1)
    assert late[0, 1] < late[1, 1] - 0.2
    np.testing.assert_allclose(trained_there(20, [1]).loss[0], trained_there(20, [1, 2]).loss[0], rtol=1e-4)


def test_draws_after_a_snapshot_are_those_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "draws_itself", lambda device: True)
    steps, kept = DEVICE_STEPS_A_DRAW + 5, []
    whole = trained_there(steps, [1, 2], ResumePoint(on_checkpoint=lambda step, take: kept.append(take())))
    assert kept[0].step == DEVICE_STEPS_A_DRAW
    later = trained_there(steps, [1, 2], ResumePoint(start=kept[0]))
    np.testing.assert_array_equal(later.loss, whole.loss)
    for one, other in zip(later.layers, whole.layers, strict=True):
        assert torch.equal(one[0], other[0])


class NothingOnTheHost(TorchDispatchMode):
    """Refuses every operation with a tensor that is not on the device, such as a copy to or from it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        found = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves((args, kwargs, found)):
            if isinstance(tensor, torch.Tensor):
                assert tensor.device.type == "meta", f"{func} with a tensor on {tensor.device}"
        return found


class GeneratorAnywhere(torch.Generator):
    """Stands for one on a device without data, where there is none."""

    def __new__(cls, device: torch.device) -> torch.Generator:
        return super().__new__(cls)


@pytest.mark.slow
def test_drawing_never_asks_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a value of any tensor (item, nonzero, a mask as an index fail) and without one on another device."""
    rng = np.random.default_rng(0)
    stack = [mixed_rules(shift, rng) for shift in (0, 0, 60)]
    stack[2] = [stack[2][0], stack[2][2], *stack[2][2:]]
    monkeypatch.setattr(torch, "Generator", GeneratorAnywhere)
    with FakeTensorMode():
        there = draws(stack, torch.device("meta"))
        with NothingOnTheHost():
            bins, directions = there([1, 2, 3])
    assert bins.shape == (S, 3, 2 + len(WIDTHS), B)
    assert directions.shape == (S, 3, B, sum(WIDTHS))


def test_a_kernel_that_fails_or_finds_others_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*tensors: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no C compiler")

    def out_of_memory(*tensors: torch.Tensor) -> torch.Tensor:
        raise MemoryError

    for axes in (2, 3):
        assert proves_itself(lambda *tensors: nearest_in_chunks(*tensors[:4]), axes, CPU)
    assert not caplog.messages
    assert not proves_itself(broken, 2, CPU)
    assert not proves_itself(lambda *tensors: nearest_in_chunks(*tensors[:4]).clamp(max=800), 2, CPU)
    said = ["cannot be used (no C compiler)", "finds other labels"]
    assert all(words in message for words, message in zip(said, caplog.messages, strict=True))
    with pytest.raises(MemoryError):
        proves_itself(out_of_memory, 2, CPU)


KERNEL = """
import numpy as np, torch
from xcebra_nwb.xcebra.sampling.device.neighbours import SearchInSpace
from xcebra_nwb.xcebra.sampling.device.points import LabelPoints
from xcebra_nwb.xcebra.sampling.device.nearest import proves_itself
from xcebra_nwb.xcebra.sampling.device.nearest_kernel import nearest_fused
from xcebra_nwb.xcebra.sampling.neighbours import Neighbours

def assert_same(neighbours, targets, classes):
    places = LabelPoints.of(neighbours, torch.device("cpu"))
    asked = torch.as_tensor(targets), torch.as_tensor(classes)
    fused, plain = (SearchInSpace.of(places, way).nearest(*asked) for way in (True, False))
    assert torch.equal(fused, plain)

rng = np.random.default_rng(0)
for axes, scale, classes in ((2, 40, 1), (2, 40, 3), (2, 9, 40), (3, 9, 1), (5, 2, 2)):
    neighbours = []
    for n in (450, 1000):
        half = rng.normal(scale=scale, size=(n, axes)).round()
        whole = np.vstack([half, -half])  # around 0, so that distances are exact, and often equal
        codes = np.r_[:classes, rng.integers(classes, size=n - classes)]  # each at least once
        neighbours.append(Neighbours.of(whole, classes=np.tile(codes, 2)))
    targets = rng.normal(scale=1.3 * scale, size=(3, 1, 120, axes)).round()
    assert_same([neighbours[0], *neighbours], targets, rng.integers(classes, size=(3, 1, 120)))
number = np.arange(256.0)  # the first of two equally near ones is looked at after the other, by the same thread
values = np.stack([0 * number, number, np.where(number % 128 == 0, 0, 1000)], axis=1)
assert all(proves_itself(nearest_fused, axes, torch.device("cpu")) for axes in (2, 3, 6))
assert_same([Neighbours.of(values)], np.array([1.0, 64, 0]).reshape(1, 1, 1, 3), np.zeros((1, 1, 1), dtype=np.int64))
"""


@pytest.mark.skipif(not TRITON, reason="triton comes with the CUDA builds of torch only")
def test_the_kernel_finds_what_the_search_in_chunks_finds() -> None:
    subprocess.run([sys.executable, "-c", KERNEL], env=os.environ | {"TRITON_INTERPRET": "1"}, check=True)


@pytest.mark.gpu
def test_a_card_finds_the_nearest() -> None:
    rng, card = np.random.default_rng(0), torch.device("cuda")
    for axes in (1, 2, 3):
        values, targets = rng.normal(size=(5000, axes)), rng.normal(size=(1, S, 100, axes))
        there = device_search([Neighbours.of(values)], card)
        found = there.nearest(on(targets).to(card), torch.zeros(1, S, 100, dtype=torch.int64, device=card)).cpu()
        labels = np.unique(values, axis=0)
        apart = np.linalg.norm(targets[..., None, :] - labels, axis=-1)
        taken = np.take_along_axis(apart, found.numpy()[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(taken, apart.min(axis=-1), atol=1e-6)
        assert axes == 1 or there.fused == TRITON
