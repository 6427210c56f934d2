"""Follows the change log."""
