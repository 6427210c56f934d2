"""The HTTP routes: each reads a request, calls one function and wraps its result."""
