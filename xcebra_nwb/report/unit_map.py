"""One label's maps for comparison: as multiples of the median unit's share, beside the nulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.verdict import READABLE
from xcebra_nwb.attribution.comparison import known_nulls, partner
from xcebra_nwb.core.carriers import INFORMATION, carriers, information_of
from xcebra_nwb.report.style import of_median_unit

NULL_PERCENTILES = (5, 95)  # percentiles of the nulls that figures show
NAMES = {
    "inverted_neuron_gradient": "inverse",
    "inverted_neuron_gradient_plain": "plain inverse",
    "neuron_gradient": "neuron gradient",
    "generator_support": "generator's support",
    "gradient_shap": "gradient SHAP",
    "shapley_sampling": "Shapley sampling",
    "kernel_shap": "kernel SHAP",
}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class UnitMap:
    """A label's maps over units, as multiples of the median unit's share."""

    label: str
    methods: list[str]  # the first is tested against the nulls
    units: list[str]
    regions: list[str]
    mean: Values  # (method, unit) over seeds
    low: Values  # (method, unit) 95 % interval of the mean over seeds; NaN for a single seed
    high: Values  # (method, unit)
    seeds: Values  # (seed, unit) of the first method
    null_low: Values  # (unit,)
    null_high: Values  # (unit,)
    z: Values
    z_low: Values
    z_high: Values
    z_q: Values
    information: Values  # what the label tells about the unit, in ``information_units``
    information_low: Values
    information_high: Values
    information_p: Values
    information_q: Values
    carries: NDArray[np.bool_]  # whether the unit carries the label
    information_units: str
    agreement: float  # Spearman correlation between the first method and its partner
    readable: bool  # whether the label's verdict lets the shares of units be read

    @property
    def partner(self) -> int | None:
        """The method that the first is compared with; None where it is the only one."""
        return partner(self.methods)

    def foremost(self, most: int) -> NDArray[np.int64]:
        """Return the units that carry the label, and then those that stand out most from their nulls.

        Args:
            most: the largest number of units.

        Returns:
            The numbers of the units, in order of attribution.
        """
        rank = np.where(np.isfinite(self.z), self.z, -np.inf) if np.isfinite(self.z).any() else self.mean[0]
        chosen = np.lexsort((-rank, ~self.carries))[:most]
        return chosen[np.argsort(-self.mean[0, chosen], kind="stable")]


def unit_map(attribution: xr.Dataset, label: str, verdict: str) -> UnitMap:
    """Return the maps of a label from attribution.nc.

    Args:
        attribution: attribution.nc.
        label: name of the label.
        verdict: on the label; it can speak against reading the shares.
    """
    chosen = attribution.sel(label=label)
    told = information_of(chosen)
    by_seed = of_median_unit(chosen["attribution_seeds"].transpose("seed", "map_method", "unit").values)
    mean = by_seed.mean(0)
    width = (chosen["attribution_high"] / chosen["attribution"]).transpose("map_method", "unit").values
    null = of_median_unit(known_nulls(chosen["null_attribution"].transpose("null", "unit").values))
    low, high = np.percentile(null, NULL_PERCENTILES, axis=0) if len(null) else np.full((2, null.shape[1]), np.nan)
    return UnitMap(
        label=label,
        methods=[str(method) for method in chosen["map_method"].values],
        units=[str(unit) for unit in chosen["unit_id"].values],
        regions=[str(region) for region in chosen["region"].values],
        mean=mean,
        low=mean / width,
        high=mean * width,
        seeds=by_seed[:, 0],
        null_low=low,
        null_high=high,
        z=chosen["z"].values.astype(float),
        z_low=chosen["z_low"].values.astype(float),
        z_high=chosen["z_high"].values.astype(float),
        z_q=chosen["q_value"].values.astype(float),
        **{str(name): values.values.astype(float) for name, values in told[list(INFORMATION)].items()},
        carries=carriers(chosen).values,
        information_units=str(told["information"].attrs.get("units", "")),
        agreement=float(chosen["agreement"]),
        readable=verdict in READABLE,
    )


def unit_columns(shown: UnitMap) -> list[str]:
    """Return the names of the columns of :func:`unit_rows`."""
    others = [method_name(method) for method in shown.methods[1:]]
    told = ["information", "info low", "info high", "p", "q"]
    return ["unit", "region", "carries", *told, "attribution", "low", "high", *others, "z", "z low", "z high", "q of z"]


def unit_rows(shown: UnitMap) -> list[list[Any]]:
    """Return a row for each unit, in order of attribution.

    A number that is not known is None.
    """
    told = [shown.information, shown.information_low, shown.information_high, shown.information_p, shown.information_q]
    scores = [values.round(2) for values in (shown.z, shown.z_low, shown.z_high)]
    columns = [*told, shown.mean[0], shown.low[0], shown.high[0], *shown.mean[1:], *scores, shown.z_q]
    rows: list[list[Any]] = []
    for unit in np.argsort(-shown.mean[0], kind="stable"):
        values = [rounded(column[unit]) for column in columns]
        rows.append([shown.units[unit], shown.regions[unit], "yes" if shown.carries[unit] else "", *values])
    return rows


def method_name(method: str) -> str:
    """Return the name of a method for people.

    >>> method_name("inverted_neuron_gradient"), method_name("my_method")
    ('inverse', 'my method')
    """
    return NAMES.get(method, method.replace("_", " "))


def rounded(value: Any) -> float | None:
    """Return ``value`` to three digits, None where it is not a number.

    >>> rounded(0.12345), rounded(float("nan"))
    (0.123, None)
    """
    return float(f"{float(value):.3g}") if np.isfinite(value) else None
