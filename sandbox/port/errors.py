"""The errors of Port's API: an HTTP status, a code for programs and a message for people."""


class PortApiError(Exception):
    """What a request is refused with.

    Args:
        status: HTTP status.
        code: Port's error code, as `identifier_taken`.
        message: a sentence for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, object]:
        """Return the answer's JSON."""
        return {"ok": False, "error": self.code, "message": self.message}


def not_found(kind: str, identifier: str) -> PortApiError:
    """404: the object does not exist."""
    return PortApiError(404, "not_found", f'{kind} with identifier "{identifier}" was not found')


def taken(kind: str, identifier: str) -> PortApiError:
    """409: the identifier is in use."""
    text = f'{kind} with identifier "{identifier}" already exists'
    return PortApiError(409, "identifier_taken", text)


def invalid(message: str, code: str = "invalid_request") -> PortApiError:
    """422: the request is understood and wrong."""
    return PortApiError(422, code, message)


def forbidden(message: str, code: str = "missing_permissions") -> PortApiError:
    """403: the caller may not, or the catalogue does not allow it."""
    return PortApiError(403, code, message)
