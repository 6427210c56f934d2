"""Slipway's Lambda layer: everything that its functions share."""
