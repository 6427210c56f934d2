"""Work with the services repository on GitHub."""
