"""What the attacks share: an AWS account by moto."""

from tests.unit.conftest import aws

__all__ = ["aws"]
