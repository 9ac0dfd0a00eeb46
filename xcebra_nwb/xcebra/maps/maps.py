"""Attribution maps of every method: neuron gradients, support and baselines.

For every usable bin the Jacobian of the encoder on its full window, J (K latents x T bins * D units), is inverted
(Schneider et al., AISTATS 2025, arXiv 2502.12977). A unit's share is the L2 norm over the lags. The label map is the
root of the mean over time of the squared entries of the label's block, since latents inside a block are identified
only up to a linear map; the latent map is the mean of the absolute entries. Sums run over chunks of bins, so memory
does not grow with the recording. The baselines (:mod:`.baselines`) cost more and are computed at fewer bins; the
generators of :mod:`.generator_support` are fitted first.
Shapes: M members, L labels, K latents, B bins of a chunk, T bins of a window, D units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.maps import baselines, generator_support
from xcebra_nwb.xcebra.maps.chunk import FORWARD, INVERSE, PLAIN, BinMaps, Part, Wanted, of_jacobian
from xcebra_nwb.xcebra.maps.generator_support import Observed
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.out_of_memory import Once, halving
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers

JACOBIAN_METHODS = (INVERSE, PLAIN, FORWARD)
DEFAULT_METHODS = (INVERSE, FORWARD)
# Elements of the Jacobians held at once: the cache of a CPU holds them, the cores of a GPU are busy with them.
CHUNK_ELEMENTS = {"cpu": 1_200_000, "cuda": 4_000_000}
CONDITIONS = 200  # largest number of bins with a condition number, evenly chosen


@dataclass(frozen=True)
class Sampling:
    """The bins and members for which costly methods are computed.

    Attributes:
        generator: Random generator of the methods.
        bins: Largest number of bins, evenly chosen of the usable ones.
        members: Members; None: all. The first method of all is computed for all members in any case.
    """

    generator: np.random.Generator
    bins: int = 500
    members: Sequence[int] | None = None


@dataclass(frozen=True)
class OverTime:
    """The receiver of the label maps of every bin, which may not fit the memory.

    Attributes:
        members: Members whose maps are summed.
        keep: Called with a method, the number of the first bin, and the sum over ``members`` of their label maps
            (L, bin, D): once for every bin, in order.
    """

    members: Sequence[int]
    keep: Callable[[str, int, NDArray[np.float32]], None]


@dataclass
class Maps:
    """The maps of an ensemble; NaN for members for which a method was not computed.

    Attributes:
        label: Label maps (M, L, D) of each method.
        latent: Latent maps (M, K, D) of each method.
        effective_rank: Kept directions of each label's block, mean over bins, shape (M, L).
        condition: Largest over smallest eigenvalue of the Gram matrix, median over evenly chosen bins, shape (M,).
        usable: Share of the bins whose Jacobian is not zero, shape (M,).
        deviance_explained: Deviance that the generators explain at held-out bins, shape (M, D); None: not fitted.
    """

    label: dict[str, Floats]
    latent: dict[str, Floats]
    effective_rank: Floats
    condition: Floats
    usable: Floats
    deviance_explained: Floats | None = None


def attribute(
    model: Model,
    bins: Integers,
    rank_cut: float | KeptDirections,
    methods: Sequence[str] = DEFAULT_METHODS,
    over_time: OverTime | None = None,
    progress: Callable[[int], None] = lambda bins: None,
    sampling: Sampling | None = None,
    observed: Observed | None = None,
) -> Maps:
    """Compute attribution maps for every member of an ensemble.

    Bins with a zero Jacobian (saturated outputs) carry no information and are excluded from the means of the methods
    that are computed from it; ``usable`` is the share that remains.

    Args:
        model: Encoders, their input, and the latent block of each label.
        bins: Time bins at which maps are computed, shape (bin,).
        rank_cut: Rank cut of the Jacobian's pseudo-inverse. A number is a threshold relative to the largest eigenvalue
            of a bin's Gram matrix. :class:`KeptDirections` are the directions to keep at these ``bins``; the label maps
            are then made of each bin's shares of the units.
        methods: Names as in the config (``attribution.methods``); the first one is computed for all members.
        over_time: Receives the label maps of every bin, of the methods that are computed at every bin.
        progress: Called with the number of bins done since its last call; :func:`work` in all.
        sampling: Bins and members for the baselines; required if ``methods`` contains one.
        observed: Activity that generators explain; required if ``methods`` contains their support.

    Returns:
        Label maps (M, L, D) and latent maps (M, K, D) of each method.

    Raises:
        ValueError: A method needs ``sampling`` or ``observed`` and got none.
    """
    of_jacobian = [method for method in methods if method in JACOBIAN_METHODS]
    maps = maps_of_jacobian(model, bins, rank_cut, of_jacobian, over_time, progress)
    costly = [method for method in methods if method in baselines.METHODS]
    if costly and sampling is None:
        raise ValueError(f"{', '.join(costly)}: give a Sampling")
    if generator_support.METHOD in methods:
        if observed is None:
            raise ValueError(f"{generator_support.METHOD}: give what was Observed")
        members = _computed(generator_support.METHOD, methods, sampling, model)
        _add_support(maps, model, bins, observed, members, over_time, progress)
    if sampling is not None:
        generators = dict(zip(baselines.METHODS, sampling.generator.spawn(len(baselines.METHODS)), strict=True))
        for method in costly:
            members = _computed(method, methods, sampling, model)
            subset, subset_bins = model.only(members), sampled(bins, sampling.bins)
            values = baselines.values(method, subset, bins, subset_bins, generators[method])
            mean_maps = _mean_maps(values, subset, len(subset_bins), progress)
            maps.label[method], maps.latent[method] = (_spread(m, members, model.members) for m in mean_maps)
    return maps


def _computed(method: str, methods: Sequence[str], sampling: Sampling | None, model: Model) -> list[int]:
    """The members for which a method is computed; the first method is tested and needs all of them."""
    if method == methods[0] or sampling is None or sampling.members is None:
        return list(range(model.members))
    return list(sampling.members)


def _add_support(
    maps: Maps,
    model: Model,
    bins: Integers,
    observed: Observed,
    members: Sequence[int],
    over_time: OverTime | None,
    progress: Callable[[int], None],
) -> None:
    """Fit generators for ``members`` and add the maps of their support."""
    subset, resolved = model.only(members), _Resolved(generator_support.METHOD, over_time, members)
    fitted = generator_support.fit(subset, observed, [observed.generators[m] for m in members], progress)
    mean_maps = _mean_maps(generator_support.values(fitted, bins), subset, len(bins), progress, resolved.add)
    maps.label[generator_support.METHOD], maps.latent[generator_support.METHOD] = (
        _spread(m, members, model.members) for m in mean_maps
    )
    maps.deviance_explained = _spread(fitted.deviance_explained, members, model.members)


def work(bins: int, methods: Sequence[str], sampling: Sampling, observed: Observed | None = None) -> int:
    """Return the number of bins that :func:`attribute` goes through, over all methods.

    Args:
        bins: Number of bins at which maps are computed.
        methods: Names of the methods.
        sampling: Bins and members for the baselines.
        observed: Activity that generators explain.
    """
    fitted = (
        bins + generator_support.work(observed.options)
        if observed is not None and generator_support.METHOD in methods
        else 0
    )
    return bins + fitted + sum(min(bins, sampling.bins) for method in methods if method in baselines.METHODS)


def sampled(bins: Integers, count: int) -> Integers:
    """Return at most ``count`` of ``bins``, evenly chosen.

    >>> sampled(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(bins) <= count:
        return bins
    return bins[np.linspace(0, len(bins) - 1, count).round().astype(np.int64)]


def _mean_maps(
    values: Iterator[Tensor],
    model: Model,
    bins: int,
    progress: Callable[[int], None],
    keep: Callable[[int, Tensor | None], None] = lambda first, squares: None,
) -> tuple[Floats, Floats]:
    """The label maps (M, L, D) and latent maps (M, K, D) of ``values`` (M, B, K, T, D), chunk by chunk.

    ``keep`` is called with the number of every chunk's first bin and its squared label maps (M, L, B, D).
    """
    sums, first = _MapSums(model), 0
    for chunk in values:
        maps = BinMaps.of_blocks(chunk, model.labels, True)
        sums.add(maps)
        keep(first, maps.squares)
        first += chunk.shape[1]
        progress(chunk.shape[1])
    return sums.result(np.full(model.members, bins))


def _spread(maps: Floats, members: Sequence[int], count: int) -> Floats:
    """``maps`` of ``members`` among ``count`` members, NaN for the others."""
    spread = np.full((count, *maps.shape[1:]), np.nan)
    spread[list(members)] = maps
    return spread


def maps_of_jacobian(
    model: Model,
    bins: Integers,
    rank_cut: float | KeptDirections,
    methods: Sequence[str] = DEFAULT_METHODS,
    over_time: OverTime | None = None,
    progress: Callable[[int], None] = lambda bins: None,
) -> Maps:
    """Return the maps that are computed from the Jacobian, and its rank.

    If memory runs out, everything is computed again in smaller chunks.

    Args:
        model: Encoders, their input, and the latent block of each label.
        bins: Time bins at which maps are computed, shape (bin,).
        rank_cut: Relative eigenvalue threshold of the inverse, or the directions to keep at these ``bins``.
        methods: Names of :data:`JACOBIAN_METHODS`.
        over_time: Receives the label maps of every bin.
        progress: Called with the number of bins done since its last call.
    """
    resolved = {method: _Resolved(method, over_time, range(model.members)) for method in methods}
    reported = Once()

    def keep(first: int, part: Part) -> None:
        for method in methods:
            resolved[method].add(first, part.maps[method].squares)
        progress(reported.new(first, part.bins))

    wanted = Wanted(rank_cut, methods, over_time is not None, math.ceil(len(bins) / CONDITIONS))
    ensembles = [(model.only(members), wanted.only(members)) for members in _at_once(model)]
    of_chunks = partial(_of_chunks, model, ensembles, bins, keep)
    elements = CHUNK_ELEMENTS.get(model.inputs.device.type, CHUNK_ELEMENTS["cuda"])
    return halving(of_chunks, elements, least=elements_a_bin(ensembles[0][0]))


def _at_once(model: Model) -> list[range]:
    """The members whose Jacobians are computed together: all on a GPU, one on a CPU, whose cache holds no more."""
    everyone = range(model.members)
    return [range(m, m + 1) for m in everyone] if model.inputs.device.type == "cpu" else [everyone]


def _of_chunks(
    model: Model,
    ensembles: Sequence[tuple[Model, Wanted]],
    bins: Integers,
    keep: Callable[[int, Part], None],
    elements: int,
) -> Maps:
    """The maps by chunks whose Jacobians have so many ``elements``; ``keep`` receives each chunk, in order.

    ``ensembles`` are the members of ``model`` that are computed together, and the results wanted of them.
    """
    sums, space = _Sums(model, ensembles[0][1].methods), Workspace()
    size = max(1, elements // elements_a_bin(ensembles[0][0]))
    for first in range(0, len(bins), size):
        chunk = bins[first : first + size]
        part = Part.joined([of_jacobian(ensemble, wanted, first, chunk, space) for ensemble, wanted in ensembles])
        sums.add(part)
        keep(first, part)
    return sums.result(len(bins))


def elements_a_bin(model: Model) -> int:
    """Return the number of elements of all members' Jacobians at a bin."""
    return model.members * model.shape.outputs * model.shape.window * model.shape.units


def _median_of_known(values: NDArray[np.float32]) -> Floats:
    """The median over bins (M,) of ``values`` (M, bin) that are not NaN."""
    return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in values])


