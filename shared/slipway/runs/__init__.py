"""The life of a run: received, claimed, locked, reported, delivered later."""
