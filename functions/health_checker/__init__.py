"""Reads changes of entities."""
