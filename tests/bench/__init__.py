"""Measure Slipway: numbers of requests, ratios of times, sizes. Run it with `make bench`."""
