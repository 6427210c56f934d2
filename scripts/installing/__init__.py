"""The steps of `scripts/install`, one module for each external system."""
