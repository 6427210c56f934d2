"""Refuse requests with GitHub's bodies and status codes.

https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """A refusal, raised anywhere below a route.

    Args:
        status: HTTP status.
        message: GitHub's `message`.
        errors: GitHub's `errors`: objects, or sentences.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return {**body, "documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found() -> ApiError:
    """Return the refusal for an object that is missing or hidden from the caller."""
    return ApiError(404, "Not Found")


def validation_failed(resource: str, field: str, code: str, message: str = "") -> ApiError:
    """Return the error of a field that breaks a rule.

    `code` is one of GitHub's (`missing`, `invalid`, `custom`…).
    """
    error = {"resource": resource, "field": field, "code": code}
    if message:
        error["message"] = message
    return ApiError(422, "Validation Failed", [error])


def custom_failure(resource: str, message: str) -> ApiError:
    """Return the refusal for a rule without a code of its own."""
    return ApiError(
        422, "Validation Failed", [{"resource": resource, "code": "custom", "message": message}]
    )
