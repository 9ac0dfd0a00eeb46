"""The typed config: every key, its default, its meaning and its bounds, in one place.

The JSON schema, the default YAML and the table in ``config/README.md`` are generated from these models
(:mod:`xcebra_nwb.core.config.docs`), and a test fails when they drift.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from xcebra_nwb.core.config.labels import Auto, Label
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.section import LABEL_NAME, Section, first_problem
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.safe_text import path_problem

LARGEST = 1_000_000  # bytes of a config
MOST_VALUES = 100_000  # in a config; a YAML alias counts each time it is used
LONGEST_NUMBER = 1_000  # bits
NullKind = Literal["auto", "shift", "reverse", "permute"]
Method = Literal[
    "inverted_neuron_gradient",
    "inverted_neuron_gradient_plain",
    "neuron_gradient",
    "generator_support",
    "integrated_gradients",
    "gradient_shap",
    "shapley_sampling",
    "kernel_shap",
    "feature_ablation",
]
WINDOWS = {"mlp": 1, "conv10": 10}  # bins that an encoder sees at once
EXTRACTION: dict[str, set[str] | bool] = {  # sections, or keys of them, that extraction reads
    **dict.fromkeys(("neural", "time", "labels"), True),
    "encoder": {"architecture"},  # decides on smoothing and windows
    "training": {"batch_size", "held_out", "held_out_blocks"},  # decide whether the data suffice
}
AT_EVERY_BIN = ("inverted_neuron_gradient", "inverted_neuron_gradient_plain", "neuron_gradient", "generator_support")


class Neural(Section):
    """What counts as neural activity."""

    source: str | list[str] = Field(
        "auto", description="auto, or one or more paths in the file; `*` stands for any characters of a name"
    )
    where: str = Field(
        "",
        description="a query that chooses units, such as `region == 'CA1' and rate > 1` (docs/reference/labels.md); it "
        "may name the columns of the unit table, `region`, and four numbers over the valid bins: `n_spikes`, `rate` "
        "(Hz), `presence` (share of 100 parts of the time with a spike) and `isi_violations` (share of intervals under "
        "1.5 ms); if the file has a column of one of these four names, write `own_<name>` for it",
    )
    rows: str = Field("", description="path of a table region of the file; only units whose rows it points to are used")
    min_spikes: int = Field(50, ge=0, description="units with fewer spikes in the valid bins are left out")
    min_coverage: float = Field(
        0.5, ge=0, le=1, description="units observed for a smaller share of the recording are left out"
    )
    smoothing: Auto | Annotated[float, Field(ge=0)] = Field(
        "auto",
        description="s, standard deviation of a Gaussian over time within segments; auto: see "
        "docs/background/method.md",
    )
    standardize: bool = Field(True, description="bring every unit to mean 0 and variance 1 over the valid bins")


class Time(Section):
    """Which times are used, and how finely."""

    bin_width: Auto | Annotated[float, Field(gt=0)] = Field(
        "auto", description="s; auto: 0.05, or the sample period of neural data that are sampled more slowly"
    )
    within: str | tuple[float, float] | None = Field(
        None,
        description="null (all), [start, stop] in s, or a table or series of intervals, with a query or without: "
        "\"/intervals/epochs: label == 'run'\"",
    )
    max_gap: float = Field(0.5, gt=0, description="s; the gap between samples further apart than this is masked")
    max_still: float | None = Field(
        30.0,
        gt=0,
        description="s; a tracked position that stays exactly the same for longer counts as lost; null: never",
    )


class Encoder(Section):
    """The network from a window of activity to latents."""

    architecture: Literal["mlp", "conv10"] = Field("mlp", description="mlp (sees one bin) or conv10 (sees ten bins)")
    hidden: int = Field(64, ge=1, description="width of the hidden layers")
    outputs: Auto | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="number of latents, or as many as the labels' blocks need if that is more; auto: see "
        "docs/background/method.md",
    )
    clip: float | None = Field(None, gt=0, description="bound of the latents; `denominator: negatives` needs one")


class Regularizer(Section):
    """Penalty on the squared Frobenius norm of the encoder's Jacobian."""

    weight: float = Field(0.1, ge=0, description="full weight of the penalty")
    ramp: tuple[float, float] = Field(
        (0.125, 0.25), description="shares of the steps at which the weight starts to grow and reaches its full value"
    )

    @model_validator(mode="after")
    def _switches_on(self) -> Regularizer:
        if not 0 <= self.ramp[0] <= self.ramp[1] < 1:
            raise ValueError(f"ramp {list(self.ramp)} never switches on: two shares of the steps, 0 <= a <= b < 1")
        return self


