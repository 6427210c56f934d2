"""Clean up runs that no execution works on any more."""
