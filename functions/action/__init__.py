"""Carries out the runs of one action of the catalog; each action has a function of its own."""
