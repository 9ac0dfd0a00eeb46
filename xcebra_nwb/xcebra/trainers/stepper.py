"""Steps of an optimiser: plain, or recorded as a CUDA graph and replayed.

A step of a small network is a hundred small kernels, and a GPU waits for the host to start each of them. The kernels of
a graph start together. The batch, the learning rate and the weight of the penalty change from step to step, and are
read from tensors that keep their addresses.
Shapes: S steps, M members, K objectives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from xcebra_nwb.xcebra.out_of_memory import ran_out
from xcebra_nwb.xcebra.trainers.adam import Adam

Batch = tuple[Tensor, ...]  # the arrays of one step
LossesOf = Callable[[Batch, bool], tuple[Tensor, Tensor | None]]
Work = Callable[[], None]
WARM_UP = 3  # plain steps before a recording: libraries choose kernels and allocate memory in them
CLOSE = 1e-2  # relative difference allowed in the losses of a recording: kernels may add up in another order
NEAR = 0.25  # share of the leaves' way by which they may miss its end
logger = logging.getLogger("xcebra_nwb")


class Stepper:
    """Take steps of an optimiser on tensors, in place.

    Args:
        leaves: Tensors that are trained.
        losses_of: From the arrays of one step, and whether the penalty counts, to the losses (M, ..., K) and the
            penalty (M,) or None.
        factors: Factor of each loss in the sum that is minimised, shape (K,).
        optimizer: How a step is made of the gradients.
    """

    def __init__(
        self, leaves: Sequence[Tensor], losses_of: LossesOf, factors: Tensor, optimizer: type[Adam] = Adam
    ) -> None:
        self.leaves, self._losses_of, self._factors = list(leaves), losses_of, factors
        self.optimizer = optimizer(self.leaves)

    def take(self, batches: Batch, rates: Sequence[float], weights: Sequence[float]) -> Tensor:
        """Take a step for each batch and return the losses.

        Args:
            batches: Arrays whose first axis is the step, S steps.
            rates: Learning rate of each step.
            weights: Weight of the penalty of each step.

        Returns:
            Losses, shape (S, M, ..., K).
        """
        losses = []
        for batch, rate, weight in zip(zip(*batches, strict=True), rates, weights, strict=True):
            self.optimizer.rate = rate
            losses.append(self._step(batch, weight, weight > 0))
        return torch.stack(losses)

    def _step(self, batch: Batch, weight: float | Tensor, penalised: bool) -> Tensor:
        losses, penalty = self._losses_of(batch, penalised)
        total = (losses * self._factors).sum()
        if penalty is not None:
            total = total + weight * penalty.sum()
        self.optimizer.step(torch.autograd.grad(total, self.leaves))
        return losses.detach()


def cuda_graph(work: Work) -> Work:
    """Record ``work`` as a CUDA graph and return the function that replays it."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        # Another thread draws batches at the same time.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    finally:
        torch.cuda.set_stream(stream)  # a failed recording may leave its stream set
    return graph.replay


