"""Decide which addresses a probe may connect to. Pure.

A health URL is untrusted input. It must not give access to what only Slipway can reach: the machine
itself, the network around it, the cloud's metadata service.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Port = Annotated[int, Field(ge=1, le=65535)]

# IPv6 networks that embed an IPv4 address, and its distance from the address's end in bits.
# IPv4-compatible and -mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052; also AWS's
# DNS64) and 6to4 (RFC 3056).
_EMBEDDING = (
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
# Loopback and the unspecified address, which the first of these networks also contains.
_IPV6_ONLY = (IPv6Address("::1"), IPv6Address("::"))
# The metadata service's IPv6 address; the IPv4 one, like those of ECS, is link-local.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_METADATA = IPv6Address("fd00:ec2::254")
# IANA assigns addresses of this block only, although `is_global` differs for others.
# https://www.iana.org/assignments/ipv6-address-space/
_GLOBAL_UNICAST = IPv6Network("2000::/3")


class ProbeLimits(BaseModel):
    """What a probe may reach, and how much time and memory it may take.

    Attributes:
        allowed_cidrs: networks whose addresses may be connected to; none: addresses that are
            routable in the whole Internet. Link-local, multicast and unspecified addresses and
            the cloud's metadata service are never allowed.
        allowed_ports: TCP ports that may be connected to.
        deadline_seconds: for the whole probe, from the name lookup to the last byte.
        canary_url: an address that answers whenever the prober's network works; None: every
            failure counts as the service's.
        max_header_bytes: of the answer's status line and headers.
        max_body_bytes: of the answer's body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_cidrs: tuple[Network, ...] = ()
    allowed_ports: frozenset[Port] = Field(frozenset({80, 443}), min_length=1)
    canary_url: str | None = None
    deadline_seconds: float = Field(3, gt=0, le=10)
    max_header_bytes: int = Field(16 * 1024, ge=1024, le=64 * 1024)
    max_body_bytes: int = Field(64 * 1024, ge=1024, le=1024 * 1024)


def forbidden(addresses: Iterable[str], limits: ProbeLimits) -> str:
    """Return why an address is forbidden, as the end of "… is"; or "".

    Args:
        addresses: a name's addresses, in numeric form.
        limits: what is allowed.
    """
    for text in addresses:
        try:
            address = unwrap(ip_address(text))
        except ValueError:
            return "not an IP address"
        if _never(address) or not _allowed(address, limits.allowed_cidrs):
            return _described(address)
    return ""


def unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address embeds, or itself."""
    if isinstance(address, IPv4Address) or address in _IPV6_ONLY:
        return address
    if address.teredo:
        return address.teredo[1]
    for network, shift in _EMBEDDING:
        if address in network:
            return IPv4Address((int(address) >> shift) & 0xFFFF_FFFF)
    return address


def _never(address: Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _METADATA
    )


def _allowed(address: Address, networks: tuple[Network, ...]) -> bool:
    if networks:
        return any(address in network for network in networks)
    return address.is_global and (isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST)


def _described(address: Address) -> str:
    # Without the address, because the sentence is public and an internal address is not.
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local or address == _METADATA:
        return "a link-local address, like the cloud's metadata service"
    if address.is_multicast:
        return "a multicast address"
    if address.is_private or not address.is_global:
        return "a private or reserved address"
    return "an address outside of the allowed networks"
