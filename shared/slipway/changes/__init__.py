"""A change of a resource: planned, previewed, proposed as a pull request, merged."""
