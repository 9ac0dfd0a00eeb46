"""Say what is odd about the units of a source, as ``inspect`` shows it and extraction notes it."""

from __future__ import annotations

from xcebra_nwb.nwb.neural import quality
from xcebra_nwb.nwb.neural.rois import linked, roi_table
from xcebra_nwb.nwb.neural.unit_table import unit_table
from xcebra_nwb.nwb.reading.file import NwbFile
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns
from xcebra_nwb.nwb.reading.spikes import units_tables


def suspicious_units(file: NwbFile, path: str, bad_units: bool = True) -> list[str]:
    """Return lines on ids and indices that cannot be right, and on units that the file calls bad.

    Args:
        file: The open file.
        path: Path of a neural source.
        bad_units: Whether to count the units that the file calls bad.
    """
    group = file.groups.get(path)
    if group is None:
        return []
    odd: list[str] = []
    if path in units_tables(file):
        _, _, odd = unit_table(file, group, columns=False)
    elif is_kind(group, "RoiResponseSeries"):
        count = columns(group)
        _, _, odd = roi_table(linked(file, group, count), count, wanted=False)
    odd = [*odd, *(quality.remarks(file, path) if bad_units else [])]
    return [line.removeprefix(f"{path}: ") for line in odd]
