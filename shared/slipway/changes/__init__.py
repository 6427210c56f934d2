"""Plan a change of a resource, preview it, propose it, and merge it."""
