"""Connect to a DANDI archive, with a key if needed and with one-line errors.

The client is slow to import, so it is imported where it is used.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xcebra_nwb.archive.access import KEY_WANTED, authenticate
from xcebra_nwb.core.errors import Failure, UsageError, XcebraError
from xcebra_nwb.core.extras import need

if TYPE_CHECKING:
    import requests
    from dandi.consts import DandiInstance
    from dandi.dandiapi import DandiAPIClient
    from dandi.dandiarchive import ParsedDandiURL

QUERY = re.compile(r"\?\S*")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of the dandi client into one line without signed addresses.

    Args:
        what: The object of the request, for errors.

    Raises:
        UsageError: There is no such object, or it needs a key.
        Failure: The archive cannot be reached or does not work.
    """
    import requests
    from dandi.dandiarchive import FailedToConnectError, UnknownURLError
    from dandi.exceptions import CliVersionError, NotFoundError

    try:
        yield
    except XcebraError:
        raise
    except (NotFoundError, UnknownURLError) as error:
        reason = first_line(error)
        bare = reason.rstrip("/") == QUERY.sub("", what).rstrip("/")  # the error states only the address
        raise UsageError(f"{what}: {'not found' if bare else reason}", "see `dandi ls` for what there is") from None
    except requests.HTTPError as error:
        raise _refused(what, error) from None
    except requests.RequestException as error:
        problem = f"{what}: the archive cannot be reached ({type(error).__name__})"
        raise Failure(problem, "run the same command again to continue") from None
    except CliVersionError as error:
        raise Failure(f"{what}: {first_line(error)}", "install another version of dandi") from None
    except (RuntimeError, ValueError, FailedToConnectError) as error:  # the client's own errors
        raise Failure(f"{what}: {first_line(error)}", "is this the address of a DANDI archive?") from None


def first_line(error: BaseException | str) -> str:
    r"""Return the first line of an error without the queries of addresses.

    >>> first_line("https://example.org/a?signature=1 failed\nmore")
    'https://example.org/a failed'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return QUERY.sub("", lines[0])


def _refused(what: str, error: requests.HTTPError) -> XcebraError:
    status = error.response.status_code if error.response is not None else 0
    sent = error.request.headers if error.request is not None else {}
    if status == 403 and "Authorization" in sent:
        return _forbidden(what, "" if error.request is None else str(error.request.method))
    if status == 404:
        return UsageError(f"{what}: not in the archive", "see `dandi ls` for what there is")
    if status in KEY_WANTED:
        return UsageError(
            f"{what}: the archive needs a key, or does not accept this one", "see docs/how-to/archive.md on keys"
        )
    return Failure(f"{what}: the archive answered {status} several times", "run the same command again to continue")


def _forbidden(what: str, method: str) -> XcebraError:
    """Return the error for an object that the user of an accepted key may not use.

    The archive answers 401 to an unknown key. An asset that was removed from an embargoed dandiset is kept, but shown
    to nobody.
    """
    if method in {"GET", "HEAD"}:
        problem = f"{what}: the key is accepted, but the archive does not show this; it may have been removed"
        return UsageError(problem, "run `xcebra-nwb discover` again, or ask an owner of the dandiset")
    return UsageError(f"{what}: the key is accepted, but its user may not write there", "ask an owner of the dandiset")


def parsed(address: str, *, glob: bool = False) -> ParsedDandiURL:
    """Return what a DANDI identifier or address refers to.

    Args:
        address: Identifier, ``dandi://`` address, or https address of any archive.
        glob: Whether the path may be a pattern.
    """
    need("dandi", address)
    from dandi.dandiarchive import parse_dandi_url

    _be_quiet()
    identifier = re.fullmatch(r"([A-Za-z-]+)(:\d{6}.*)", address)
    with explained(address):
        return parse_dandi_url(identifier[1].upper() + identifier[2] if identifier else address, glob=glob)


@contextmanager
def connected(instance: DandiInstance | str, dandiset: str = "", *, key: bool = False) -> Iterator[DandiAPIClient]:
    """Yield a client for an archive.

    The user's key is given if ``dandiset`` cannot be seen without one, or if ``key`` is set.

    Args:
        instance: The archive: its name, its address, or as the client has it.
        dandiset: Identifier of the dandiset to use.
        key: Give the key in any case.

    Raises:
        UsageError: A key is needed, and there is none or it is not accepted.
    """
    need("dandi", str(instance))
    from xcebra_nwb.archive.client import Client

    _be_quiet()
    name = instance if isinstance(instance, str) else instance.name
    with explained(name):
        client = Client.for_dandi_instance(instance)
    with client:
        with explained(f"{name}:{dandiset}" if dandiset else name):
            if key or (dandiset and _is_closed(client, dandiset)):
                authenticate(client, f"{name}:{dandiset}" if dandiset else name)
                _check_entry(client, dandiset)
        yield client


def _is_closed(client: DandiAPIClient, dandiset: str) -> bool:
    import requests

    try:
        client.get(f"/dandisets/{dandiset}/")
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code in KEY_WANTED:
            return True
        raise
    return False


def _check_entry(client: DandiAPIClient, dandiset: str) -> None:
    """Raise a usage error if the user of the key may not see ``dandiset``.

    After this check, an answer 403 is about an asset.
    """
    if dandiset and _is_closed(client, dandiset):
        problem = (
            f"{client.dandi_instance.name}:{dandiset}: the key is accepted, but its user may not see this dandiset"
        )
        raise UsageError(problem, "ask one of its owners to add you, or use the key of one who is")


def _be_quiet() -> None:
    """Silence the client.

    It would log signed addresses, and ask its server for newer versions.
    """
    os.environ["DANDI_NO_ET"] = "1"
    logging.getLogger("dandi").setLevel(logging.CRITICAL)
