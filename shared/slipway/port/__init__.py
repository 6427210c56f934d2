"""Port: its messages, their signature and secret inputs, and its API."""
