"""Read changes of entities."""
