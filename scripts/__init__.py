"""The repository's command line tools: one module per command."""
