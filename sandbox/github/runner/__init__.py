"""Runs the workflow files of a repository, and refuses by name what it cannot run."""
