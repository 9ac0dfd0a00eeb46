"""Prepare a dandiset of results on disk: files, metadata and sources."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xcebra_nwb.archive.access import UNKNOWN, access_of
from xcebra_nwb.archive.connection import connected, explained, parsed
from xcebra_nwb.archive.given import names_dandiset
from xcebra_nwb.archive.listing import DRAFT
from xcebra_nwb.archive.names import clean_identifier
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic, write_text
from xcebra_nwb.core.safe_text import redact

if TYPE_CHECKING:
    from dandi.dandiarchive import ParsedDandiURL

logger = logging.getLogger("xcebra_nwb")
UNNAMED = "000000"  # identifier of a dandiset that does not exist yet
RELATION = "dcite:IsDerivedFrom"
LICENSES = ("spdx:CC0-1.0", "spdx:CC-BY-4.0")  # licences that archives accept, from the freest to the strictest
CONTACT = re.compile(r"(?P<name>[^<>,]+,[^<>,]+?)\s*<(?P<email>[^<>@\s]+@[^<>\s]+)>")


@dataclass(frozen=True)
class Origin:
    """A version of a dandiset from which results are derived.

    ``access`` is who may see it now (:mod:`.access`).
    """

    identifier: str
    name: str
    url: str
    citation: str
    licenses: tuple[str, ...]
    access: str = UNKNOWN
    draft: bool = False

    @property
    def resource(self) -> dict[str, str]:
        """The entry for ``relatedResource`` in the metadata."""
        entry = {"schemaKey": "Resource", "relation": RELATION, "resourceType": "dcite:Dataset"}
        return entry | {"identifier": self.identifier, "name": self.name} | ({"url": self.url} if self.url else {})


def origins(addresses: Iterable[str]) -> list[Origin]:
    """Return the dandiset versions of addresses, with licences and citations.

    A dandiset that is gone, or needs a missing key, has only its identifier, and a warning is logged. An address
    outside archives has only itself.

    Raises:
        Failure: An archive cannot be reached.
    """
    by_version: dict[str, Origin] = {}
    for address in addresses:
        if not names_dandiset(address):  # nobody knows this server, and who may see the address
            by_version[address] = Origin(redact(address), redact(address), "", "", ())
            continue
        url = parsed(address)
        version = f"{url.instance.name}:{url.dandiset_id}/{url.version_id}"
        if version not in by_version:
            by_version[version] = _origin(version, url)
    return list(by_version.values())


def _origin(version: str, url: ParsedDandiURL) -> Origin:
    assert url.dandiset_id is not None
    try:
        with connected(url.instance, url.dandiset_id) as client, explained(version):
            dandiset = client.get_dandiset(url.dandiset_id, url.version_id, lazy=False)
            metadata: Mapping[str, Any] = dandiset.get_raw_metadata()
            access = access_of(dandiset)
    except UsageError as error:
        logger.warning("%s", error)
        metadata, access = {}, UNKNOWN
    return Origin(
        identifier=str(metadata.get("id") or version),
        name=str(metadata.get("name") or version),
        url=f"https://doi.org/{metadata['doi']}" if metadata.get("doi") else str(metadata.get("url") or ""),
        citation=str(metadata.get("citation") or ""),
        licenses=tuple(str(license) for license in metadata.get("license") or ()),
        access=access,
        draft=url.version_id == DRAFT,
    )


def license_of(sources: Sequence[Origin], local: int, wanted: str | None) -> str:
    """Return the licence of results: as wanted, else the strictest of the sources.

    Args:
        sources: The sources of the results.
        local: Number of local recordings among the sources.
        wanted: Licence that the user gives.

    Raises:
        UsageError: A source has no known licence, or there are local recordings.
    """
    if wanted is not None:
        if wanted not in LICENSES:
            raise UsageError(f"--license {wanted}", f"one of {', '.join(LICENSES)}")
        return wanted
    stated = [license for source in sources for license in source.licenses]
    unknown = [source.identifier for source in sources if not set(source.licenses) & set(LICENSES)]
    if unknown or local or not stated:
        of = unknown[0] if unknown else f"{local} local recordings"
        raise UsageError(f"the licence of {of} is not known", f"give --license, one of {', '.join(LICENSES)}")
    return max((license for license in stated if license in LICENSES), key=LICENSES.index)


def metadata(
    name: str, contact: str, chosen_license: str, sources: Sequence[Origin], identifier: str
) -> dict[str, Any]:
    """Return the metadata of a dandiset that its owner writes.

    Args:
        name: Name of the dandiset.
        contact: Contact person as ``Family, Given <address>``.
        chosen_license: The licence.
        sources: The sources of the results.
        identifier: Six digits.

    Raises:
        UsageError: ``contact`` or ``identifier`` has another form.
    """
    if not re.fullmatch(r"\d{6}", identifier):
        raise UsageError(f"--dandiset {identifier}", "an identifier has six digits")
    person = CONTACT.fullmatch(contact.strip())
    if person is None:
        raise UsageError(f"--contact {contact}", 'give it as "Family, Given <address@example.org>"')
    citations = [source.citation for source in sources if source.citation]
    entry = {
        "schemaKey": "Dandiset",
        "identifier": f"DANDI:{identifier}",
        "name": name,
        "description": "Which neurons carry the population's code of which behaviour: xCEBRA attribution maps, "
        "embeddings and their statistics, a file a session. Each file names the asset it was made from in "
        "processing/misc/xcebra_lineage, and `xcebra-nwb verify` makes its maps again from it.",
        "license": [chosen_license],
        "keywords": ["xCEBRA", "attribution", "neural population", "derived data"],
        "contributor": [
            {
                "schemaKey": "Person",
                "name": person["name"],
                "email": person["email"],
                "roleName": ["dcite:ContactPerson", "dcite:Author"],
                "includeInCitation": True,
            }
        ],
        "relatedResource": [source.resource for source in sources],
    }
    return entry | ({"acknowledgement": f"Derived from: {' '.join(citations)}"} if citations else {})


def write_metadata(content: Mapping[str, Any], folder: Path) -> None:
    """Write dandiset.yaml into a folder."""
    write_text(folder / "dandiset.yaml", yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))


def asset_path(subject: str, session: str, modality: str) -> str:
    """Return the path of a session's results in a dandiset.

    Args:
        subject: Identifier of the subject.
        session: Identifier of the session.
        modality: Modality of the recording, such as ``ecephys``.

    Raises:
        UsageError: A name has no character that archives allow.

    >>> asset_path("4", "day 2", "ecephys")
    'sub-4/sub-4_ses-day-2_desc-xcebra_ecephys.nwb'
    """
    subject, session = map(clean_identifier, (subject, session))
    if not subject or not session:
        raise UsageError("the recording names no subject" if not subject else "the recording names no session")
    return f"sub-{subject}/sub-{subject}_ses-{session}_desc-xcebra_{modality}.nwb"


def copy_in(file: Path, path: str, folder: Path) -> Path:
    """Copy a file into the dandiset in a folder, and return the copy.

    Args:
        file: The file to copy.
        path: Path of the copy in the dandiset.
        folder: Folder of the dandiset.
    """
    with atomic(folder / path) as temporary:
        shutil.copyfile(file, temporary)
    return folder / path


def faults(path: Path) -> list[str]:
    """Return the errors that ``dandi validate`` finds in a file, one line each."""
    from dandi.validate import Severity
    from dandi.validate._core import validate  # as dandi's documentation imports it

    results = validate(path)
    return [
        " ".join(f"{result.id}: {result.message or ''}".split())
        for result in results
        if result.severity is not None and result.severity >= Severity.ERROR
    ]
