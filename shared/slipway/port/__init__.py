"""Work with Port: messages, signatures, secret inputs, and the API."""
