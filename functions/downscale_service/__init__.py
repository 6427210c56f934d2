"""Carries out *Downscale Service*: a pull request for fewer replicas."""