class Training(Section):
    """How the encoder is trained."""

    loss: Literal["contrastive", "supervised"] = Field(
        "contrastive",
        description="supervised: mean squared error from each label; similarity, temperature and denominator then "
        "have no effect",
    )
    steps: int = Field(200, ge=1, description="optimiser steps")
    batch_size: int = Field(512, ge=2, description="number of references, and of negatives, per step")
    optimizer: Literal["muon", "adam"] = Field(
        "muon",
        description="muon: momentum, made orthogonal, of the weights, and Adam of the biases; it needs a third of the "
        "steps of adam (docs/background/method.md)",
    )
    learning_rate: float = Field(6e-3, gt=0, description="about how far a weight goes in a step, at first")
    decay: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the steps after which the learning rate falls to 0, along half a cosine; 1: it stays",
    )
    similarity: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="similarity of two embeddings in the contrastive loss (phi)"
    )
    temperature: float = Field(1.0, gt=0, description="temperature of the contrastive loss (tau)")
    denominator: Literal["all", "negatives"] = Field(
        "all", description="all: the denominator includes the positive (bounded loss); negatives: the paper's form"
    )
    regularizer: Regularizer = Field(default_factory=Regularizer, description="Jacobian penalty")
    seeds: int = Field(4, ge=1, description="encoders trained on the true labels")
    nulls: int = Field(8, ge=0, description="encoders for each label that are trained with that label shuffled (nulls)")
    null_kind: NullKind | dict[Annotated[str, Field(pattern=LABEL_NAME)], NullKind] = Field(
        "auto",
        description="how a label is shuffled: shift, reverse, permute (trials), or auto (by the type of the label); "
        "one kind for all labels, or `label: kind`",
    )
    together: bool = Field(
        False,
        description="train all sessions jointly, in one job and one latent space; their labels must mean the same",
    )
    sessions_at_once: int = Field(
        1,
        ge=1,
        description="number of small sessions that one job trains, each in its own latent space "
        "(docs/how-to/several-sessions.md)",
    )
    held_out: float = Field(
        0.2, gt=0, lt=0.6, description="share of the bins that are held out from training, in contiguous stretches"
    )
    held_out_blocks: int = Field(5, ge=1, description="number of those stretches")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:1")
    precision: Literal["float32", "tf32"] = Field(
        "float32",
        description="precision of the encoders on a graphics card: float32, or tf32 (faster, 10 bits a factor)",
    )
    compile: bool = Field(
        False,
        description="fuse the operations of a step with torch.compile; needs half a minute and a C++ compiler",
    )

    @model_validator(mode="after")
    def _compiled_exactly(self) -> Training:
        if self.compile and self.precision != "float32":
            raise ValueError("precision: a compiled step computes all products alike, and the loss needs float32")
        return self

    @model_validator(mode="after")
    def _together_by_pairs(self) -> Training:
        if self.together and self.loss == "supervised":
            raise ValueError("together: supervised encoders have no pairs to exchange; train each session by itself")
        return self

    @model_validator(mode="after")
    def _penalty_switches_on(self) -> Training:
        start, full = (share * self.steps for share in self.regularizer.ramp)
        last = self.steps - 1
        if self.regularizer.weight > 0 and not (last > start or last >= full):
            raise ValueError(
                f"regularizer.ramp {list(self.regularizer.ramp)} never switches on within {self.steps} steps; "
                "more steps, an earlier ramp, or weight: 0"
            )
        return self


class Generator(Section):
    """Model of the activity given the latents; generator_support is its Jacobian."""

    weight: float = Field(0.03, ge=0, description="weight of the sparsity; docs/background/method.md gives its unit")
    steps: int = Field(600, ge=1, description="optimiser steps")
    batch_size: int = Field(256, ge=1, description="bins per step")
    learning_rate: float = Field(3e-3, gt=0, description="learning rate of Adam")
    hidden: int = Field(64, ge=1, description="width of the two hidden layers")


class Attribution(Section):
    """How much each unit carries of each label."""

    methods: list[Method] = Field(
        ["inverted_neuron_gradient", "neuron_gradient"],
        min_length=1,
        description="methods that make a map; the first one is tested against the nulls",
    )

    @property
    def costly(self) -> list[str]:
        """The methods of captum, which are computed at a few bins only."""
        return [method for method in self.methods if method not in AT_EVERY_BIN]

    @model_validator(mode="after")
    def _methods_fit(self) -> Attribution:
        if len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods: every method once, got {self.methods}")
        if self.time_resolved and self.costly:
            named = ", ".join(self.costly)
            raise ValueError(f"time_resolved: {named} is not computed at every bin; leave that out, or time_resolved")
        return self

    rank_tolerance: Auto | Annotated[float, Field(ge=0, lt=1)] = Field(
        "auto",
        description="which directions of the latents the inverse keeps; auto: those that labels move, and new ones "
        "(docs/background/method.md); a number: Gram eigenvalues under this share of the largest are dropped; 0: "
        "plain pseudo-inverse",
    )
    bins: Auto | Literal["all"] | Annotated[int, Field(ge=100)] = Field(
        "auto",
        description="number of bins over which maps are means, one of each stretch of time; auto: 4000; "
        "`time_resolved` needs all",
    )
    time_resolved: bool = Field(
        False, description="also write the label maps of every bin (only Jacobian methods and generator_support)"
    )
    samples: int = Field(
        500, ge=1, description="number of bins, evenly over the usable ones, at which the other methods are computed"
    )
    generator: Generator = Field(
        default_factory=Generator, description="the model of the activity, for generator_support"
    )


