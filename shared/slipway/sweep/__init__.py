"""Find runs that nothing works on any more, and end or restart them."""
