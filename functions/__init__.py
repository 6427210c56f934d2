"""Slipway's Lambda functions: one folder for each, named after what it does."""
