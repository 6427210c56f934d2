"""Carries out *Example Action*."""
