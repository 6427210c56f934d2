"""What Port is told of a pull request that was merged or closed, and on whose request."""