def _fit(path: str) -> str:
    if problem := path_problem(path):
        raise ValueError(problem)
    return path


PathName = Annotated[str, AfterValidator(_fit)]


class Config(Section):
    """The whole config."""

    sessions: PathName = Field("config/sessions.tsv", description="table of the sessions, which `discover` writes")
    results: PathName = Field("results", description="folder of the results")
    access: Literal["download", "stream"] = Field(
        "download", description="how files of archives are read (docs/how-to/archive.md)"
    )
    neural: Neural = Field(default_factory=Neural)
    time: Time = Field(default_factory=Time)
    labels: Auto | dict[Annotated[str, Field(pattern=LABEL_NAME)], Label] = Field(
        "auto", description="auto, or a name and a source for each label"
    )
    encoder: Encoder = Field(default_factory=Encoder)
    objectives: Auto | list[Objective] = Field(
        "auto",
        description="a list, or auto: time on all latents, a block for every label (docs/background/method.md)",
    )
    training: Training = Field(default_factory=Training)
    attribution: Attribution = Field(default_factory=Attribution)
    random_seed: int = Field(0, ge=0, description="all random draws come from this seed")

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if (
            self.training.loss == "contrastive"
            and self.training.denominator == "negatives"
            and self.training.similarity == "euclidean"
            and self.encoder.clip is None
        ):
            raise ValueError(
                "training.denominator: negatives with the Euclidean similarity has no lower bound and diverges; "
                "set encoder.clip (the paper's code: 5) or denominator: all"
            )
        if self.objectives != "auto":
            _check_objectives(self)
        return self


def _check_objectives(config: Config) -> None:
    assert not isinstance(config.objectives, str)
    names = [objective.name for objective in config.objectives]
    if len(set(names)) < len(names):
        raise ValueError(f"objectives: every name must be used once, got {names}")
    for objective in config.objectives:
        if config.encoder.outputs != "auto" and objective.outputs[1] > config.encoder.outputs:
            raise ValueError(
                f"objective {objective.name}: outputs {list(objective.outputs)} exceed "
                f"encoder.outputs ({config.encoder.outputs})"
            )
        for label in objective.labels:
            if config.labels != "auto" and label not in config.labels:
                raise ValueError(f"objective {objective.name}: no label {label} among {list(config.labels)}")


def load(path: Path | str) -> Config:
    """Return the config of a YAML file.

    Raises:
        UsageError: There is no such file, it is not YAML, or a key or value is wrong. The line names the nearest valid
            key.
    """
    return validate(read(path), where=str(path))


def read(path: Path | str) -> dict[str, Any]:
    """Return the content of a YAML file; only its size and form are checked.

    Nothing in the file is evaluated.

    Raises:
        UsageError: There is no such file, it is not YAML, or it is too large.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST or not path.is_file():
            raise UsageError(
                f"{path}: not a file, or too large for a config", f"give a YAML file of at most {LARGEST:,} bytes"
            )
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such config file", "give the path of a YAML file, or an example: tiny") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "give the path of a YAML file that can be read") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date such as 2024-99-99 is a ValueError
        raise UsageError(f"{path}: not YAML: {error}", "correct the line that it names") from None
    if not isinstance(content or {}, dict):
        raise UsageError(f"{path}: no keys at its top level", "such as `results: results`")
    return content or {}


def validate(content: Any, where: str = "config") -> Config:
    """Return ``content`` as a :class:`Config`.

    Args:
        content: Keys and values of the config.
        where: Name of the config in messages.

    Raises:
        UsageError: A key or value is wrong; in one line.

    >>> validate({"training": {"seeds": 2}}).training.seeds
    2
    >>> validate({"training": {"seed": 2}})
    Traceback (most recent call last):
    xcebra_nwb.core.errors.UsageError: config: unknown key training.seed (did you mean seeds?)
    """
    _check_size(content, where)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error, Config)}") from None


def _check_size(content: Any, where: str) -> None:
    """Refuse a content whose YAML aliases make it endless, or too large to be shown."""
    waiting, count = [content], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
            raise UsageError(f"{where}: a number of {value.bit_length():,} bits", "give a smaller one")
        if count > MOST_VALUES:
            raise UsageError(
                f"{where}: over {MOST_VALUES:,} values", "leave out the aliases (*name) that repeat others"
            )
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ())


def dump(config: Config) -> str:
    """Return the config as YAML, every key present."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
