"""Tell who may see a dandiset, and give each archive its own key."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xcebra_nwb.core.errors import UsageError

if TYPE_CHECKING:
    from dandi.dandiapi import DandiAPIClient, RemoteDandiset

KEY_WANTED = (401, 403)

OPEN, EMBARGOED, UNKNOWN = "open", "embargoed", "unknown"


def access_of(dandiset: RemoteDandiset) -> str:
    """Return who may see a dandiset: ``open`` or ``embargoed``.

    A dandiset that is being opened still counts as embargoed.
    """
    return OPEN if dandiset.embargo_status.value == "OPEN" else EMBARGOED


def stays_closed(dandiset: RemoteDandiset) -> bool:
    """Return whether a dandiset is embargoed and is not being opened."""
    return str(dandiset.embargo_status.value) == "EMBARGOED"


def authenticate(client: DandiAPIClient, what: str) -> None:
    """Give a client the user's key from the environment or the keyring.

    The user is never asked for a key.

    Args:
        client: The client of the archive.
        what: What needs the key, for errors.

    Raises:
        UsageError: There is no key, or the archive does not accept it; the message says where to put one.
    """
    import requests

    _check_owner(client, what)
    variable, service = client.api_key_env_var, f"dandi-api-{client.dandi_instance.name}"
    key, where = os.environ.get(variable), f"the environment variable {variable}"
    if not key:
        key, where = _from_keyring(service), f"the keyring ({service})"
    if not key:
        raise UsageError(f"{what} needs a key", _where_to_put_it(variable, service))
    try:
        client.authenticate(key)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status not in KEY_WANTED:
            raise
        raise UsageError(f"{what}: the key in {where} is not accepted", "get one on the archive's site") from None


def _check_owner(client: DandiAPIClient, what: str) -> None:
    """Raise a usage error if an archive would get the key of another one.

    A key is named after its archive. If the client does not know an archive, the name is the host that its server
    states. A hostile server can state ``dandi``, or the name of another service whose key is in the environment.
    """
    from dandi.consts import known_instances

    instance = client.dandi_instance
    known = known_instances.get(instance.name)
    if known is None and not client.api_key_env_var.isidentifier():
        return
    if known is None or _origin(known.api) != _origin(client.api_url):
        problem = f"{what}: the server calls itself {instance.name}, but has another address: no key was sent"
        raise UsageError(problem, "give the address of the archive itself, with its whole host name")


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc


def _where_to_put_it(variable: str, service: str) -> str:
    """Return where the user can put a key.

    For an unknown archive, the variable is named after its address.
    """
    advice = f"set {variable}, or store one with `keyring set {service} key`"
    if variable.isidentifier():
        return advice
    return f"{advice}; no shell sets that name, but `env '{variable}=...' xcebra-nwb ...` does"


def _from_keyring(service: str) -> str | None:
    """Return the key in the keyring, None if there is none or it is locked.

    Nobody can unlock the keyring of a process without a terminal.
    """
    from dandi.keyring_utils import EncryptedKeyring, KeyringError, get_keyring, load_config, load_env

    backend = load_env() or load_config() or get_keyring()
    if isinstance(backend, EncryptedKeyring) and not sys.stdin.isatty():
        return None
    try:
        key: str | None = backend.get_password(service, "key")
        return key
    except KeyringError:
        return None
