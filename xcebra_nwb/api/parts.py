"""The files that the results of one session consist of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xarray as xr

from xcebra_nwb.core import results as files
from xcebra_nwb.core.errors import UsageError


class Parts:
    """The files of one session, as far as there are any.

    Attributes:
        name: Name of the session.
        path: Where they were read from.
    """

    def __init__(
        self,
        name: str,
        path: Path | str,
        dataset: xr.Dataset | None,
        session: xr.Dataset | None,
        opened: files.Results | None = None,
    ) -> None:
        self.name, self.path = name, path
        self._dataset, self._session, self._files = dataset, session, opened

    @property
    def dataset(self) -> xr.Dataset:
        """The maps, tests and verdicts, in the form that :func:`xcebra_nwb.attribute` returns.

        Raises:
            UsageError: There is a session dataset alone.
        """
        if self._dataset is None:
            raise UsageError(f"{self.path}: a session dataset has no maps", "give the results folder of the session")
        return self._dataset

    @property
    def session(self) -> xr.Dataset:
        """The activity (time, unit) and the labels on bins; docs/reference/results.md#sessionnc.

        Raises:
            UsageError: The results are an NWB file, which does not have them.
        """
        if self._session is None:
            raise self._missing("session.nc")
        return self._session

    @property
    def has_files(self) -> bool:
        """Whether these are all files of a session, and not an NWB file or a session dataset alone."""
        return self._files is not None

    @property
    def files(self) -> files.Results:
        """All files of the session, opened.

        Raises:
            UsageError: The results are an NWB file, or a session dataset alone.
        """
        if self._files is None:
            raise self._missing("the files of a results folder")
        return self._files

    @property
    def tuning(self) -> xr.Dataset | None:
        """The tuning curves of all units; docs/reference/results.md#unitsnc. None where there are none."""
        return self._files.units if self._files is not None else None

    @property
    def embedding(self) -> xr.Dataset:
        """The latents, `embedding(member, time, latent)`, NaN in bins that are not used.

        Raises:
            UsageError: The results do not have them.
        """
        return self.files.embedding

    @property
    def decoded(self) -> xr.Dataset | None:
        """Every label as it was decoded on held-out bins; docs/reference/results.md#decodednc. None without."""
        return self._files.decoded if self._files is not None else None

    @property
    def assessment(self) -> dict[str, Any]:
        """The content of assessment.json."""
        return dict(json.loads(self.dataset.attrs.get("assessment", "{}")))

    def _missing(self, what: str) -> UsageError:
        return UsageError(f"{self.path}: {what} is not in it", "give the results folder of the session")
