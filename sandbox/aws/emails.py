"""Keep the e-mails that SNS topics send, in memory.

`GET /_sandbox/emails` returns them as a JSON list, oldest first, each as
`{"to", "topic", "subject", "message", "at"}`.
"""

from dataclasses import asdict, dataclass

from localstack.http import Request, Response
from localstack.services.edge import ROUTER

PATH = "/_sandbox/emails"


@dataclass(frozen=True)
class Email:
    """One e-mail to one person.

    Attributes:
        to: The address.
        topic: The ARN of the topic that sent it.
        subject: As SNS would write it.
        message: The text, without the footer that SNS adds.
        at: The time, ISO 8601 in UTC.
    """

    to: str
    topic: str
    subject: str
    message: str
    at: str


_emails: list[Email] = []


def keep(email: Email) -> None:
    """Add an e-mail to the list."""
    _emails.append(email)


def _answer(_request: Request) -> Response:
    return Response.for_json([asdict(email) for email in _emails])


def install() -> None:
    """Serve the e-mails."""
    ROUTER.add(PATH, _answer, methods=["GET"])
