"""Define the settings of approvals."""

from slipway.config import ApprovalsConfig
from slipway.runs.consumer import ConsumerConfig


class ApprovalConfig(ConsumerConfig, ApprovalsConfig):
    """Settings of the approval function."""
