"""Probe a service, and a canary address if the service is not reached.

When the prober's own network, its resolver or its NAT gateway fails, every service looks unhealthy.
An address that is known to answer distinguishes the two cases.
"""

import ssl

from slipway.health.addresses import ProbeLimits
from slipway.health.finding import (
    OWN_NETWORK,
    Expectation,
    Failed,
    FailureKind,
    Finding,
    ProbeResult,
    evaluate,
)
from slipway.health.probe import Resolver, probe, resolve_name
from slipway.urls import MAX_URL

# Failures that the prober's own network can cause. Any answer shows that the network works.
_UNREACHED = frozenset({FailureKind.DNS, FailureKind.CONNECT, FailureKind.TLS, FailureKind.TIMEOUT})


def look_at(
    url: object,
    expectation: Expectation,
    limits: ProbeLimits,
    *,
    resolve: Resolver = resolve_name,
    tls: ssl.SSLContext | None = None,
) -> Finding:
    """Probe a health URL, then the canary address if the host is unreachable.

    Args:
        url: from the catalogue: any value.
        expectation: what the service answers when it is healthy.
        limits: what may be reached, and the canary address.
        resolve: looks names up.
        tls: how to check certificates; None: by the system's authorities.
    """
    finding = _look_at(url, expectation, limits, resolve, tls)
    return finding.model_copy(update={"url": url[:MAX_URL] if isinstance(url, str) else None})


def _look_at(
    url: object,
    expectation: Expectation,
    limits: ProbeLimits,
    resolve: Resolver,
    tls: ssl.SSLContext | None,
) -> Finding:
    result = probe(url, limits, resolve=resolve, tls=tls)
    if limits.canary_url and _unreached(result):
        canary = probe(limits.canary_url, limits, resolve=resolve, tls=tls)
        # A canary that may not be probed shows nothing, so it must not permit repairs.
        if _unreached(canary) or _refused(canary):
            return Finding(
                state="unknown",
                kind=OWN_NETWORK,
                sentence="Neither the health URL nor the canary address was reached, so the fault "
                "is in the network of Slipway's probe. Set the health status to Progressing to "
                "check the service again.",
            )
    return evaluate(result, expectation)


def _unreached(result: ProbeResult) -> bool:
    return isinstance(result, Failed) and result.kind in _UNREACHED


def _refused(result: ProbeResult) -> bool:
    return isinstance(result, Failed) and result.kind is FailureKind.REFUSED_URL
