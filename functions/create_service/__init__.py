"""Carries out *Create New Service*: one pull request and one pending entity."""