class _MapSums:
    """Running sums over bins of the maps of one method."""

    def __init__(self, model: Model) -> None:
        self.label = np.zeros((model.members, len(model.labels), model.shape.units))
        self.latent = np.zeros((model.members, model.shape.outputs, model.shape.units))

    def add(self, maps: BinMaps) -> None:
        """Add the maps of a chunk."""
        self.label += maps.label
        self.latent += maps.latent

    def result(self, count: NDArray) -> tuple[Floats, Floats]:
        """Return the label and latent maps, means over ``count`` (M,) bins."""
        bins = np.asarray(count, dtype=np.float64)[:, None, None]
        return np.sqrt(self.label / bins), self.latent / bins


class _Resolved:
    """The label maps of every bin of one method, on their way to the receiver, if there is one."""

    def __init__(self, method: str, over_time: OverTime | None, members: Sequence[int]) -> None:
        """Look up the wanted members among ``members``, the rows of the maps."""
        self._method, self._over_time, self._passed_on = method, over_time, Once()
        self._rows = [list(members).index(m) for m in over_time.members] if over_time is not None else []

    def add(self, first: int, squares: Tensor | None) -> None:
        """Pass on the label maps that are new, of ``squares`` (M, L, B, D) from bin ``first`` on."""
        if self._over_time is None or squares is None or not self._rows:
            return
        count = squares.shape[2]
        new_bins = self._passed_on.new(first, count)
        if new_bins:
            maps = squares[self._rows, :, count - new_bins :].sqrt().sum(dim=0)
            self._over_time.keep(self._method, first + count - new_bins, maps.float().cpu().numpy())


class _Sums:
    """Running sums over bins of all results from the Jacobian."""

    def __init__(self, model: Model, methods: Sequence[str]) -> None:
        self.maps = {method: _MapSums(model) for method in methods}
        self.rank = np.zeros((model.members, len(model.labels)))
        self.count = np.zeros(model.members)
        self.conditions: list[NDArray[np.float32]] = []

    def add(self, part: Part) -> None:
        """Add the results of a chunk."""
        for method, sums in self.maps.items():
            sums.add(part.maps[method])
        self.rank += part.rank
        self.count += part.usable
        self.conditions.append(part.conditions)

    def result(self, bins: int) -> Maps:
        count = np.where(self.count > 0, self.count, np.nan)  # without a bin with a gradient there is no map
        maps = {method: sums.result(count) for method, sums in self.maps.items()}
        return Maps(
            label={method: label for method, (label, _) in maps.items()},
            latent={method: latent for method, (_, latent) in maps.items()},
            effective_rank=self.rank / count[:, None],
            condition=_median_of_known(np.concatenate(self.conditions, axis=1)),
            usable=self.count / max(bins, 1),
        )
