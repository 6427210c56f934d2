"""Run one action of the catalog; each action has its own function."""
