"""``XCEBRA``: the encoders and their maps in the form of a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from xcebra_nwb.api.attribute import analysed
from xcebra_nwb.api.dataset import with_all_units, with_assessment
from xcebra_nwb.api.fitted import Fitted, classes_of, values_of
from xcebra_nwb.api.labels import user_labels
from xcebra_nwb.api.session import user_session
from xcebra_nwb.api.settings import settings
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset

if TYPE_CHECKING:
    from typing import Self

TARGET = "y"  # name of the label that is given as y without a name


class XCEBRA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Encoders of a population's activity, their latents, and the attribution map of each label.

    `fit` does what :func:`xcebra_nwb.attribute` does, and keeps the encoders. An argument that is None is as the
    config says. Problems with data are `ValueError`, as everywhere in scikit-learn.

    Args:
        bin_width: Width of a bin in s.
        units: Unit of the activity: `count`, `Hz`, `dF/F`; None: whole numbers from 0 are counts, all else is rates.
        kinds: Kind of labels by name: continuous, circular (rad), discrete; others are found by name and values.
        steps: Number of steps of the training.
        batch_size: Number of references per step.
        learning_rate: Learning rate of the optimiser.
        outputs: Number of latents, or `auto`.
        hidden: Width of the hidden layers.
        architecture: `mlp` (sees one bin) or `conv10` (sees ten).
        seeds: Number of encoders on the true labels.
        nulls: Number of encoders for each label with that label shuffled.
        maps: Whether to compute and assess the maps (`attribution_`); for a search over settings leave it out.
        random_state: The seed of all random draws, a whole number from 0.
        config: Other settings, as in the config of the workflow.
        threads: CPU threads.
        progress: Whether to show a bar.

    Attributes:
        attribution_: The maps with their tests and verdicts, as :func:`xcebra_nwb.attribute` returns them.
        labels_: The names of the labels.
        blocks_: The first latent of each label, and the one after its last.
        embedding_: The latents of the first seed in the bins that were fitted, (time, latent).
        n_features_in_: The number of units.

    Examples:
        Two steps are too few for anything but an example:

        >>> import numpy as np, xcebra_nwb
        >>> position = np.cumsum(np.random.default_rng(0).normal(size=300)) / 10  # (time,)
        >>> rates = np.stack([position, -position, position**2], axis=1)  # (time, unit)
        >>> model = xcebra_nwb.XCEBRA(bin_width=0.1, steps=2, batch_size=32, seeds=1, nulls=0, maps=False)
        >>> model.fit(rates, position=position).transform(rates).shape[0]
        300
        >>> model.labels_
        ['position']
    """

    def __init__(
        self,
        *,
        bin_width: float = 0.05,
        units: str | None = None,
        kinds: Mapping[str, str] | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        outputs: int | str | None = None,
        hidden: int | None = None,
        architecture: str | None = None,
        seeds: int | None = None,
        nulls: int | None = None,
        maps: bool = True,
        random_state: int = 0,
        config: Config | Mapping[str, Any] | Path | str | None = None,
        threads: int = 1,
        progress: bool = False,
    ) -> None:
        self.bin_width = bin_width
        self.units = units
        self.kinds = kinds
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.outputs = outputs
        self.hidden = hidden
        self.architecture = architecture
        self.seeds = seeds
        self.nulls = nulls
        self.maps = maps
        self.random_state = random_state
        self.config = config
        self.threads = threads
        self.progress = progress

    def fit(self, X: Any, y: Any = None, *, segments: Any = None, **labels: Any) -> Self:
        """Train the encoders, and compute and assess the maps.

        Args:
            X: Activity (time, unit) on even bins.
            y: Labels as a table: each column of a DataFrame is a label of its name (columns of two levels: label and
                axis). Or one label (time,) or (time, axis), which is called `y`.
            segments: Number of the segment of each bin, -1 where it is not used, shape (time,). None: a new segment
                begins where the integer index of a table X or y jumps, as it does after a split.
            **labels: Labels by name: `position=position`, values (time,) or (time, axis), or a mapping with `values`,
                `kind` and `units`, as in :func:`xcebra_nwb.attribute`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: Arguments do not fit together, or the data do not suffice.
        """
        given = self._labels(y, labels)
        segments = _jumps(X, y) if segments is None else segments
        X = validate_data(self, X, dtype="numeric", ensure_min_features=2, ensure_min_samples=2)
        try:
            config = self._config()
            session = user_session(X, given, config, segments, self.units)
            with analysed(session, config, None, self.threads, self.progress, self.maps) as directory:
                self._keep(session, directory)
        except (UsageError, Refusal) as error:
            raise ValueError(str(error)) from error
        return self

    def transform(self, X: Any, segments: Any = None) -> NDArray[np.float32]:
        """Return the latents of the first seed.

        The activity is smoothed and standardised as that of `fit` was.

        Args:
            X: Activity (time, unit) on bins of the same width.
            segments: As in `fit`.

        Returns:
            Latents (time, latent); NaN where the window of the encoder does not fit into a segment.

        Raises:
            ValueError: X has other units than at `fit`.
        """
        check_is_fitted(self)
        segments = _jumps(X) if segments is None else segments
        X = validate_data(self, X, dtype="numeric", reset=False)
        return self._fitted.latents(X, segments, self.threads)[0]

    def score(self, X: Any, y: Any = None, *, segments: Any = None, **labels: Any) -> float:
        """Return how well the labels are decoded from the latents of new bins by those that were fitted.

        The decoder takes the nearest latents in the label's block, and its score is the mean over seeds and labels.

        Args:
            X: Activity (time, unit).
            y: Labels, as in `fit`.
            segments: As in `fit`.
            **labels: Labels by name, as in `fit`; those that were fitted.

        Returns:
            The score: 1 is perfect and 0 is chance. R2 of a continuous label or a direction, balanced accuracy above
            chance of a discrete one.

        Raises:
            ValueError: A label was not fitted, or none is given.
        """
        check_is_fitted(self)
        given = self._labels(y, labels)
        segments = _jumps(X, y) if segments is None else segments
        X = validate_data(self, X, dtype="numeric", reset=False)
        try:
            found = {each.name: values_of(each, self._fitted, len(X)) for each in user_labels(given)}
        except (UsageError, Refusal) as error:
            raise ValueError(str(error)) from error
        latents = self._fitted.latents(X, segments, self.threads)
        return float(np.nanmean([self._fitted.score(name, values, latents) for name, values in found.items()]))

    def _keep(self, session: xr.Dataset, directory: Path) -> None:
        self._fitted = Fitted.of(session, directory)
        self.labels_ = list(self._fitted.blocks)
        self.blocks_ = dict(self._fitted.blocks)
        self.classes_by_label_ = classes_of(session)
        self.embedding_ = self._fitted.embedding[0]
        if self.maps:
            maps = load_dataset(directory / "attribution.nc")
            made = with_assessment(maps, read_json(directory / "assessment.json"))
            names = [str(unit) for unit in range(self.n_features_in_)]
            self.attribution_ = with_all_units(made, names, [""] * len(names))

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def _config(self) -> Config:
        made = settings(self.config, self.bin_width, self.seeds, self.nulls).model_dump(mode="json")
        given: dict[str, dict[str, Any]] = {
            "training": {"steps": self.steps, "batch_size": self.batch_size, "learning_rate": self.learning_rate},
            "encoder": {"outputs": self.outputs, "hidden": self.hidden, "architecture": self.architecture},
        }
        for section, keys in given.items():
            made[section] |= {key: value for key, value in keys.items() if value is not None}
        return settings(made | {"random_seed": self.random_state})

    def _labels(self, y: Any, labels: Mapping[str, Any]) -> dict[str, Any]:
        """Return the labels of ``y`` and those by name, each with its kind if it is given."""
        found: dict[str, Any] = {}
        if isinstance(y, pd.DataFrame):
            names = dict.fromkeys(y.columns.get_level_values(0))
            found |= {str(name): np.asarray(y[name]) for name in names}
        elif isinstance(y, Mapping):
            found |= y
        elif y is not None:
            found[TARGET] = np.asarray(y)
        found |= labels
        if not found:
            raise ValueError("requires y to be passed, but the target y is None; or labels by name: position=position")
        for name, kind in dict(self.kinds or {}).items():
            if name in found:
                value = found[name]
                found[name] = {**value, "kind": kind} if isinstance(value, Mapping) else {"values": value, "kind": kind}
        return found

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = False
        tags.transformer_tags.preserves_dtype = []  # latents are float32, as the encoders are
        return tags


def _jumps(*tables: Any) -> NDArray[np.int64] | None:
    """Return the number of the segment of each row by the jumps of integer indices; None without such an index.

    >>> _jumps(pd.DataFrame({"a": [1, 2, 3]}, index=[0, 1, 7]), None).tolist()
    [0, 0, 1]
    """
    for table in tables:
        index = getattr(table, "index", None)
        if isinstance(index, pd.Index) and index.dtype.kind in "iu" and len(index):
            return np.cumsum(np.r_[False, np.diff(index.to_numpy()) != 1]).astype(np.int64)
    return None
