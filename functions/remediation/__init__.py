"""Takes the steps that look after a service that is ill."""
