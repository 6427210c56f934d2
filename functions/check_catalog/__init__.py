"""Check the catalog during the apply."""
