"""Adam without torch's class: its bits, and none of its compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from xcebra_nwb.xcebra.trainers.adam import MOMENTS, Adam

STEPS = 7


def leaves() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in ((3, 4, 2), (3, 1, 2))]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1 + step)
    return [torch.randn(leaf.shape, generator=generator) for leaf in leaves()]


def test_it_has_the_bits_of_torchs_adam() -> None:
    ours, theirs = Adam(leaves()), torch.optim.Adam(other := leaves(), fused=True)
    for step in range(STEPS):
        ours.rate = theirs.param_groups[0]["lr"] = 0.1 / (1 + step)
        ours.step(gradients(step))
        for leaf, gradient in zip(other, gradients(step), strict=True):
            leaf.grad = gradient
        theirs.step()
    for leaf, state, same in zip(ours.leaves, ours.state, other, strict=True):
        assert torch.equal(leaf, same)
        for name in (*MOMENTS, "step"):
            assert torch.equal(state[name], theirs.state[same][name])


def test_it_goes_on_from_a_state_with_the_same_bits() -> None:
    whole, resumed = Adam(leaves()), Adam(leaves())
    whole.rate = resumed.rate = 0.1
    for step in range(STEPS):
        if step == 3:
            resumed.restore(step, [{name: state[name].clone() for name in MOMENTS} for state in whole.state])
            for leaf, other in zip(resumed.leaves, whole.leaves, strict=True):
                leaf.detach().copy_(other.detach())
        whole.step(gradients(step))
        if step >= 3:
            resumed.step(gradients(step))
    assert all(torch.equal(a, b) for a, b in zip(whole.leaves, resumed.leaves, strict=True))


@pytest.mark.slow
def test_a_training_step_and_the_measure_of_its_memory_import_no_compiler() -> None:
    code = """
import sys, torch
from xcebra_nwb.training.memory import peak_bytes
from xcebra_nwb.xcebra.trainers.stepper import Stepper
leaf = torch.zeros(2, 3).requires_grad_()
losses_of = lambda batch, penalised: ((leaf - batch[0]).square().sum(-1, keepdim=True), None)
stepper = Stepper([leaf], losses_of, torch.ones(1))
step = lambda: stepper.take((torch.ones(1, 2, 3),), [0.1], [0.0])
assert peak_bytes(step, torch.device("cpu")) > 0 and bool((leaf != 0).all())
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
