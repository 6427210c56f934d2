"""GitHub's REST API over real bare git repositories, and a runner for its workflow files."""
