"""Shared by the attacks: an AWS account by moto, and the sandbox's GitHub."""

from tests.contract.github.conftest import server, services
from tests.unit.conftest import aws

__all__ = ["aws", "server", "services"]
