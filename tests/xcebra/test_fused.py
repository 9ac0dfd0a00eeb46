"""How a step is computed: compiled, and with which precision on a card."""

import logging
import shutil

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.small_trainings import trained
from xcebra_nwb.xcebra.trainers import contrastive, loss
from xcebra_nwb.xcebra.trainers.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.trainers.operations import fused, products


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_training_is_the_plain_one(caplog: pytest.LogCaptureFixture) -> None:
    always = {"steps": 20, "regularizer_ramp": (0.0, 0.0)}
    plain, compiled = (trained([0, 90], [1, 2], compiled=choice, **always) for choice in (False, True))
    assert not [record.message for record in caplog.records if record.name == "xcebra_nwb"]
    np.testing.assert_allclose(compiled.loss, plain.loss, rtol=1e-4)
    for (weight, _), (other, _) in zip(compiled.layers, plain.layers, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_compiled_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def without_compiler(work: object, dynamic: bool) -> object:
        def refused(*arguments: object) -> None:
            raise RuntimeError("No working C++ compiler found\nsee the log")

        return refused

    monkeypatch.setattr(torch, "compile", without_compiler)
    step = fused(lambda batch, penalised: (batch[0].sum(), None))
    with caplog.at_level(logging.WARNING, "xcebra_nwb"):
        found = [step((torch.ones(2),), False)[0].item() for _ in range(2)]
    assert found == [2.0, 2.0]
    assert [record.message for record in caplog.records] == [
        "a training step cannot be compiled (No working C++ compiler found): it is not fused"
    ]


def test_an_error_of_the_step_itself_is_not_taken_for_one_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(batch: tuple[Tensor, ...], penalised: bool) -> tuple[Tensor, None]:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(torch, "compile", lambda work, dynamic: work)
    step = fused(broken)
    with pytest.raises(RuntimeError, match="shapes"):
        step((torch.ones(2),), False)


def test_on_a_card_encoders_may_compute_in_tf32_and_the_loss_never(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[str]] = {"loss": set(), "encoder": set()}

    def spy(where: str, work: object) -> object:
        def called(*arguments: object) -> object:
            seen[where].add(torch.backends.cuda.matmul.fp32_precision)
            return work(*arguments)  # type: ignore[operator]

        return called

    monkeypatch.setattr(loss, "_latents_first", spy("loss", loss._latents_first))
    monkeypatch.setattr(contrastive.encoder, "forward", spy("encoder", contrastive.encoder.forward))
    before = torch.backends.cuda.matmul.fp32_precision
    trained([0], [1], steps=2, precision="tf32")
    assert seen == {"loss": {"ieee"}, "encoder": {"tf32"}}
    assert torch.backends.cuda.matmul.fp32_precision == before


def test_the_precision_is_given_back_when_a_step_fails() -> None:
    before = torch.backends.cuda.matmul.fp32_precision
    with pytest.raises(ValueError, match="step"), products("tf32"):
        raise ValueError("step")
    assert torch.backends.cuda.matmul.fp32_precision == before


@pytest.mark.gpu
def test_on_a_card_the_loss_of_far_latents_is_exact_beside_tf32() -> None:
    far = [torch.randn(1, 64, 4, dtype=torch.float64) + 1000 for _ in range(3)]
    exact = contrastive_loss(*far, Contrast())
    with products("tf32"):
        found = contrastive_loss(*(block.float().cuda() for block in far), Contrast())
    torch.testing.assert_close(found.cpu().double(), exact, rtol=0.1, atol=0.5)
