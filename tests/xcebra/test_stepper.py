"""Steps of Adam, plain and recorded."""

import itertools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.inputs import Recording
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.contrastive import objective_losses
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.stepper import RecordedStepper, Stepper, Work

STEPS, MEMBERS, CHUNK = 64, 2, 16


def problem() -> tuple[list[Tensor], Callable[[tuple[Tensor, ...], bool], tuple[Tensor, Tensor | None]]]:
    """Leaves, and losses that a batch pulls them towards; the penalty pulls to zero."""
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(MEMBERS, 3, generator=generator).requires_grad_() for _ in range(2)]

    def losses_of(batch: tuple[Tensor, ...], penalised: bool) -> tuple[Tensor, Tensor | None]:
        (target,) = batch
        losses = torch.stack([(leaf - target).square().sum(-1) for leaf in leaves], dim=1)
        return losses, sum(leaf.square().sum(-1) for leaf in leaves) if penalised else None

    return leaves, losses_of


def taken(made: Callable[..., Stepper], weights: list[float], **more: object) -> tuple[Tensor, list[Tensor]]:
    """The losses of all steps, and where they ended."""
    leaves, losses_of = problem()
    stepper = made(leaves, losses_of, torch.tensor([1.0, 0.5]), **more)
    targets = torch.as_tensor(np.random.default_rng(0).normal(size=(STEPS, MEMBERS, 3)), dtype=torch.float32)
    rates = [0.1 * 0.97**step for step in range(STEPS)]
    losses = []
    for start in range(0, STEPS, CHUNK):
        some = slice(start, start + CHUNK)
        losses.append(stepper.take((targets[some],), rates[some], weights[some]))
    return torch.cat(losses), [leaf.detach() for leaf in leaves]


def again(work: Work) -> Work:
    """What a card's graph does: the same work on the same tensors."""
    return work


