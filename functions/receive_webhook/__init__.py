"""The function behind `POST /port/webhook`."""
