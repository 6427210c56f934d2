"""Probe health URLs."""
