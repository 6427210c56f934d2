"""The routes, one module per chapter of GitHub's REST documentation."""
