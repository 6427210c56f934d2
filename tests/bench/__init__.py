"""Measures Slipway: counts of requests, ratios of times, sizes. `make bench` plays it."""
