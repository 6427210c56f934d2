"""Asks for approval and takes decisions: steps of a state machine, a Port action, an API, links."""
