"""CEBRA's side of the speed benchmark: its own training and its own attribution, on the same data."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import torch

from xcebra_nwb.benchmark.cebra_peer import ENCODER, solver_of
from xcebra_nwb.benchmark.speed.stopwatch import CPU, finished
from xcebra_nwb.benchmark.speed.work import Work
from xcebra_nwb.core.activity import encoder_input

ENCODERS = {"mlp": ENCODER, "conv10": "offset10-model-mse"}  # of the mlp it chooses the width itself
WEIGHT = 0.1  # of the regulariser, from the first step on


def peer(work: Work, device: torch.device = CPU) -> Callable[[int], object]:
    """Return a function that does CEBRA's training or attribution.

    Its attribution always computes gradients and two inverses of two kinds of them, all at once.

    Args:
        work: what to do.
        device: where to do it.

    Returns:
        A function of the number of steps, or of bins.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it configures
        done = finished(_training(work, device) if work.kind == "training" else _attribution(work, device), device)

    def quietly(count: int) -> object:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return done(count)

    return quietly


def _training(work: Work, device: torch.device) -> Callable[[int], object]:
    import cebra

    inputs = torch.as_tensor(encoder_input(work.task.session))
    schedule = cebra.solver.schedulers.LinearRampUp(
        n_splits=2, step_to_switch_on_reg=0, step_to_switch_off_reg=1, start_weight=WEIGHT, end_weight=WEIGHT
    )

    solver, loader = solver_of(inputs, work.task, 1, ENCODERS[work.architecture])
    for part in (solver, loader.dataset, loader):
        part.to(device)

    def steps(count: int) -> object:
        loader.num_steps = count
        return solver.fit(loader=loader, scheduler_regularizer=schedule)

    return steps


def _attribution(work: Work, device: torch.device) -> Callable[[int], object]:
    import cebra

    inputs = torch.as_tensor(encoder_input(work.task.session), device=device)
    model = cebra.models.init(ENCODERS[work.architecture], work.units, work.hidden, work.outputs).eval().to(device)
    extra = len(model.get_offset()) - 1  # bins of the first window that are no window's centre

    def bins(count: int) -> Any:
        windows = inputs[: count + extra].clone().requires_grad_()
        method = cebra.attribution.init("jacobian-based", model=model, input_data=windows, output_dimension=None)
        return method.compute_attribution_map()

    return bins
