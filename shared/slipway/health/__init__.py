"""Check the health of services and repair them."""
