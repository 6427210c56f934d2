"""Checks of `scripts/doctor`, one module for each external system."""
