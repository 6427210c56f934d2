"""Run the steps that check and repair an unhealthy service."""
