from ipaddress import ip_address, ip_network

import pytest
from pydantic import ValidationError
from slipway.health.addresses import ProbeLimits, forbidden, unwrap

PUBLIC = [
    "8.8.8.8",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
NOT_PUBLIC = [
    ("127.0.0.1", "loopback"),
    ("127.8.9.10", "loopback"),
    ("::1", "loopback"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "private"),
    ("198.18.0.1", "private"),
    ("192.0.2.1", "private"),
    ("240.0.0.1", "private"),
    ("255.255.255.255", "private"),
    ("0.0.0.0", "private"),
    ("::", "private"),
    ("fc00::1", "private"),
    ("fec0::1", "outside"),
    ("5f00::1", "outside"),
    ("64:ff9b:1::808:808", "private"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::10.0.0.1", "private"),
    ("::ffff:0:10.0.0.1", "private"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("2002:7f00:1::", "loopback"),
    ("2001:0:0:0:0:0:80ff:fffe", "loopback"),
    ("not-an-address", "not an IP address"),
    ("", "not an IP address"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_allowed_without_networks(address: str) -> None:
    assert forbidden([address], ProbeLimits()) == ""


@pytest.mark.parametrize(("address", "why"), NOT_PUBLIC)
def test_non_public_address_is_refused_with_the_reason(address: str, why: str) -> None:
    assert why in forbidden([address], ProbeLimits())


def test_addresses_are_refused_when_any_of_them_is_not_public() -> None:
    assert forbidden(["8.8.8.8", "10.0.0.1"], ProbeLimits())


def test_address_outside_the_allowed_networks_is_refused() -> None:
    limits = ProbeLimits(allowed_cidrs=(ip_network("10.1.0.0/16"),))

    assert forbidden(["10.1.2.3"], limits) == ""
    assert forbidden(["::ffff:10.1.2.3"], limits) == ""
    assert "private" in forbidden(["10.2.0.1"], limits)
    assert "outside of the allowed" in forbidden(["8.8.8.8"], limits)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "0.0.0.0",
        "224.1.1.1",
    ],
)
def test_metadata_addresses_stay_refused_when_all_are_allowed(address: str) -> None:
    limits = ProbeLimits(allowed_cidrs=(ip_network("0.0.0.0/0"), ip_network("::/0")))

    assert forbidden([address], limits)


def test_teredo_address_is_unwrapped_to_its_client() -> None:
    assert unwrap(ip_address("2001:0:0:0:0:0:80ff:fffe")) == ip_address("127.0.0.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"allowed_cidrs": ["10.0.0.1/8"]},
        {"allowed_ports": []},
        {"allowed_ports": [0]},
        {"allowed_ports": [65536]},
        {"deadline_seconds": 0},
        {"deadline_seconds": 60},
        {"max_body_bytes": 10**9},
        {"retries": 3},
    ],
)
def test_probe_limits_refuse_ineffective_values(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProbeLimits.model_validate(wrong)
