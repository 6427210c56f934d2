"""Slipway's Lambda functions, one folder for each."""
