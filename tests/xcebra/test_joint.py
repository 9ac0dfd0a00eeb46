"""Joint training: a shared latent space for different units, and a session that is aligned later."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.support.small_trainings import generators
from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.decoding import decoding_score
from xcebra_nwb.xcebra.sampling.groups import Groups
from xcebra_nwb.xcebra.sampling.label_increments import RecordedIncrements, label_increments
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, NearPairs, TimePairs
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.sampling.windows import successors
from xcebra_nwb.xcebra.trainers import align, contrastive, joint
from xcebra_nwb.xcebra.trainers.align import Frozen
from xcebra_nwb.xcebra.trainers.joint import Part
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained

BINS, OUTPUTS, WIDTH = 600, 4, 3
BLOCKS = [Block("time", 0, OUTPUTS), Block("position", 0, WIDTH)]
OPTIONS = Options(
    steps=200,
    batch_size=64,
    learning_rate=1e-2,
    contrast=Contrast(),
    regularizer_weight=0.01,
    regularizer_ramp=(0.1, 0.2),
)
HALF = np.arange(BINS) < BINS // 2


def recording(seed: int, units: int) -> tuple[torch.Tensor, np.ndarray]:
    """Units tuned to places of their own along the same kind of walk in a box."""
    rng = np.random.default_rng(seed)
    free = np.cumsum(rng.normal(0, 0.15, (BINS, 2)), axis=0)
    position = np.abs((free + 1) % 4 - 2) - 1  # reflected at the walls, within -1 and 1
    activity = np.exp(-((position[:, None] - rng.uniform(-1, 1, (units, 2))) ** 2).sum(-1) / 0.5)
    return torch.as_tensor(activity + 0.05 * rng.normal(size=activity.shape), dtype=torch.float32), position


def samples(position: np.ndarray, shifts: Sequence[int] = (0,)) -> list[Samples]:
    run, bins = np.zeros(BINS, dtype=np.int64), np.arange(BINS)
    following = successors(run, 1)
    rules = []
    for shift in shifts:
        values = np.roll(position, shift, axis=0)
        steps = label_increments(values, run, 1, circular=False)
        rules.append([TimePairs(following), NearPairs.of(values, RecordedIncrements(steps))])
    return [Samples(bins, np.flatnonzero(following >= 0), own) for own in rules]


def part(seed: int, units: int, shifts: Sequence[int] = (0,), name: str = "mlp") -> tuple[Part, np.ndarray]:
    activity, position = recording(seed, units)
    shape = architecture(name, units, hidden=16, outputs=OUTPUTS)
    made = samples(position, shifts)
    window = shape.window
    inside = made[0].references[(made[0].references >= window) & (made[0].references < BINS - window)]
    return Part(activity, shape, [Samples(own.bins, inside, own.rules) for own in made]), position


def block(model: Trained, session: Part, member: int = 0) -> np.ndarray:
    return encoder.embed(session.shape, model.layers, session.inputs, np.arange(BINS))[member][:, :WIDTH]


def across(fitted: tuple[np.ndarray, np.ndarray], tested: tuple[np.ndarray, np.ndarray]) -> float:
    """Held-out score of the second session's position from a decoder of the first's latents."""
    latents, position = (np.concatenate(pair) for pair in zip(fitted, tested, strict=True))
    return decoding_score(latents, position, np.flatnonzero(HALF), BINS + np.flatnonzero(~HALF), "continuous")


@pytest.mark.slow
@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
def test_a_single_session_is_trained_as_ever_bit_by_bit(similarity: str) -> None:
    (alone, _), seeds = part(0, 8, [0, 200]), (1, 2)
    options = Options(**(vars(OPTIONS) | {"steps": 30, "contrast": Contrast(similarity)}))
    plain = contrastive.train(alone.inputs, alone.shape, BLOCKS, alone.samples, generators(*seeds), options)
    (found,) = joint.train_together([alone], BLOCKS, generators(*seeds), options)
    np.testing.assert_array_equal(found.loss, plain.loss)
    for a, b in zip(found.layers, plain.layers, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
    tested = (BLOCKS, alone.samples, generators(5, 6), options)
    losses = joint.held_out_losses_together([alone], [plain.layers], BLOCKS, generators(5, 6), options)
    expected = contrastive.held_out_losses(alone.inputs, alone.shape, plain.layers, *tested)
    np.testing.assert_array_equal(losses[0], expected)


@pytest.mark.slow
def test_sessions_of_different_units_come_to_lie_in_one_space_and_a_later_one_is_aligned_to_it() -> None:
    sessions = [part(3, 10), part(4, 15), part(5, 12)]
    (first, first_position), (second, second_position), (later, later_position) = sessions
    together = joint.train_together([first, second], BLOCKS, generators(1), OPTIONS)
    apart = [
        contrastive.train(one.inputs, one.shape, BLOCKS, one.samples, generators(seed), OPTIONS)
        for one, seed in ((first, 1), (second, 2))
    ]
    shared, separate = (
        across((block(a, first), first_position), (block(b, second), second_position)) for a, b in (together, apart)
    )
    assert shared > 0.7
    assert separate < 0.3
    frozen = [
        Frozen(
            torch.as_tensor(encoder.embed(one.shape, model.layers, one.inputs, one.samples[0].bins)),
            [own.rules for own in one.samples],
        )
        for one, model in zip((first, second), together, strict=True)
    ]
    aligned = align.train_aligned(later, frozen, BLOCKS, generators(3), OPTIONS)
    for one, model, position in ((first, together[0], first_position), (second, together[1], second_position)):
        assert across((block(model, one), position), (block(aligned, later), later_position)) > 0.6
    losses = align.held_out_losses_aligned(later, frozen, aligned.layers, BLOCKS, generators(4), OPTIONS)
    np.testing.assert_allclose(losses, aligned.loss[:, :, -20:].mean(axis=-1), rtol=0.15)


@pytest.mark.slow
def test_a_member_does_not_depend_on_the_other_members_and_comes_out_again() -> None:
    options = Options(**(vars(OPTIONS) | {"steps": 20}))

    def losses(shifts: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        parts = [part(0, 6, shifts)[0], part(1, 9, shifts)[0]]
        return np.stack([t.loss for t in joint.train_together(parts, BLOCKS, generators(*seeds), options)])

    both = losses([0, 250], [1, 2])
    np.testing.assert_array_equal(both, losses([0, 250], [1, 2]))
    for member, (shift, seed) in enumerate([(0, 1), (250, 2)]):
        np.testing.assert_allclose(both[:, member], losses([shift], [seed])[:, 0], rtol=1e-4)


@pytest.mark.slow
def test_nulls_of_all_sessions_find_no_common_space() -> None:
    (first, first_position), (second, second_position) = part(0, 10, [200]), part(1, 15, [320])
    a, b = joint.train_together([first, second], BLOCKS, generators(1), OPTIONS)
    assert across((block(a, first), first_position), (block(b, second), second_position)) < 0.3


@given(hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 20))), st.integers(0, 99))
def test_slots_are_shuffled_among_the_free_ones_only(free: np.ndarray, seed: int) -> None:
    slot = joint.shuffled_slots(free, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(slot, axis=1), np.broadcast_to(np.arange(free.shape[1]), free.shape))
    fixed = np.broadcast_to(np.arange(free.shape[1]), free.shape)[~free]
    np.testing.assert_array_equal(slot[~free], fixed)


CODES = hnp.arrays(np.int64, st.integers(4, 30), elements=st.integers(0, 3))


@given(st.lists(CODES, min_size=1, max_size=3), st.integers(0, 99))
def test_a_positive_in_any_session_is_of_the_class_that_the_reference_has(codes: list[np.ndarray], seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = np.stack([rng.integers(len(c), size=(2, 16)) for c in codes])
    rules = [DiscretePairs(Groups.of(c)) for c in codes]
    positives, slot = joint.exchanged(rules, references, rng)
    classes = np.stack([c[found] for c, found in zip(codes, positives, strict=True)])  # (session, step, reference)
    flat = classes.swapaxes(0, 1).reshape(2, -1)
    for number, own in enumerate(codes):
        got = np.take_along_axis(flat, slot[number], axis=1)
        np.testing.assert_array_equal(got, own[references[number]])


def test_positives_are_exchanged_among_all_sessions_alike() -> None:
    position = np.random.default_rng(0).uniform(size=(50, 1))
    rules = [NearPairs.of(position, RecordedIncrements(np.zeros((1, 1))))] * 3
    references = np.random.default_rng(1).integers(50, size=(3, 8, 200))
    positives, slot = joint.exchanged(rules, references, np.random.default_rng(2))
    lies_in = slot // 200
    shares = np.stack([(lies_in == session).mean(axis=(1, 2)) for session in range(3)])
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    flat = positives.swapaxes(0, 1).reshape(8, -1)
    for session in range(3):  # without a step the nearest sample in any session has the reference's own label
        np.testing.assert_array_equal(np.take_along_axis(flat, slot[session], axis=1), references[session])


def test_a_class_that_no_reference_session_holds_keeps_its_positive_at_home() -> None:
    own, there = DiscretePairs(Groups.of(np.array([0, 1, 1, 2]))), DiscretePairs(Groups.of(np.array([1, 1, 2])))
    references = np.array([[0, 1, 2, 3] * 8])
    found = align._frozen_positives(own, [there, there], references, np.array([0, 3]), np.random.default_rng(0))
    assert set(found[references == 0]) == {align.AT_HOME}
    assert set(found[references == 1]) == {0, 1, 3, 4}
    assert set(found[references == 3]) == {2, 5}


def test_negatives_come_from_all_sessions_in_equal_parts() -> None:
    assert joint.shares(10, 3) == [4, 3, 3]
    drawn = align._frozen_negatives([5, 100], np.array([0, 5]), (3, 8), np.random.default_rng(0))
    assert ((drawn < 5).sum(axis=1) == 4).all()


def test_the_memory_of_a_draw_does_not_grow_with_the_sessions() -> None:
    one, many = [part(0, 6)[0]], [part(seed, 6)[0] for seed in range(8)]
    drawn: list[int] = []

    def sizes(parts: list[Part]) -> int:
        drawn.clear()
        original = joint.draw_together

        def spy(*arguments: object) -> tuple[np.ndarray, ...]:
            arrays = original(*arguments)
            drawn.append(sum(array.nbytes for array in arrays))
            return arrays

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(joint, "draw_together", spy)
            joint.train_together(parts, BLOCKS, generators(1), Options(**(vars(OPTIONS) | {"steps": 2})))
        return max(drawn)

    assert sizes(many) <= sizes(one)