class RecordedStepper(Stepper):
    """Take steps by replaying a recorded step.

    Before a recording is used, it takes as many steps as the plain way from the same state. If the results differ, or
    if the step cannot be recorded, all steps are plain, and the log says so.

    Args:
        leaves: Tensors that are trained.
        losses_of: From the arrays of one step, and whether the penalty counts, to the losses (M, ..., K) and the
            penalty (M,) or None.
        factors: Factor of each loss in the sum that is minimised, shape (K,).
        record: Records work and returns the function that replays it.
    """

    def __init__(
        self,
        leaves: Sequence[Tensor],
        losses_of: LossesOf,
        factors: Tensor,
        record: Callable[[Work], Work] = cuda_graph,
        optimizer: type[Adam] = Adam,
    ) -> None:
        super().__init__(leaves, losses_of, factors, optimizer)
        self._record, self._recordable = record, True
        self._replay: Work | None = None
        self._penalised = False

    def take(self, batches: Batch, rates: Sequence[float], weights: Sequence[float]) -> Tensor:
        """Take a step for each batch and return the losses.

        The penalty counts from the first chunk of steps on in which its weight is positive.

        Args:
            batches: Arrays whose first axis is the step, S steps.
            rates: Learning rate of each step.
            weights: Weight of the penalty of each step.

        Returns:
            Losses, shape (S, M, ..., K).
        """
        if not self._ready(batches, rates, weights):
            return super().take(batches, rates, weights)
        self._replayed(batches, rates, weights)
        return self._losses[: len(rates)].clone()

    def _ready(self, batches: Batch, rates: Sequence[float], weights: Sequence[float]) -> bool:
        """Whether there is a recording for these steps; it is made if the steps are enough."""
        if self._replay is not None and self._penalised == any(weights):
            return True
        if self._recordable and len(rates) > WARM_UP:
            self._replay, self._penalised = None, any(weights)  # the memory of an earlier recording is released first
            if not self._recorded(batches, rates, weights):
                self._replay, self._recordable = None, False
        return self._replay is not None and self._penalised == any(weights)

    def _recorded(self, batches: Batch, rates: Sequence[float], weights: Sequence[float]) -> bool:
        """Record a step and return whether it equals a plain step; the state stays as it was."""
        # The penalty's weight only rises: if it counts in any of the steps, it counts in the last ones.
        last_batches, before = tuple(array[-WARM_UP:] for array in batches), self._state()
        losses = super().take(last_batches, rates[-WARM_UP:], weights[-WARM_UP:])
        after = self._state()
        self._prepare(batches, losses)
        try:
            self._replay = self._record(self._body)
        except RuntimeError as error:
            if ran_out(error):
                raise
            logger.warning("a training step cannot be recorded as a CUDA graph (%s): plain steps, slower", error)
            return False
        finally:
            self._restore(before)
        self._replayed(last_batches, rates[-WARM_UP:], weights[-WARM_UP:])
        same = self._moved(before, after) and torch.allclose(self._losses[:WARM_UP], losses, rtol=CLOSE)
        self._restore(before)
        if not same:
            logger.warning("a training step recorded as a CUDA graph does something else: plain steps, slower")
        return same

    def _replayed(self, batches: Batch, rates: Sequence[float], weights: Sequence[float]) -> None:
        assert self._replay is not None
        for buffer, array in zip((*self._batches, self._rates, self._weights), (*batches, rates, weights), strict=True):
            source = torch.as_tensor(array, dtype=buffer.dtype)
            buffer[: len(source)].copy_(source, non_blocking=True)
        self._number.zero_()
        for _ in rates:
            self._replay()

    def _prepare(self, batches: Batch, losses: Tensor) -> None:
        """Allocate the buffers of a chunk's batches, schedules and losses."""
        device, steps = self._factors.device, len(batches[0])
        self._batches = tuple(torch.empty_like(array) for array in batches)
        self._rates, self._weights = (torch.empty(steps, device=device) for _ in range(2))
        self._losses = losses.new_zeros(steps, *losses.shape[1:])
        self._number = torch.zeros(1, dtype=torch.int64, device=device)  # of the next step in the chunk
        self._rate = torch.zeros((), device=device)
        self.optimizer.rate = self._rate

    def _body(self) -> None:
        """The step that is recorded: the next step of the chunk."""
        batch = tuple(array.index_select(0, self._number).squeeze(0) for array in self._batches)
        self._rate.copy_(self._rates.index_select(0, self._number).squeeze(0))
        losses = self._step(batch, self._weights.index_select(0, self._number), self._penalised)
        self._losses.index_copy_(0, self._number, losses.unsqueeze(0))
        self._number.add_(1)

    def _state(self) -> list[Tensor]:
        """Copies of the leaves and of Adam's state, once there is any."""
        return [tensor.detach().clone() for tensor in self._tensors()]

    def _tensors(self) -> list[Tensor]:
        return [*self.leaves, *(tensor for state in self.optimizer.state for tensor in state.values())]

    def _restore(self, state: Sequence[Tensor]) -> None:
        """Set the leaves and Adam's state in place; before the first step Adam's state is zero."""
        with torch.no_grad():
            for number, tensor in enumerate(self._tensors()):
                tensor.copy_(state[number]) if number < len(state) else tensor.zero_()

    def _moved(self, before: Sequence[Tensor], after: Sequence[Tensor]) -> bool:
        """Whether the leaves are where plain steps led them, to :data:`NEAR` of the way there, all together.

        Adam moves a leaf whose gradient is rounding alone as far as any other leaf, and each time differently. An
        example is a bias of the latents, which the Euclidean loss does not depend on.
        """
        ways = list(zip(self.leaves, before, after, strict=False))
        missed = sum((leaf - end).square().sum() for leaf, _, end in ways)
        moved = sum((end - start).square().sum() for _, start, end in ways)
        return bool(missed <= NEAR**2 * moved)
