"""An objective in the config: a block of latents, a rule for its positive pairs, and the keys of each rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from xcebra_nwb.core.config.section import LABEL_NAME, Section

Step = Literal["time_delta", "delta_normal", "delta_vmf"]
Rule = Literal["time", "time_delta", "delta_normal", "delta_vmf", "discrete", "mixed"]
KEYS: dict[Rule, tuple[str, ...]] = {
    "time": ("offset",),
    "time_delta": ("label", "delta"),
    "delta_normal": ("label", "delta", "scale"),
    "delta_vmf": ("label", "kappa"),
    "discrete": ("label",),
    "mixed": ("label", "within", "step"),  # and those of the step
}


class Objective(Section):
    """A block of latents and the rule for its positive pairs."""

    name: str = Field(pattern=LABEL_NAME, description="name of the objective, different from all others")
    outputs: tuple[int, int] = Field(description="the block: its first latent, and the latent after its last")
    positive: Rule = Field(
        description="rule for positive pairs: time, time_delta, delta_normal, delta_vmf, discrete or mixed"
    )
    label: str | None = Field(None, description="the label that the rule reads (not for time)")
    within: str | None = Field(None, description="the discrete label whose class the positive shares (mixed)")
    offset: int = Field(1, ge=1, description="bins from reference to positive (time)")
    step: Step = Field("time_delta", description="rule for the step of the label within a class (mixed)")
    delta: int = Field(1, ge=1, description="bins over which label increments are taken (time_delta, delta_normal)")
    scale: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="size of the random step in root mean squares of the label's own increments (delta_normal)",
    )
    kappa: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="concentration around the direction (delta_vmf)"
    )
    weight: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="factor of the contrastive loss in the minimised sum"
    )

    @property
    def steps(self) -> Rule:
        """The rule that changes the label: the objective's own, or the step of ``mixed``."""
        return self.step if self.positive == "mixed" else self.positive

    @property
    def labels(self) -> list[str]:
        """The labels that the rule reads."""
        return [label for label in (self.label, self.within) if label is not None]

    @model_validator(mode="after")
    def _consistent(self) -> Objective:
        for problem in self._problems():
            raise ValueError(f"objective {self.name}: {problem}")
        return self

    def _problems(self) -> Iterator[str]:
        read = dict.fromkeys(KEYS[self.positive] + KEYS[self.steps])
        if self.outputs[0] < 0 or self.outputs[1] <= self.outputs[0]:
            yield f"outputs {list(self.outputs)} are empty or negative"
        for key in read:
            if getattr(self, key) is None:
                yield f"{self.positive} positives need `{key}`"
        for key in dict.fromkeys(key for keys in KEYS.values() for key in keys):
            if key not in read and getattr(self, key) != type(self).model_fields[key].default:
                known = ", ".join(f"`{name}`" for name in read)
                yield f"`{key}` means nothing to {self.positive} positives, which read {known}"
        if self.label is not None and self.label == self.within:
            yield "`label` and `within` are the same label"
