"""Carries out *Upscale Service*: a pull request for more replicas."""
