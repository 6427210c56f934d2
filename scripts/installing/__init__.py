"""The steps of `scripts/install`: one module for each system that it asks."""
