"""Report merged or closed pull requests to Port, on verified requests."""
