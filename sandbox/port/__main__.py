"""Start the server: `python -m sandbox.port --help`."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from sandbox.guard import Guard, Guarded, take_token
from sandbox.port.app import create_app
from sandbox.port.kafka import KafkaPublisher
from sandbox.port.settings import Settings

_SECRET_VARIABLES = (
    "PORT_CLIENT_SECRET", "PORT_CLIENTS", "PORT_USER_SECRET", "SANDBOX_KAFKA_PASSWORD",
    "GITHUB_TOKEN",
)  # fmt: skip
_HOST = "127.0.0.1"
# The documented secret of everybody on a server that only this machine reaches.
_EASY = "sandbox"


def serve(  # noqa: PLR0913  each is an option of the command line
    *,
    state_dir: Annotated[Path, typer.Option(help="Folder of the SQLite file.")],
    kafka: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="HOST:PORT")],
    client_id: Annotated[str, typer.Option(envvar="PORT_CLIENT_ID")],
    client_secret: Annotated[str, typer.Option(envvar="PORT_CLIENT_SECRET")],
    port: int = 3100,
    org_id: Annotated[str, typer.Option(envvar="PORT_ORG_ID")] = "org_sandbox",
    client: Annotated[
        list[str] | None,
        typer.Option(envvar="PORT_CLIENTS", help="Further credentials, as ID:SECRET."),
    ] = None,
    user_secret: Annotated[str, typer.Option(envvar="PORT_USER_SECRET")] = _EASY,
    kafka_username: Annotated[str | None, typer.Option(envvar="SANDBOX_KAFKA_USERNAME")] = None,
    kafka_password: Annotated[str, typer.Option(envvar="SANDBOX_KAFKA_PASSWORD")] = _EASY,
    app_url: str | None = None,
    sign_messages: Annotated[bool, typer.Option("--sign-messages")] = False,
    change_log: Annotated[
        bool, typer.Option("--change-log", help="Publish ORG_ID.change.log, as Port once did.")
    ] = False,
    run_exhausted: Annotated[str, typer.Option(help="strict or lax")] = "strict",
    token_lifetime: Annotated[int, typer.Option(help="Seconds.")] = 10_800,
) -> None:
    """Serve Port's API on 127.0.0.1 until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # jq programs can read the environment, and so could every author of a template.
    for name in _SECRET_VARIABLES:
        os.environ.pop(name, None)
    token = take_token()
    if run_exhausted not in ("strict", "lax"):
        raise typer.BadParameter("--run-exhausted must be strict or lax")
    try:
        settings = Settings(
            state_dir=state_dir,
            client_id=client_id,
            client_secret=client_secret,
            org_id=org_id,
            extra_clients=dict(_pair(text) for text in client or []),
            user_secret=user_secret,
            app_url=app_url or f"http://{_HOST}:{port}",
            kafka_brokers=tuple(kafka.split(",")),
            kafka_username=kafka_username or org_id,
            kafka_password=kafka_password,
            sign_messages=sign_messages,
            change_log=change_log,
            run_exhausted="lax" if run_exhausted == "lax" else "strict",
            token_lifetime=token_lifetime,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    # uvicorn shuts down in good order and then raises the signal again: that is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    topics = (settings.runs_topic, *([settings.change_log_topic] if change_log else []))
    publisher = KafkaPublisher(kafka, topics)
    app = create_app(settings, publisher)
    guarded = Guarded(app, Guard(port, token, pages=r"/(?!v1/|_sandbox/)"))
    server = uvicorn.Server(
        uvicorn.Config(guarded, _HOST, port, access_log=False, timeout_graceful_shutdown=5)
    )
    app.state.is_stopping = lambda: server.should_exit
    server.run()


def _pair(text: str) -> tuple[str, str]:
    name, _, secret = text.partition(":")
    if not name or not secret:
        raise typer.BadParameter("--client must be ID:SECRET")
    return name, secret


if __name__ == "__main__":
    typer.run(serve)
