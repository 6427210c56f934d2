"""Asks health URLs."""
