"""Requests as API Gateway passes them to a function."""

from typing import Any


def proxy_event(
    method: str, path: str, body: str | None, caller: Any, request_id: str = "request-1"
) -> dict[str, Any]:
    """Make the event of a proxy integration; `caller` is the ARN that signed the request.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    return {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {
            "stage": "live",
            "requestId": request_id,
            "identity": {"userArn": caller},
        },
    }
