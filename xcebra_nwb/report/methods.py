"""The paragraph of methods of a session, made from what its result files say of themselves, with citations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xcebra_nwb.core import members
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.core.results import Results, from_json
from xcebra_nwb.report.style import latents, number
from xcebra_nwb.report.wording import listed

PUBLISHED = re.compile(r"\d+\.\d+\.\d+")  # a version of a dandiset that never changes; a draft has none
DANDI = re.compile(r"dandi://dandi/|https://(?:api\.)?dandiarchive\.org/")
NAMED = ("xcebra-nwb", "torch", "numpy", "scipy", "scikit-learn", "pynwb", "python")  # versions in the text


@dataclass(frozen=True)
class Methods:
    """What stands in a paper of how a session was analysed."""

    paragraphs: list[str]
    references: list[str]

    @property
    def text(self) -> str:
        """Return the paragraphs and the references as plain text."""
        return "\n\n".join([*self.paragraphs, "References", "\n".join(self.references)])


XCEBRA = (
    "Schneider S, González Laiz R, Filippova A, Frey M, Mathis MW (2025). Time-series attribution maps with "
    "regularized contrastive learning. AISTATS 2025, PMLR 258:2521–2529. arXiv:2502.12977"
)
CEBRA = (
    "Schneider S, Lee JH, Mathis MW (2023). Learnable latent embeddings for joint behavioural and neural analysis. "
    "Nature 617:360–368. doi:10.1038/s41586-023-06031-6"
)
JACOBIAN = "Hoffman J, Roberts DA, Yaida S (2019). Robust learning with Jacobian regularization. arXiv:1908.02729"
MUON = (
    "Jordan K, Jin Y, Boza V, You J, Cesista F, Newhouse L, Bernstein J (2024). Muon: an optimizer for hidden layers "
    "in neural networks. kellerjordan.github.io/posts/muon"
)
OPTIMIZERS = {"adam": "Adam", "muon": "Muon (Jordan et al., 2024)"}
RATE = (
    "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and powerful approach to "
    "multiple testing. J R Stat Soc B 57:289–300. doi:10.1111/j.2517-6161.1995.tb02031.x"
)
NWB = (
    "Rübel O, Tritt A, Ly R, Dichter BK, Ghosh S, Niu L, et al. (2022). The Neurodata Without Borders ecosystem for "
    "neurophysiological data science. eLife 11:e78362. doi:10.7554/eLife.78362"
)


def methods(results: Results) -> Methods:
    """Return the paragraphs of methods of a session, and the references that they need.

    Every number is of the results; where they say nothing of something, neither does the text.

    Args:
        results: the files of the session.
    """
    parts = [_data(results), _training(results), _maps(results), _tests(results), _software(results)]
    return Methods([" ".join(part) for part in parts if part], _references(results))


def _config(results: Results) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for dataset in (results.session, results.training, results.attribution):
        content = from_json(dataset.attrs.get("config", "{}"))
        merged |= content if isinstance(content, dict) else {}
    return merged


def _data(results: Results) -> list[str]:
    session = results.session
    activity, valid = session["activity"].attrs, session["valid"].values
    width = float(session.attrs["bin_width"])
    used = int(valid.sum())
    units = f"{_count(session.sizes['unit'], 'unit')} ({activity['kind']} of {session.attrs['neural_source']})"
    bins = f"{used:,} of {valid.size:,} bins ({number(used * width / 60)} min)"
    said = [_source(results)]
    said.append(f"{units} were brought into bins of {number(1000 * width)} ms; {bins} were used.")
    masks = from_json(session.attrs["masks"])
    if isinstance(masks, dict) and masks:
        said.append(f"Bins were left out for these reasons: {listed([f'{why} ({n:,})' for why, n in masks.items()])}.")
    treated = []
    if float(activity["smoothing"]) > 0:
        treated.append(
            f"smoothed with a Gaussian (standard deviation {number(1000 * float(activity['smoothing']))} ms)"
        )
    if int(activity["standardize"]):
        treated.append("brought to mean 0 and variance 1 for each unit")
    if treated:
        said.append(f"Activity was {' and '.join(treated)}.")
    said.append(f"The labels were {listed([_label(name, array) for name, array in contract.labels(session).items()])}.")
    return said


def _source(results: Results) -> str:
    attrs = results.session.attrs
    subject = ", ".join(
        part for part in (f"subject {attrs['subject']}" if attrs["subject"] else "", attrs["species"]) if part
    )
    start = f"Session {attrs['session']}" + (f" ({subject})" if subject else "")
    if attrs["asset_id"]:
        version = str(attrs.get("version", ""))
        where = (
            f"of dandiset {attrs.get('dandiset', '')}, version {version}" if attrs.get("dandiset") else "of an archive"
        )
        return f"{start} is asset {attrs['asset_id']} {where}, in NWB (Rübel et al., 2022)."
    digest = f", SHA-256 {attrs['sha256'][:16]}…" if attrs["sha256"] else ""
    return f"{start} was read from an NWB file (Rübel et al., 2022; identifier {attrs['nwb_identifier']}{digest})."


def _label(name: str, array: Any) -> str:
    attrs, axes = array.attrs, contract.label_axes(array)
    parts = [str(attrs["kind"]), f"{axes} axes" if axes > 1 else "", str(attrs["units"]), str(attrs["source"])]
    return f"{name} ({', '.join(part for part in parts if part)})"


def _training(results: Results) -> list[str]:
    training, config = results.training, _config(results)
    trained, encoder = config.get("training") or {}, config.get("encoder") or {}
    seeds, size = len(members.seeds(training)), results.embedding.sizes["latent"]
    built = f"{encoder['architecture']}, {encoder['hidden']} hidden units a layer, " if encoder else ""
    were, how = "was" if seeds == 1 else "were", "regularized contrastive learning (xCEBRA; Schneider et al., 2025)"
    how = "supervised training" if trained.get("loss") == "supervised" else how
    said = [f"{_count(seeds, 'encoder')} ({built}{size} latents) {were} trained by {how}, each from another seed."]
    said.append(f"Blocks of latents: {_blocks(training)}.")
    said += _schedule(trained) if trained else []
    held, used = int((training["split"] == 1).sum()), int((training["split"] >= 0).sum())
    stretches = f" in {trained['held_out_blocks']} stretches" if "held_out_blocks" in trained else ""
    share = f"{held / max(used, 1):.0%} of those used for training or test"
    said.append(f"{held:,} bins{stretches} ({share}) were held out.")
    nulls = from_json(training.attrs.get("nulls", "{}"))
    if isinstance(nulls, dict) and nulls:
        told = [f"{label}: {_count(int(each['count']), 'encoder')} ({each['reason']})" for label, each in nulls.items()]
        said.append(f"Nulls were trained with one label shuffled and the others true; {'; '.join(told)}.")
    return said


def _schedule(trained: Mapping[str, Any]) -> list[str]:
    rate = f"learning rate {number(trained['learning_rate'])}"
    if float(trained.get("decay", 1.0)) != 1.0:
        rate += f" (decay {number(trained['decay'])})"
    parts = [
        f"{trained['steps']:,} steps of {OPTIMIZERS[trained.get('optimizer', 'adam')]}",
        f"batches of {trained['batch_size']}",
        rate,
    ]
    if trained.get("loss") != "supervised":
        parts += [f"{trained['similarity']} similarity", f"temperature {number(trained['temperature'])}"]
    said = [f"Training took {', '.join(parts)}."]
    if _penalty(trained) > 0:
        (first, last), weight = trained["regularizer"]["ramp"], number(_penalty(trained))
        grew = f"grew between {first:.1%} and {last:.1%} of the steps"
        said.append(f"The Jacobian penalty (Hoffman et al., 2019) had the weight {weight}, which {grew}.")
    return said


def _penalty(trained: Mapping[str, Any]) -> float:
    return float((trained.get("regularizer") or {}).get("weight", 0))


def _blocks(training: Any) -> str:
    columns = (training[name].values for name in ("objective", "positive", "first_latent", "last_latent"))
    return "; ".join(
        f"{name}, {latents(int(a), int(b))} (positive pairs: {rule})" for name, rule, a, b in zip(*columns, strict=True)
    )


def _maps(results: Results) -> list[str]:
    attribution, config = results.attribution, _config(results).get("attribution", {})
    names = [str(name).replace("_", " ") for name in attribution["map_method"].values]
    tested = str(attribution.attrs.get("tested_method", attribution["map_method"].values[0])).replace("_", " ")
    said = [
        f"Each unit's share in the code of a label is the {tested} of the encoder, pooled over bins and the label's "
        f"latents, mean over {_count(attribution.sizes['seed'], 'seed')}."
    ]
    if len(names) > 1:
        said.append(f"It was compared with the {listed(names[1:])}.")
    if "rank_tolerance" in config:
        ranks = ", ".join(
            f"{label} {number(float(attribution['effective_rank'].sel(label=label).mean()), 2)}"
            for label in results.labels
        )
        said.append(f"The inverse was cut by the rule {config['rank_tolerance']} (directions kept, mean: {ranks}).")
    said.append("z compares the log of a unit's share with the same unit's nulls.")
    return said


def _tests(results: Results) -> list[str]:
    attribution = results.attribution
    said = [
        "A unit carries a label if its held-out activity is predicted better when the label is known beside all other "
        "labels than without it, and shuffled labels reach this no more often than a false discovery rate of "
        f"{LEVEL:.0%} over units allows (Benjamini and Hochberg, 1995)."
    ]
    if "information_nulls" in attribution:
        draws = attribution["information_nulls"].values
        if np.isfinite(draws).any():
            low, high = int(np.nanmin(draws)), int(np.nanmax(draws))
            said.append(f"Units were compared with {low:,}{f' to {high:,}' if high > low else ''} shuffled labels.")
    for label in results.labels:
        assessed = results.assessed(label)
        if not assessed:
            continue
        told = str(assessed.get("because") or "the results do not say why")
        if "carry it" not in told:  # the reason of a supported label counts them already
            carrying, tested = assessed.get("carrying_units"), assessed.get("tested_units")
            told += "; units were not tested" if carrying is None else f"; {carrying} of {tested} units carry it"
        said.append(f"{label} is {assessed.get('verdict')}: {told}.")
    return said


def _software(results: Results) -> list[str]:
    versions: dict[str, Any] = {}
    for dataset in (results.session, results.training, results.attribution):
        content = from_json(dataset.attrs.get("software", "{}"))
        for package, version in (content if isinstance(content, dict) else {}).items():
            earlier = versions.get(package)
            versions[package] = version if earlier in (None, version) else f"{earlier} and {version}"
    told = listed([f"{name} {versions[name]}" for name in NAMED if name in versions])
    seed = _config(results).get("random_seed")
    drawn = f" All random draws came from the seed {seed}." if seed is not None else ""
    return [f"Software: {told}; device: {results.training.attrs.get('device', 'not known')}.{drawn}"]


def _references(results: Results) -> list[str]:
    found = [XCEBRA, CEBRA, RATE, NWB]
    if _penalty(_config(results).get("training") or {}) > 0:
        found.append(JACOBIAN)
    if (_config(results).get("training") or {}).get("optimizer") == "muon":
        found.append(MUON)
    data = dataset_reference(results.session.attrs)
    return sorted([*found, *([data] if data else [])])


def dataset_reference(attrs: Mapping[str, Any]) -> str:
    """Return the reference of the dandiset that a session is from; empty where none can be given for certain.

    The DANDI archive gives every published version a DOI of one form. Drafts and other archives have none.

    Args:
        attrs: of session.nc.

    >>> at = "dandi://dandi/000207@0.220216.0323/a.nwb"
    >>> dataset_reference({"dandiset": "000207", "version": "0.220216.0323", "source": at})
    'Dandiset 000207, version 0.220216.0323. DANDI Archive. doi:10.48324/dandi.000207/0.220216.0323'
    """
    dandiset, version = str(attrs.get("dandiset", "")), str(attrs.get("version", ""))
    published = PUBLISHED.fullmatch(version) and DANDI.match(str(attrs.get("source", "")))
    if not published or not re.fullmatch(r"\d{6}", dandiset):
        return ""
    return f"Dandiset {dandiset}, version {version}. DANDI Archive. doi:10.48324/dandi.{dandiset}/{version}"


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(every: Iterable[Methods]) -> Methods:
    """Return the methods of several sessions as one; a reference stands once.

    Args:
        every: the methods of each session.
    """
    every = list(every)
    references = sorted({reference for each in every for reference in each.references})
    return Methods([paragraph for each in every for paragraph in each.paragraphs], references)
