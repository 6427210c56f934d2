"""Carries out *Delete Service*: a pull request that removes the service's folder."""
