"""Hosts that nobody's file may lead to: this machine, its neighbours on the link, and the metadata servers of clouds."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

__all__ = ["Elsewhere", "guarded_client", "is_inner_host"]

_NAMES = frozenset({"localhost", "metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))


class Elsewhere(Exception):
    """A request that may not be made: where it would lead, and what is allowed."""


def is_inner_host(host: str) -> bool:
    """Tell whether a host is this machine, one of its link or a cloud's metadata server, however it is written.

    Parameters
    ----------
    host
        Name or address; decimal, octal and hexadecimal forms and IPv4 within IPv6 are known.

    Returns
    -------
    bool
        Whether it is one; names are not looked up.
    """
    name = host.lower().strip("[]").rstrip(".").partition("%")[0]
    if name in _NAMES or name.endswith((".localhost", ".localdomain")):
        return True
    try:
        address: Any = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))
        except OSError:
            return False
    if address.version == 6:
        nat64 = address in ipaddress.ip_network("64:ff9b::/96")
        address = address.ipv4_mapped or address.sixtofour or address
        if nat64 or (address.version == 6 and int(address) >> 32 == 0 and int(address) > 1):
            address = ipaddress.ip_address(int(address) & 0xFFFFFFFF)
    inner = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return bool(inner or address.is_reserved or address in _METADATA)


async def guarded_client(**options: Any) -> Any:
    """Make an aiohttp client that follows no name to an inner host, whatever the name meant when it was looked at before.

    Parameters
    ----------
    **options
        Of the client.

    Returns
    -------
    aiohttp.ClientSession
        Its resolver refuses such answers.
    """
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        def __init__(self) -> None:
            self._resolver = aiohttp.ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            answers = await self._resolver.resolve(host, port, family)
            if any(is_inner_host(answer["host"]) for answer in answers):
                raise Elsewhere(f"{host}, an address of this machine, its link or a metadata server", "another host")
            return answers

        async def close(self) -> None:
            await self._resolver.close()

    options.pop("loop", None)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Resolver(), family=socket.AF_UNSPEC), **options)
