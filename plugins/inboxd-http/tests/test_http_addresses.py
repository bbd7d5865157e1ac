"""Which addresses a request may go to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd_http.addresses import AddressKind, AddressPolicy, Network, kind_of, parse_network

KINDS = [
    ("93.184.215.14", AddressKind.PUBLIC),
    ("0.0.0.0", AddressKind.UNSPECIFIED),  # noqa: S104 # an address, bound to nothing
    ("0.1.2.3", AddressKind.UNSPECIFIED),
    ("10.0.0.1", AddressKind.PRIVATE),
    ("172.16.0.1", AddressKind.PRIVATE),
    ("172.31.255.255", AddressKind.PRIVATE),
    ("172.32.0.1", AddressKind.PUBLIC),
    ("192.168.1.1", AddressKind.PRIVATE),
    ("198.18.0.1", AddressKind.PRIVATE),
    ("100.64.0.1", AddressKind.SHARED),
    ("100.127.255.255", AddressKind.SHARED),
    ("100.128.0.1", AddressKind.PUBLIC),
    ("127.0.0.1", AddressKind.LOOPBACK),
    ("127.255.255.254", AddressKind.LOOPBACK),
    ("169.254.0.1", AddressKind.LINK_LOCAL),
    ("169.254.169.254", AddressKind.METADATA),
    ("100.100.100.200", AddressKind.METADATA),
    ("192.0.0.192", AddressKind.METADATA),
    ("168.63.129.16", AddressKind.METADATA),
    ("192.0.0.1", AddressKind.RESERVED),
    ("192.0.2.1", AddressKind.RESERVED),
    ("198.51.100.1", AddressKind.RESERVED),
    ("203.0.113.1", AddressKind.RESERVED),
    ("224.0.0.1", AddressKind.MULTICAST),
    ("239.255.255.255", AddressKind.MULTICAST),
    ("240.0.0.1", AddressKind.RESERVED),
    ("255.255.255.255", AddressKind.RESERVED),
    ("2606:4700::1111", AddressKind.PUBLIC),
    ("::", AddressKind.UNSPECIFIED),
    ("::1", AddressKind.LOOPBACK),
    ("::2", AddressKind.UNSPECIFIED),  # ::0.0.0.2
    ("::127.0.0.1", AddressKind.LOOPBACK),
    ("::ffff:127.0.0.1", AddressKind.LOOPBACK),
    ("::ffff:169.254.169.254", AddressKind.METADATA),
    ("::ffff:93.184.215.14", AddressKind.PUBLIC),
    ("64:ff9b::10.0.0.1", AddressKind.PRIVATE),
    ("64:ff9b::169.254.169.254", AddressKind.METADATA),
    ("64:ff9b::93.184.215.14", AddressKind.PUBLIC),
    ("64:ff9b:1::1", AddressKind.PRIVATE),
    ("2002:7f00:1::", AddressKind.LOOPBACK),
    ("2002:a9fe:a9fe::1", AddressKind.METADATA),
    ("2002:5db8:d70e::1", AddressKind.PUBLIC),
    ("2001::1", AddressKind.RESERVED),
    ("2001:db8::1", AddressKind.RESERVED),
    ("3fff::1", AddressKind.RESERVED),
    ("fc00::1", AddressKind.PRIVATE),
    ("fd00:ec2::254", AddressKind.METADATA),
    ("fd12:3456::1", AddressKind.PRIVATE),
    ("fe80::1", AddressKind.LINK_LOCAL),
    ("fec0::1", AddressKind.PRIVATE),
    ("ff02::1", AddressKind.MULTICAST),
    ("100::1", AddressKind.RESERVED),
    ("4000::1", AddressKind.RESERVED),
    ("5f00::1", AddressKind.RESERVED),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_an_address_is_of_its_kind(text: str, kind: AddressKind) -> None:
    assert kind_of(ip_address(text)) == kind


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_what_it_is_by_itself(inner: IPv4Address) -> None:
    outer = [
        IPv6Address(f"::ffff:{inner}"),
        IPv6Address(f"64:ff9b::{inner}"),
        IPv6Address((0x2002 << 112) | (int(inner) << 80)),
    ]

    assert {kind_of(address) for address in outer} == {kind_of(inner)}


@given(st.ip_addresses())
def test_what_python_knows_not_to_be_global_is_not_public(
    address: IPv4Address | IPv6Address,
) -> None:
    is_six_to_four = isinstance(address, IPv6Address) and address.sixtofour is not None
    if not address.is_global and not is_six_to_four:
        assert kind_of(address) != AddressKind.PUBLIC


def networks(*texts: str) -> tuple[Network, ...]:
    found = [parse_network(text) for text in texts]

    return tuple(network for network in found if network is not None)


PRIVATE = AddressPolicy(allow_private=True)
NAMED = AddressPolicy(networks=networks("10.1.0.0/16", "169.254.169.254", "fd00:ec2::254"))


@pytest.mark.parametrize(
    ("policy", "is_allowed_name", "text", "is_refused"),
    [
        (AddressPolicy(), False, "93.184.215.14", False),
        (AddressPolicy(), False, "10.1.2.3", True),
        (AddressPolicy(), True, "10.1.2.3", False),
        (AddressPolicy(), True, "127.0.0.1", False),
        (AddressPolicy(), True, "169.254.169.254", True),
        (AddressPolicy(), True, "169.254.1.1", True),
        (PRIVATE, False, "127.0.0.1", False),
        (PRIVATE, False, "100.64.0.1", False),
        (PRIVATE, False, "::ffff:192.168.0.1", False),
        (PRIVATE, False, "169.254.169.254", True),
        (PRIVATE, False, "fd00:ec2::254", True),
        (PRIVATE, False, "fe80::1", True),
        (PRIVATE, False, "224.0.0.1", True),
        (PRIVATE, False, "0.0.0.0", True),  # noqa: S104 # an address, bound to nothing
        (NAMED, False, "10.1.2.3", False),
        (NAMED, False, "::ffff:10.1.2.3", False),
        (NAMED, False, "10.2.2.3", True),
        (NAMED, False, "169.254.169.254", False),
        (NAMED, False, "fd00:ec2::254", False),
        (NAMED, False, "127.0.0.1", True),
    ],
)
def test_the_policy_refuses_what_it_does_not_open(
    policy: AddressPolicy, *, is_allowed_name: bool, text: str, is_refused: bool
) -> None:
    refusal = policy.refusal(ip_address(text), is_allowed_name=is_allowed_name)

    assert (refusal is not None) == is_refused
