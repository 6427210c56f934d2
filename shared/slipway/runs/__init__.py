"""Handle the life of a run: receive, claim, lock, report, postpone."""
