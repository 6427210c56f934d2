"""The services repository on GitHub, as an object."""
