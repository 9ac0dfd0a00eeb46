"""Make sessions of the assets of an archive: select, name and pin them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xcebra_nwb.archive.listing import ASSET_ID, Listed, listed
from xcebra_nwb.archive.names import is_plain, session_names
from xcebra_nwb.core.errors import UsageError, one_line
from xcebra_nwb.core.session_table import LONGEST_CELL, Session

SCREENED = "screened: "  # start of a reason that is checked anew at every discovery
ENDINGS = (".nwb", ".nwb.zarr")
OWN_EXPORT = "_desc-xcebra"
NEURAL = {
    "Units", "RoiResponseSeries", "Fluorescence", "DfOverF", "TimeSeries", "ProcessingModule",
}  # fmt: skip


@dataclass(frozen=True)
class Screen:
    """The conditions under which an asset is taken.

    An asset that does not state a property does not meet a condition on it.

    Attributes:
        species: Part of the species' name.
        region: Part of a brain region's name.
        variables: NWB types that the file must hold.
        max_size: Largest size in bytes.
        draft: Whether a draft may be used.
    """

    species: str = ""
    region: str = ""
    variables: tuple[str, ...] = ()
    max_size: int | None = None
    draft: bool = False

    def reason(self, asset: Listed) -> str:
        """Return why an asset is left out, "" if it is taken."""
        if not is_plain(asset.path):
            return "its path is not a plain one inside the dandiset"
        if not asset.path.endswith(ENDINGS):
            return "not an NWB file"
        if OWN_EXPORT in PurePosixPath(asset.path).name:
            return "results of xcebra-nwb, not a recording"
        if asset.variables and not NEURAL & set(asset.variables):
            return f"no neural data that is read: variableMeasured is {', '.join(asset.variables)}"
        missing = [name for name in self.variables if name not in asset.variables]
        if missing:
            return f"variableMeasured does not name {missing[0]}"
        if self.max_size is not None and asset.size > self.max_size:
            return f"{asset.size / 1e9:.1f} GB: larger than asked for"
        return _other("species", self.species, asset.species) or _other("region", self.region, asset.regions)


def _other(what: str, wanted: str, stated: Sequence[str]) -> str:
    if not wanted or any(wanted.lower() in name.lower() for name in stated):
        return ""
    return f"{what} is {', '.join(stated)}" if stated else f"{what} is not stated"


def find(inputs: Iterable[str], *, draft: bool = False) -> list[Listed]:
    """Return the assets of addresses, each once.

    Asset identifiers among the inputs select from the assets that the addresses name.

    Args:
        inputs: Addresses and asset identifiers.
        draft: Whether a draft may be used.

    Raises:
        UsageError: An address names nothing, or no address has an asset of a given identifier.
    """
    inputs = list(inputs)
    ids = [asset_id.lower() for asset_id in inputs if ASSET_ID.fullmatch(asset_id.lower())]
    assets: dict[str, Listed] = {}
    for address in inputs:
        if not ASSET_ID.fullmatch(address.lower()):
            assets |= {asset.asset_id: asset for asset in listed(address, draft=draft)}
    for asset_id in ids:
        if asset_id not in assets:
            raise UsageError(f"{asset_id}: no such asset in what was named", "name its dandiset and version beside it")
    return (
        [assets[asset_id] for asset_id in dict.fromkeys(ids)]
        if ids
        else sorted(assets.values(), key=lambda asset_id: asset_id.path)
    )


def rows(assets: Sequence[Listed], known: Iterable[Session] = (), screen: Screen | None = None) -> list[Session]:
    """Return a row of the table of sessions for every asset.

    Args:
        assets: The assets.
        known: Rows of an earlier table. The user's decisions in them are kept, also for a new version of an asset.
        screen: Conditions under which an asset is taken.
    """
    screen = screen or Screen()
    keys = [Path(asset.asset_id) / (PurePosixPath(asset.path).name or "asset") for asset in assets]
    before = _before(assets, known)
    named = {key: row.session for key, row in zip(keys, before, strict=True) if row is not None}
    names = session_names(dict.fromkeys(keys, ""), named)
    return [
        _kept(row(asset, name, screen.reason(asset)), old)
        for asset, name, old in zip(assets, names, before, strict=True)
    ]


def _before(assets: Sequence[Listed], known: Iterable[Session]) -> list[Session | None]:
    """Return the earlier row of each asset, or that of another version of it."""
    rows = [row for row in known if row.asset_id]
    by_asset, listed_ids = {row.asset_id: row for row in rows}, {asset.asset_id for asset in assets}
    others = {(row.dandiset, row.path): row for row in rows if row.asset_id not in listed_ids}
    return [
        by_asset.get(asset.asset_id) or others.pop((asset.source.dandiset, one_line(asset.path, LONGEST_CELL)), None)
        for asset in assets
    ]


def row(asset: Listed, name: str, reason: str = "") -> Session:
    """Return the row of an asset, pinned by version, identifier and digests.

    Args:
        asset: The asset.
        name: Name of its session.
        reason: Reason to leave it out, "" to take it.
    """
    return Session(
        session=name,
        include=not reason,
        reason=f"{SCREENED}{reason}" if reason else "",
        source=asset.source.address(asset.path, asset.asset_id),
        dandiset=asset.source.dandiset,
        version=asset.source.version,
        asset_id=asset.asset_id,
        path=one_line(asset.path, LONGEST_CELL),
        size=asset.size,
        sha256=asset.sha256,
        etag=asset.etag,
        source_access=asset.source.access,
        found=one_line("; ".join(filter(None, [", ".join(asset.variables), ", ".join(asset.species)]))),
    )


def _kept(new: Session, old: Session | None) -> Session:
    if old is None or old.reason.startswith(SCREENED):
        return new
    return new.model_copy(update={"include": old.include, "reason": old.reason})
