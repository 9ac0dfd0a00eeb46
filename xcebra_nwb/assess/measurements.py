"""The number of every condition in :mod:`xcebra_nwb.assess.conditions`, from the files of a session."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.activity import explained_sharing, window_features
from xcebra_nwb.assess.aliasing import aliased_share
from xcebra_nwb.assess.conditions import RULES, Measure
from xcebra_nwb.assess.evidence import mean_of_known
from xcebra_nwb.assess.fit import fit_of
from xcebra_nwb.assess.identifiability import leak, linear_leak, mixing, saturated_share, spanned_directions
from xcebra_nwb.assess.label_course import (
    covered_share,
    fewest_visits,
    independent_samples,
    kernel_statistics,
    steps_by_value,
)
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.attribution.comparison import partner
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.members import objective_of, recorded_config
from xcebra_nwb.core.session import label_axes, label_features, labels
from xcebra_nwb.training.design.label_space import objective_space
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.split import WINDOWS, Split, split_session
from xcebra_nwb.xcebra.decoding import Decoder, evenly

Floats = NDArray[np.float64]
MOST_TRAIN, MOST_TEST = 10_000, 2_000  # bins from which and on which the activity itself is decoded, evenly spaced


class Measurements:
    """The number of every condition of a session's labels.

    What all labels share (activity, encoders, settings) is prepared once. A measure is a function from the name of a
    label to the numbers of the rules in :data:`xcebra_nwb.assess.conditions.RULES` that name it in ``measured_by``.
    """

    def __init__(
        self,
        session: xr.Dataset,
        training: xr.Dataset,
        attribution: xr.Dataset,
        latents: Latents,
        inputs: NDArray[np.number],
    ) -> None:
        """Prepare what all labels share.

        Args:
            session: session.nc.
            training: training.nc.
            attribution: attribution.nc.
            latents: the embedding at the usable bins, and its split.
            inputs: the encoder's input (time, unit); it may be mapped from a file, and is read in parts.
        """
        self._session, self._training, self._attribution, self._latents = session, training, attribution, latents
        settings = recorded_config(training)
        self._clip = settings.encoder.clip
        train, test = evenly(latents.train, MOST_TRAIN), evenly(latents.test, MOST_TEST)
        self._decoded, parts = np.r_[train, test], np.split(np.arange(len(train) + len(test)), [len(train)])
        window, trained = WINDOWS[settings.encoder.architecture], latents.bins[latents.train]
        features = window_features(inputs, latents.bins[self._decoded], window, trained, len(train))
        self._decoder = Decoder(features, *parts)
        segment = session["segment"].values[latents.bins]
        self._follows = (np.diff(latents.bins) == 1) & (np.diff(segment) == 0)
        self._generator = np.random.default_rng(settings.random_seed)
        self._split = split_session(session, settings)
        self._moved_by = moving_objectives(settings, session, self._split)
        self._explained = self._over_seeds(
            lambda z: explained_sharing(z, inputs, latents.bins, latents.train, latents.test, self._generator)
        )

    def of(self, label: str, decoding_score: float) -> dict[str, float]:
        """Return the number of every rule for a label, NaN where it does not apply.

        Args:
            label: name of the label.
            decoding_score: held-out decoding of the label from its block.
        """
        measures: dict[Measure, Callable[[str], dict[str, float]]] = {
            "fit": self._fit,
            "block": self._block,
            "activity": lambda name: self._activity(name, decoding_score),
            "map": self._map,
            "course": self._course,
            "steps": self._steps,
            "classes": self._classes,
            "training": self._weights,
        }
        numbers: dict[str, float] = {}
        for measure in dict.fromkeys(rule.measured_by for rule in RULES):
            numbers |= measures[measure](label)
        return numbers

    def _over_seeds(self, measure: Callable[[Floats], float]) -> float:
        """The mean over seeds of what ``measure`` makes of their latents (sample, latent)."""
        return mean_of_known([measure(self._latents.values[seed]) for seed in self._latents.seeds])

    def _fit(self, name: str) -> dict[str, float]:
        latents, objective = self._latents, objective_of(self._training, name)
        held_out = self._training["held_out_loss"].values[:, objective]
        fit = fit_of(
            self._training["loss"].values[latents.seeds, objective],
            held_out[latents.seeds],
            held_out[latents.nulls(name)],
            float(self._training["chance"].values[objective]),
        )
        return {
            "loss_gain": fit.gain,
            "loss_gain_over_nulls": fit.gain_over_nulls,
            "generalisation": fit.generalisation,
            "still_falling": fit.still_falling,
        }

    def _block(self, name: str) -> dict[str, float]:
        maps, train, test = self._attribution.sel(label=name), self._latents.train, self._latents.test
        first, last = int(maps["first_latent"]), int(maps["last_latent"])
        values, kind = self._true(name)
        targets = label_features(values, kind)

        def aliased(block: Floats) -> float:
            return math.nan if kind == "discrete" else aliased_share(block, targets, train, test)

        return {
            "leak": self._over_seeds(lambda z: leak(z, first, last, train, test)),
            "linear_leak": self._over_seeds(lambda z: linear_leak(z, first, last, train, test)),
            "mixing": self._over_seeds(lambda z: mixing(z, first, last, train, test)),
            "saturated_outputs": self._over_seeds(lambda z: saturated_share(z[:, first:last], self._clip)),
            "aliasing": self._over_seeds(lambda z: aliased(z[:, first:last])),
        }

    def _activity(self, name: str, decoding_score: float) -> dict[str, float]:
        values, kind = self._true(name)
        from_activity = self._decoder.score(values[self._decoded], kind)
        return {"shared_explained": self._explained, "lost_by_encoder": from_activity - decoding_score}

    def _map(self, name: str) -> dict[str, float]:
        maps = self._attribution.sel(label=name)
        first, last = int(maps["first_latent"]), int(maps["last_latent"])
        inverted = self._attribution.attrs["tested_method"] == "inverted_neuron_gradient"
        rank = float(maps["effective_rank"].mean()) if inverted else math.nan
        spanned = self._over_seeds(lambda z: spanned_directions(z[:, first:last]))
        return {
            "effective_rank": rank,
            "rank_of_dimensions": rank / label_axes(labels(self._session)[name]),
            "idle_directions": rank / spanned,
            "usable_bins": float(maps["usable"].mean()),
            "methods_agree": float(maps["agreement"]) if _inverse_and_gradient(maps) else math.nan,
        }

    def _course(self, name: str) -> dict[str, float]:
        targets, latents = label_features(*self._true(name)), self._latents
        return {
            "independent_samples": independent_samples(targets),
            "covered": covered_share(targets, latents.train, latents.test),
        }

    def _steps(self, name: str) -> dict[str, float]:
        values, kind = self._true(name)
        objective = self._moved_by.get(name)
        if objective is None:
            return dict.fromkeys(("step_size", "step_anisotropy", "step_leaps", "step_by_place"), math.nan)
        space = objective_space(self._session, self._split, objective)
        points = space.coordinates(values.astype(float))
        kernel = kernel_statistics(points, space.steps.moved(points, self._generator), space.circular)
        return {
            "step_size": kernel.size,
            "step_anisotropy": kernel.anisotropy,
            "step_leaps": kernel.leaps,
            "step_by_place": steps_by_value(values, self._follows, kind),
        }

    def _classes(self, name: str) -> dict[str, float]:
        values, kind = self._true(name)
        if kind != "discrete":
            return {"fewest_visits": math.nan, "rarest_class": math.nan}
        share = np.unique(values, return_counts=True)[1].min() / len(values)
        return {"fewest_visits": float(fewest_visits(values)), "rarest_class": float(share)}

    def _weights(self, _name: str) -> dict[str, float]:
        return {"penalty": float(self._training["regularizer_weight"].values[-1])}

    def _true(self, name: str) -> tuple[NDArray, str]:
        """The label as the seeds saw it, (sample, axis) or codes (sample,), and its kind."""
        return self._latents.label(name, self._latents.seeds[0]), str(labels(self._session)[name].attrs["kind"])


def moving_objectives(config: Config, session: xr.Dataset, split: Split) -> dict[str, Objective]:
    """Return the objectives that draw positives by a step of a label, by label.

    Empty where the encoders were supervised.

    Args:
        config: of the training.
        session: session.nc.
        split: of the session.
    """
    if config.training.loss == "supervised":
        return {}
    objectives, _ = resolve(config, session, split)
    return {o.label: o for o in objectives if o.label is not None and o.positive != "discrete"}


def _inverse_and_gradient(maps: xr.Dataset) -> bool:
    """Whether these are the two methods whose agreement is known; both estimate which units the generator feeds."""
    methods = [str(method) for method in maps["map_method"].values]
    other = partner(methods)
    return other is not None and {methods[0], methods[other]} == {"inverted_neuron_gradient", "neuron_gradient"}
