"""Looks after runs that nobody works on any more."""
