"""Which addresses a data set file may name that somebody put into a bucket: those below what `chrombpnet deploy` allows.

A right to write to a bucket is no right to what a worker can reach: its disk, its network, its cloud's metadata server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from chrombpnet_core.errors import InputError
from tasks.storage import is_inner_host, redact, split_conditions

__all__ = ["allowed_address", "allowed_prefix"]

_SCHEMES = {"gs": "gs", "gcs": "gs", "s3": "s3", "s3a": "s3", "https": "https", "http": "http", "hf": "hf"}
_WEB = ("http", "https")


class _Place(NamedTuple):
    """What an address says: scheme, host or bucket, and the path with its slash in front."""

    scheme: str
    host: str
    path: str

    def below(self, prefix: _Place) -> bool:
        """Tell whether this place is the other, or lies in it."""
        folder = prefix.path.rstrip("/")
        return self[:2] == prefix[:2] and (self.path == folder or self.path.startswith(f"{folder}/"))


def _place(address: str) -> _Place | None:
    """Take an address apart; None where it is none of a plain form."""
    if re.search(r"[\s\\\x00-\x1f\x7f]|::|[^\x20-\x7e]", address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    scheme, host = _SCHEMES.get(parts.scheme), parts.netloc.lower() if parts.scheme in _WEB else parts.netloc
    path = unquote(unquote(parts.path))
    if scheme is None or not re.fullmatch(r"[\w.-]+(:\d+)?", host) or set(path.split("/")) & {".", ".."} or "\\" in path:
        return None
    name = host.removesuffix(f":{port}") if port is not None else host
    return None if scheme in _WEB and is_inner_host(name) else _Place(scheme, host, parts.path)


def allowed_prefix(address: str) -> str:
    """Check an address below which dropped data set files may read and write.

    Parameters
    ----------
    address
        Such as ``gs://lab/`` or ``https://www.encodeproject.org/files/``.

    Returns
    -------
    str
        The same.

    Raises
    ------
    InputError
        Where it is a local path, of this machine or its link, or of another form.
    """
    if _place(address) is None or redact(address) != address:
        raise InputError(
            f"{redact(address)}: not allowed to data set files that are dropped",
            expected=f"an address such as gs://bucket/folder/ of {', '.join(sorted(set(_SCHEMES.values())))}; no local path,"
            " no address of this machine, its link or a metadata server",
        )
    return address


def allowed_address(address: str, prefixes: Sequence[str], store: str) -> str:
    """Check an address that a dropped data set file names.

    Parameters
    ----------
    address
        Of an input, of results or of a bundle.
    prefixes
        What is allowed.
    store
        Where steps keep their outputs: nobody's file may name anything there.

    Returns
    -------
    str
        The same; one over HTTP with the hosts that may be contacted for it, wherever one redirects.

    Raises
    ------
    InputError
        Where it lies below none of them, without more than its redacted form.
    """
    plain, md5, _ = split_conditions(address)
    place = _place(plain)
    allowed = [known for prefix in prefixes if (known := _place(prefix)) is not None]
    steps = _place(store)
    if place is None or not any(place.below(prefix) for prefix in allowed) or (steps and _overlap(place, steps)):
        shown = redact(plain)
        raise InputError(
            f"{ascii(shown)[1:-1][:120]} is not allowed in a data set file that is dropped",
            expected=f"an address below {', '.join(prefixes) or 'what is allowed, which is nothing'}, outside the store",
            remedy="put the file there, or allow its place: chrombpnet deploy --allow",
        )
    if place.scheme not in _WEB:
        return address
    hosts = ",".join(dict.fromkeys(prefix.host for prefix in allowed if prefix.scheme in _WEB))
    return f"{plain}#{f'md5={md5}&' if md5 else ''}hosts={hosts}"


def _overlap(one: _Place, other: _Place) -> bool:
    return one.below(other) or other.below(one)
