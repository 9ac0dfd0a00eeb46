"""A file in the making: series, tables of intervals, units, ROIs, and types of extensions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hdmf.common import VectorData, VectorIndex
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb import behavior as of_behavior
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.misc import Units
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

from tests.support.layouts import signals
from tests.support.nwb_storage import typed_group

Values = np.ndarray | Sequence[Any]
Columns = Mapping[str, Any]
SPECIES = {"mouse": "Mus musculus", "rat": "Rattus norvegicus", "monkey": "Macaca mulatta", "human": "Homo sapiens"}


class Ragged:
    """A column with a list in each row, such as tags."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.values = [value for row in rows for value in row]
        self.ends = np.cumsum([len(row) for row in rows]).astype(np.uint16)


class Recording:
    """An NWB file of ``signals.SECONDS`` that is filled piece by piece and saved once."""

    def __init__(self, seed: int, species: str = "mouse", about: str = "made for a test") -> None:
        self.rng = signals.generator(seed)
        self.nwb = NWBFile(
            session_description=about,
            identifier=f"layout {seed}",
            session_start_time=datetime(2020, 1, 1, tzinfo=UTC),
            subject=Subject(subject_id="s1", species=SPECIES.get(species, species), age="P90D", sex="U"),
        )
        self._typed: list[tuple[str, str, str, dict[str, Any]]] = []

    # Behaviour

    def module(self, name: str) -> Any:
        """Return a processing module, which the first call makes."""
        if name not in self.nwb.processing:
            self.nwb.create_processing_module(name, f"{name} data")
        return self.nwb.processing[name]

    def series(self, where: str, name: str, data: Values, unit: str, **options: Any) -> TimeSeries:
        """Add a series.

        Args:
            where: ``acquisition``, ``stimulus``, a module, or a module (or acquisition) and a container. A container is
                called as its type or as ``name:type``.
            name: of the series.
            data: (time, ...), at ``signals.RATE`` unless ``timestamps`` or ``rate`` says otherwise.
            unit: of the data.
            **options: arguments of pynwb, and ``spatial=True`` for a SpatialSeries.
        """
        kind = of_behavior.SpatialSeries if options.pop("spatial", False) else TimeSeries
        if kind is not TimeSeries:
            options.setdefault("reference_frame", "see description")
        if "timestamps" not in options and "rate" not in options:
            options["rate"] = signals.RATE
        if "rate" in options:
            options.setdefault("starting_time", 0.0)
        values = np.asarray(data)
        compact = values.astype(np.float32) if values.dtype == np.float64 else values  # small files
        made = kind(name=name, data=compact, unit=unit, **options)
        self._put(where, made)
        return made

    def space(self, where: str, name: str, data: Values, unit: str = "meters", **options: Any) -> TimeSeries:
        """Add a SpatialSeries, as :meth:`series` does."""
        return self.series(where, name, data, unit, spatial=True, **options)

    def _put(self, where: str, made: TimeSeries) -> None:
        top, _, container = where.partition("/")
        if not container:
            if top in {"acquisition", "stimulus"}:
                getattr(self.nwb, f"add_{top}")(made)
            else:
                self.module(top).add(made)
            return
        name, _, kind = container.partition(":")
        held = self.nwb.acquisition if top == "acquisition" else self.module(top).data_interfaces
        if name not in held:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # BehavioralEvents is old; files on DANDI have it
                built = getattr(of_behavior, kind or name)(name=name)
            self.nwb.add_acquisition(built) if top == "acquisition" else self.module(top).add(built)
        adder = "add_spatial_series" if hasattr(held[name], "add_spatial_series") else "add_timeseries"
        getattr(held[name], adder)(made)

    # Tables of intervals

    def table(self, name: str, starts: Values, stops: Values, columns: Columns, where: str = "") -> None:
        """Add a table of intervals.

        Args:
            name: of the table; trials, epochs and invalid_times go where NWB wants them.
            starts: s, (row,).
            stops: s, (row,).
            columns: values (row, ...) by name, or a pair of values and description.
            where: a processing module, "" for /intervals.
        """
        made = [VectorData(name="start_time", description="start, s", data=np.asarray(starts, dtype=float))]
        made.append(VectorData(name="stop_time", description="stop, s", data=np.asarray(stops, dtype=float)))
        for column, content in columns.items():
            values, description = content if isinstance(content, tuple) else (content, f"{column} of the row")
            if isinstance(values, Ragged):
                flat = VectorData(name=column, description=description, data=values.values)
                made += [flat, VectorIndex(name=f"{column}_index", target=flat, data=values.ends)]
                continue
            texts = np.asarray(values).dtype.kind in "UO"
            data = [str(v) for v in values] if texts else np.asarray(values)
            made.append(VectorData(name=column, description=description, data=data))
        table = TimeIntervals(name=name, description=f"{name} of the session", columns=made)
        if where:
            self.module(where).add(table)
        elif name in {"trials", "epochs", "invalid_times"}:
            setattr(self.nwb, name, table)
        else:
            self.nwb.add_time_intervals(table)

    # Neural data

    def units(self, observed: Values | None = None, where: str = "", **columns: Any) -> None:
        """Add 8 units with an electrode each; ``columns`` have a value for each unit."""
        options = {} if observed is None else {"obs_intervals": np.asarray(observed, dtype=float)}
        units = Units(name="units", description="sorted units") if where else self.nwb
        if not where:
            device = self.nwb.create_device("probe")
            group = self.nwb.create_electrode_group("shank", description="a shank", location="brain", device=device)
            for unit in range(8):
                self.nwb.add_electrode(location="CA1" if unit % 2 else "VISp", group=group)
        for name in columns:
            (units.add_column if where else units.add_unit_column)(name, f"{name} of the unit")
        for unit, times in enumerate(signals.spikes(self.rng)):
            values = {name: column[unit] for name, column in columns.items()}
            values |= {} if where else {"electrodes": [unit]}
            units.add_unit(spike_times=times, **values, **options)
        if where:
            self.module(where).add(units)

    def rois(
        self,
        module: str,
        traces: Mapping[str, str],
        rate: float = 10.0,
        plane: str = "PlaneSegmentation",
        **options: Any,
    ) -> None:
        """Add 6 ROIs with calcium traces.

        Args:
            module: the processing module.
            traces: container and type (``Fluorescence``, ``name:DfOverF``) of each series, by the name of the series.
            rate: Hz.
            plane: name of the plane segmentation.
            **options: columns of the plane segmentation, (roi,).
        """
        device = self.nwb.create_device("microscope")
        channel = OpticalChannel(name="green", description="GCaMP", emission_lambda=520.0)
        imaging = self.nwb.create_imaging_plane(
            name="imaging_plane",
            optical_channel=channel,
            description="a plane",
            device=device,
            excitation_lambda=920.0,
            indicator="GCaMP6f",
            location="CA1",
        )
        target = self.module(module)
        segmentation = ImageSegmentation()
        target.add(segmentation)
        planes = segmentation.create_plane_segmentation("cells", imaging, name=plane)
        for column in options:
            planes.add_column(column, f"{column} of the ROI")
        for roi in range(6):
            planes.add_roi(image_mask=np.ones((2, 2)), **{column: values[roi] for column, values in options.items()})
        base = signals.noise(self.rng, round(signals.SECONDS * rate), 0.7, 6, rate)
        for number, (name, where) in enumerate(traces.items()):
            container, _, kind = where.partition(":")
            if container not in target.data_interfaces:
                types = {"Fluorescence": Fluorescence, "DfOverF": DfOverF}
                target.add(types[kind or container](name=container))
            region = planes.create_roi_table_region("all", region=list(range(6)))
            made = RoiResponseSeries(
                name=name,
                data=(base + number).astype(np.float32),
                rois=region,
                unit="n.a.",
                rate=rate,
                starting_time=0.0,
            )
            target[container].add_roi_response_series(made)

    # Types of extensions, which need not be installed to be written

    def typed(self, path: str, kind: str, namespace: str = "core", **content: Any) -> None:
        """Write a group of any type after the file is saved; ``content`` are datasets, ``data__unit`` attributes."""
        self._typed.append((path, kind, namespace, content))

    def pose(self, path: str, parts: Values, rate: float = 10.0, confidence: bool = True) -> None:
        """Write a PoseEstimation of ndx-pose with a series for each of ``parts``."""
        self.typed(path, "PoseEstimation", "ndx-pose", source_software="DeepLabCut", description="key points")
        samples = round(signals.SECONDS * rate)
        body = 300 + 40 * signals.noise(self.rng, samples, 2.0, 2, rate)
        for part in parts:
            content: dict[str, Any] = {
                "data": (body + 5 * signals.noise(self.rng, samples, 0.5, 2, rate)).astype(np.float32),
                "data__unit": "pixels",
                "timestamps": signals.times(rate),
                "reference_frame": "upper left corner",
            }
            if confidence:
                content["confidence"] = self.rng.uniform(0.8, 1.0, samples).astype(np.float32)
            self.typed(f"{path}/{part}", "PoseEstimationSeries", "ndx-pose", **content)

    def save(self, path: Path) -> None:
        """Write the file."""
        for place, *_ in self._typed:
            top, module, *_ = place.strip("/").split("/")
            if top == "processing":
                self.module(module)
        with NWBHDF5IO(path, "w") as io:
            io.write(self.nwb, cache_spec=False)
        if self._typed:
            with h5py.File(path, "r+") as h5:
                for place, kind, namespace, content in self._typed:
                    _write_group(h5, place, kind, namespace, content)


def _write_group(h5: h5py.File, path: str, kind: str, namespace: str, content: Mapping[str, Any]) -> None:
    group = typed_group(h5, path, kind)
    group.attrs["namespace"] = namespace
    for name, value in content.items():
        dataset, _, attribute = name.partition("__")
        if attribute:
            group[dataset].attrs[attribute] = value
        elif name in {"description", "comments"}:
            group.attrs[name] = value
        else:
            group.create_dataset(name, data=value)
    if "timestamps" in group:
        group["timestamps"].attrs.update(unit="seconds", interval=1)
