"""Checks the catalog inside the apply."""
