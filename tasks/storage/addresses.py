"""Addresses of files and objects: local or remote, and what of them may be shown."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from chrombpnet_core.errors import InputError

__all__ = [
    "SECRET",
    "Conditional",
    "hide_secrets",
    "is_local",
    "local_path",
    "redact",
    "redact_all",
    "redact_text",
    "require_no_secret",
    "require_plain",
    "split_conditions",
    "split_prefix",
]

SECRET = "CHROMBPNET_ADDRESS_"
"""Begins the names of environment variables that hold whole addresses, secrets included; see :func:`hide_secrets`."""

_CONDITIONS = re.compile(
    r"(?:md5=([0-9a-fA-F]{32}))?(?:(?:^|&)hosts=([\w.:\[\]-]+(?:,[\w.:\[\]-]+)*))?(?:(?:^|&)secret=([0-9a-f]{12}))?"
)
_REFERENCE = re.compile(r"[#&]secret=[0-9a-f]{12}$")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)


def redact(address: str) -> str:
    """Take user names, passwords, and query strings, which may sign or authorise, out of an address.

    Parameters
    ----------
    address
        Any address; local paths stay as they are.

    Returns
    -------
    str
        What may be shown.
    """
    return _REFERENCE.sub("", re.sub(r"//[^/?]*@", "//", str(address)).split("?", 1)[0])


def redact_text(text: str) -> str:
    """Redact every remote address in a text.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text without secrets.
    """
    return _ADDRESS.sub(lambda found: redact(found[0]), text)


def redact_all(value: Any) -> Any:
    """Redact every remote address in a JSON value.

    Parameters
    ----------
    value
        Of JSON types.

    Returns
    -------
    Any
        The same value without secrets.
    """
    if isinstance(value, dict):
        return {key: redact_all(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redact_all(inner) for inner in value]
    return redact(value) if isinstance(value, str) and "://" in value else value


class Conditional(NamedTuple):
    """A remote address and what it may end with: an MD5 (hexadecimal), and the only hosts that may be contacted for it."""

    address: str
    md5: str = ""
    hosts: tuple[str, ...] = ()


def split_conditions(uri: str) -> Conditional:
    """Take an address such as ``https://host/a.bam#md5=…&hosts=host,other:8080`` apart.

    Parameters
    ----------
    uri
        An address; either condition, or both, may be left out.

    Returns
    -------
    Conditional
        Address and conditions.

    Raises
    ------
    InputError
        For a condition that is not understood: it must not pass for none.
    """
    address, _, conditions = uri.rpartition("#")
    if is_local(uri) or not conditions.startswith(("md5=", "hosts=", "secret=")):
        return Conditional(uri)
    found = _CONDITIONS.fullmatch(conditions)
    if found is None:
        raise InputError(
            f"{redact(address)}: what follows its # is not understood",
            found=conditions,
            expected="md5=<32 hexadecimal digits>, hosts=<host,host>, or both with & between",
        )
    address = os.environ.get(f"{SECRET}{found[3]}", address) if found[3] else address
    return Conditional(address, (found[1] or "").lower(), tuple(filter(None, (found[2] or "").lower().split(","))))


_PLAIN = ("output", "publish", "output_prefix", "bundle", "store", "portal", "buckets")
"""Keys of addresses that are kept and shown wherever something is said of a run."""


def require_no_secret(address: str, what: str) -> None:
    """Refuse an address that holds a secret where it would be kept and shown: of results, a store, a portal.

    Parameters
    ----------
    address
        A path or address.
    what
        What it is the address of.

    Raises
    ------
    InputError
        Where it has a password, or a query; of a web address a user name, too, which may be a token.
    """
    user = re.match(r"([a-zA-Z][\w+.-]*)://([^/?]*)@", address)
    secret = user and (":" in user[2] or user[1].lower() in ("http", "https"))
    if not is_local(address) and (secret or "?" in address or _REFERENCE.search(address)):
        raise InputError(
            f"{what}: {redact(address)}: the address holds a password, a token or a query",
            expected="a plain address",
            remedy="give credentials by the environment, as the store's own tools take them",
        )


def hide_secrets(content: Any, key: str = "") -> Any:
    """Put a reference in the place of every remote address that has a user name, a password or a query.

    The whole address is kept in this process's environment, which processes that it starts inherit, and nowhere else: not
    in Prefect's database, not in records of runs. :func:`split_conditions` finds it again.

    Parameters
    ----------
    content
        Of JSON types.
    key
        Of a mapping, whose value ``content`` is.

    Returns
    -------
    Any
        The same, such as ``https://host/a.bam#secret=<12 digits>`` for ``https://user:password@host/a.bam``.

    Raises
    ------
    InputError
        Where the address of a place for results, of a store or of a portal holds a secret.
    """
    if isinstance(content, dict):
        return {name: hide_secrets(value, name) for name, value in content.items()}
    if isinstance(content, list):
        return [hide_secrets(value, key) for value in content]
    if not isinstance(content, str) or is_local(content) or redact(content) == _REFERENCE.sub("", content):
        return content
    if key in _PLAIN:
        require_no_secret(content, key)
        return content
    plain, md5, hosts = split_conditions(content)
    shown, number = redact(plain), 0
    while True:
        name = hashlib.sha256(f"{shown}\n{number}".encode()).hexdigest()[:12]
        if os.environ.setdefault(f"{SECRET}{name}", plain) == plain:
            break
        number += 1
    conditions = (f"md5={md5}" if md5 else "", f"hosts={','.join(hosts)}" if hosts else "", f"secret={name}")
    return f"{shown}#{'&'.join(filter(None, conditions))}"


def is_local(uri: str) -> bool:
    """Tell whether an address is a path of this machine.

    Parameters
    ----------
    uri
        The address.

    Returns
    -------
    bool
        Whether it is local.
    """
    return "://" not in uri or uri.startswith(("file://", "local://"))


def local_path(uri: str) -> Path:
    """Return the path of a local address.

    Parameters
    ----------
    uri
        A path, or ``file://`` before one.

    Returns
    -------
    Path
        The path.
    """
    return Path(re.sub(r"^(file|local)://", "", uri))


_WRAPPERS = re.compile(
    r"(simplecache|filecache|blockcache|cached|zip|tar|libarchive|reference|dir|asyncwrapper)://", re.IGNORECASE
)


def require_plain(uri: str) -> None:
    """Refuse an address that leads on to another one, as ``simplecache::…`` and ``zip://a::b`` do.

    Parameters
    ----------
    uri
        A remote address.

    Raises
    ------
    InputError
        Where it is one.
    """
    chained = "::" in uri and not uri.startswith(("gs://", "gcs://"))
    if chained or _WRAPPERS.match(uri):
        raise InputError(
            f"{redact(uri)}: leads on to another address",
            expected="the address of the file itself, such as gs://bucket/file or https://host/file",
            remedy="unpack or copy the file first",
        )


def split_prefix(prefix: str) -> tuple[str, str]:
    """Divide an output prefix into folder and beginning of the file names.

    Parameters
    ----------
    prefix
        Such as ``results/fold_0`` or ``gs://bucket/results/fold_0``.

    Returns
    -------
    tuple of str
        Folder, and beginning, which may be empty.
    """
    folder, slash, name = prefix.rpartition("/")
    return (folder or "/") if slash else ".", name