def test_each_step_has_its_own_batch_rate_and_weight() -> None:
    leaves, losses_of = problem()
    targets, rates, weights = torch.randn(3, MEMBERS, 3), [0.1, 0.05, 0.0], [0.0, 2.0, 2.0]
    by_hand = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    optimizer = torch.optim.Adam(by_hand)
    expected = []
    for target, rate, weight in zip(targets, rates, weights, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        losses = torch.stack([(leaf - target).square().sum(-1) for leaf in by_hand], dim=1)
        optimizer.zero_grad()
        penalty = weight * sum(leaf.square().sum() for leaf in by_hand)
        ((losses * torch.tensor([1.0, 0.5])).sum() + penalty).backward()
        optimizer.step()
        expected.append(losses.detach())
    found = Stepper(leaves, losses_of, torch.tensor([1.0, 0.5])).take((targets,), rates, weights)
    torch.testing.assert_close(found, torch.stack(expected))
    for leaf, other in zip(leaves, by_hand, strict=True):
        torch.testing.assert_close(leaf, other)


def test_a_recording_with_the_penalty_proves_itself_where_the_penalty_counts() -> None:
    """The ramp begins in the middle of a chunk: its first steps would say nothing of the penalty."""
    leaves, losses_of = problem()
    recorded: list[bool] = []

    def without_penalty(batch: tuple[Tensor, ...], penalised: bool) -> tuple[Tensor, Tensor | None]:
        losses, penalty = losses_of(batch, penalised)
        return losses, penalty * 0 if recorded and penalty is not None else penalty

    def forgetful(work: Work) -> Work:
        def replay() -> None:
            recorded.append(True)
            work()
            recorded.clear()

        return replay

    stepper = RecordedStepper(leaves, without_penalty, torch.tensor([1.0, 0.5]), forgetful)
    weights = [0.0] * (CHUNK - 4) + [5.0] * 4
    found = stepper.take((torch.full((CHUNK, MEMBERS, 3), 3.0),), [0.1] * CHUNK, weights)
    plain, losses_of = problem()
    expected = Stepper(plain, losses_of, torch.tensor([1.0, 0.5])).take(
        (torch.full((CHUNK, MEMBERS, 3), 3.0),), [0.1] * CHUNK, weights
    )
    assert torch.equal(found, expected)
    assert all(torch.equal(one, other) for one, other in zip(leaves, plain, strict=True))


@pytest.mark.parametrize("ramp", [0, 20, STEPS])
def test_recorded_steps_are_the_plain_ones(ramp: int) -> None:
    weights = [0.0] * ramp + [0.01 * step for step in range(STEPS - ramp)]
    plain, ended = taken(Stepper, weights)
    recorded, also = taken(RecordedStepper, weights, record=again)
    torch.testing.assert_close(recorded, plain)
    for one, other in zip(also, ended, strict=True):
        torch.testing.assert_close(one, other)


def test_a_step_is_recorded_once_without_and_once_with_the_penalty() -> None:
    recordings = []

    def counted(work: Work) -> Work:
        recordings.append(work)
        return work

    taken(RecordedStepper, [0.0] * 40 + [1.0] * (STEPS - 40), record=counted)
    assert len(recordings) == 2


def refused(work: Work) -> Work:
    raise RuntimeError("operation not permitted when stream is capturing")


def idle(work: Work) -> Work:
    return lambda: None


def lazy(work: Work) -> Work:
    """A recording of which every other replay does nothing."""
    turns = itertools.cycle([work, lambda: None])
    return lambda: next(turns)()


@pytest.mark.parametrize("record", [refused, idle, lazy])
def test_a_recording_that_does_something_else_is_not_used(
    record: Callable[[Work], Work], caplog: pytest.LogCaptureFixture
) -> None:
    weights = [0.1] * STEPS
    with caplog.at_level(logging.WARNING, "xcebra_nwb"):
        found, ended = taken(RecordedStepper, weights, record=record)
    plain, also = taken(Stepper, weights)
    assert torch.equal(found, plain)
    assert all(torch.equal(one, other) for one, other in zip(ended, also, strict=True))
    assert len(caplog.records) == 1
    assert "plain steps, slower" in caplog.text


def test_memory_that_runs_out_while_a_step_is_recorded_is_no_reason_to_go_on_plainly() -> None:
    def without_memory(work: Work) -> Work:
        raise torch.cuda.OutOfMemoryError("out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        taken(RecordedStepper, [0.1] * STEPS, record=without_memory)


@pytest.mark.gpu
def test_a_card_replays_what_it_would_do_plainly(caplog: pytest.LogCaptureFixture) -> None:
    leaves, losses_of = problem()
    card = [leaf.detach().cuda().requires_grad_() for leaf in leaves]
    moved = RecordedStepper(card, lambda batch, penalised: on(card, batch, penalised), torch.tensor([1.0, 0.5]).cuda())
    targets = torch.randn(CHUNK, MEMBERS, 3)
    found = moved.take((targets.cuda(),), [0.1] * CHUNK, [0.1] * CHUNK)
    expected = Stepper(leaves, losses_of, torch.tensor([1.0, 0.5])).take((targets,), [0.1] * CHUNK, [0.1] * CHUNK)
    assert not caplog.records
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)


def on(leaves: list[Tensor], batch: tuple[Tensor, ...], penalised: bool) -> tuple[Tensor, Tensor | None]:
    losses = torch.stack([(leaf - batch[0]).square().sum(-1) for leaf in leaves], dim=1)
    return losses, sum(leaf.square().sum(-1) for leaf in leaves) if penalised else None


class OnlyMeta(TorchDispatchMode):
    """Refuses what a card would have to wait for: a tensor of the host, or a number read back to it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        assert all(tensor.device.type == "meta" for tensor in tensors), f"{function} reads from the host"
        return function(*args, **kwargs)


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize("contrast", [Contrast(), Contrast("cosine", 0.5, "negatives")])
@pytest.mark.parametrize("kept", [torch.float32, torch.uint8, torch.int16])
def test_a_step_waits_for_nothing_from_the_host(name: str, contrast: Contrast, kept: torch.dtype) -> None:
    shape, card = architecture(name, 5, 8, 4, clip=10.0), torch.device("meta")
    drawn = encoder.initialize(shape, [np.random.default_rng(n) for n in range(MEMBERS)], torch.device("cpu"))
    leaves = [leaf.to(card).requires_grad_() for layer in drawn for leaf in layer]
    layers = list(zip(leaves[::2], leaves[1::2], strict=True))
    inputs = Recording(torch.empty(100, 5, dtype=kept, device=card))
    blocks = [Block("time", 0, 4), Block("position", 0, 2)]
    bins = torch.empty(MEMBERS, 4, 16, dtype=torch.int64, device=card)
    direction = torch.empty(MEMBERS, 16, 6, device=card)
    with OnlyMeta():
        losses, penalty = objective_losses(inputs, shape, layers, blocks, bins, contrast, direction, True)
        assert penalty is not None
        gradients = torch.autograd.grad(losses.sum() + penalty.sum(), leaves)
    assert [gradient.shape for gradient in gradients] == [leaf.shape for leaf in leaves]
    with pytest.raises(NotImplementedError, match="meta"):  # what reading a loss back would do
        losses.tolist()
