"""
Pure: what kind of address one is, and whether a request may go there.

The tables are the registries of special-purpose addresses (IANA, RFC 6890) and the documented
metadata addresses of clouds. IPv6 is refused unless it is known to be public (2000::/3 without
the special blocks), so that a block which is given out later is not open by oversight.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = [
    "Address",
    "AddressKind",
    "AddressPolicy",
    "Network",
    "kind_of",
    "parse_address",
    "parse_network",
]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AddressKind(StrEnum):
    """What an address is for, in the words of messages."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    SHARED = "shared by a provider's customers"
    LINK_LOCAL = "link-local"
    METADATA = "a cloud's metadata service"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"


#: What `allow_private` and a name in `allow_hosts` open; everything else needs its address there.
_PRIVATE_KINDS = frozenset({AddressKind.PRIVATE, AddressKind.LOOPBACK, AddressKind.SHARED})

#: Amazon, Google, Azure, DigitalOcean, …; Amazon by IPv6; Alibaba; Oracle; Azure's host.
#: The last is a public address that reaches the machine's own host from inside a cloud.
_METADATA = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)

_V4: tuple[tuple[IPv4Network, AddressKind], ...] = tuple(
    (IPv4Network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", AddressKind.UNSPECIFIED),  # Linux takes 0.0.0.0 for this machine
        ("10.0.0.0/8", AddressKind.PRIVATE),
        ("100.64.0.0/10", AddressKind.SHARED),
        ("127.0.0.0/8", AddressKind.LOOPBACK),
        ("169.254.0.0/16", AddressKind.LINK_LOCAL),
        ("172.16.0.0/12", AddressKind.PRIVATE),
        ("192.0.0.0/24", AddressKind.RESERVED),
        ("192.0.2.0/24", AddressKind.RESERVED),
        ("192.88.99.0/24", AddressKind.RESERVED),
        ("192.168.0.0/16", AddressKind.PRIVATE),
        ("198.18.0.0/15", AddressKind.PRIVATE),
        ("198.51.100.0/24", AddressKind.RESERVED),
        ("203.0.113.0/24", AddressKind.RESERVED),
        ("224.0.0.0/4", AddressKind.MULTICAST),
        ("240.0.0.0/4", AddressKind.RESERVED),
    )
)

_V6: tuple[tuple[IPv6Network, AddressKind], ...] = tuple(
    (IPv6Network(text), kind)
    for text, kind in (
        ("::/128", AddressKind.UNSPECIFIED),
        ("::1/128", AddressKind.LOOPBACK),
        ("64:ff9b:1::/48", AddressKind.PRIVATE),  # translation by local prefixes, RFC 8215
        ("2001::/23", AddressKind.RESERVED),  # Teredo, ORCHID, benchmarking, …
        ("2001:db8::/32", AddressKind.RESERVED),
        ("3fff::/20", AddressKind.RESERVED),
        ("fc00::/7", AddressKind.PRIVATE),
        ("fe80::/10", AddressKind.LINK_LOCAL),
        ("fec0::/10", AddressKind.PRIVATE),
        ("ff00::/8", AddressKind.MULTICAST),
    )
)
_V6_PUBLIC = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


def parse_address(text: str) -> Address | None:
    """Return the address that *text* writes, without its zone; None when it writes none."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address may end at; None: there is none."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    is_inside = address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1)
    return IPv4Address(int(address) & 0xFFFFFFFF) if is_inside else None


def kind_of(address: Address) -> AddressKind:
    """Return what an address is for; one with an IPv4 address inside is what that one is."""
    inner = embedded(address)
    if inner is not None:
        return kind_of(inner)
    if address in _METADATA:
        return AddressKind.METADATA
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4 if address in network), AddressKind.PUBLIC)
    for network, kind in _V6:
        if address in network:
            return kind
    return AddressKind.PUBLIC if address in _V6_PUBLIC else AddressKind.RESERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Which addresses may be connected to, besides public ones."""

    allow_private: bool = False
    networks: tuple[Network, ...] = ()

    def refusal(self, address: Address, *, is_allowed_name: bool) -> AddressKind | None:
        """
        Return the kind for which a connection to an address is refused; None: it may be made.

        Args:
            address: the very one that is connected to.
            is_allowed_name: the name in the URL is one of `allow_hosts`.
        """
        kind = kind_of(address)
        if kind is AddressKind.PUBLIC:
            return None
        if kind in _PRIVATE_KINDS and (self.allow_private or is_allowed_name):
            return None
        inner = embedded(address)
        for network in self.networks:
            if address in network or (inner is not None and inner in network):
                return None
        return kind


def parse_network(text: str) -> Network | None:
    """Return the network, or the one address, that *text* writes; None: it is a name."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
