"""Starts the cluster: `python -m sandbox.cluster --port 3300 --state-dir DIR …`."""

import logging
import threading
from pathlib import Path
from typing import Annotated

import httpx
import typer
import uvicorn

from sandbox.cluster.app import create_app
from sandbox.cluster.cluster import Cluster
from sandbox.cluster.port import Reporter
from sandbox.cluster.repository import Mirror
from sandbox.guard import Guard, Guarded, take_token

HOST = "127.0.0.1"


def main(  # noqa: PLR0913, PLR0917 - one parameter for each option
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1.", min=1, max=65535)] = 3300,
    state_dir: Annotated[Path, typer.Option(help="Where the mirror is kept.")] = Path("cluster"),
    github_url: Annotated[
        str, typer.Option(help="GitHub's API, as http://127.0.0.1:3200/api/v3.")
    ] = "http://127.0.0.1:3200/api/v3",
    github_token: Annotated[str, typer.Option(envvar="GITHUB_TOKEN", help="May read it.")] = "",
    repo: Annotated[str, typer.Option(help="owner/name.")] = "acme/services",
    branch: Annotated[str, typer.Option(help="The branch to follow.")] = "main",
    port_url: Annotated[str, typer.Option(help="Port's API.")] = "http://127.0.0.1:3100",
    client_id: Annotated[str, typer.Option(envvar="PORT_CLIENT_ID")] = "",
    client_secret: Annotated[str, typer.Option(envvar="PORT_CLIENT_SECRET")] = "",
    startup_seconds: Annotated[float, typer.Option(help="How long a service starts up.")] = 2.0,
    poll_seconds: Annotated[float, typer.Option(help="Between two looks at the branch.")] = 1.0,
) -> None:
    """Run the services of a repository on 127.0.0.1, as far as their health URLs show it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name, value in {
        "--github-token (GITHUB_TOKEN)": github_token,
        "--client-id (PORT_CLIENT_ID)": client_id,
        "--client-secret (PORT_CLIENT_SECRET)": client_secret,
    }.items():
        if not value:
            raise typer.BadParameter(f"{name} is missing")
    guard = Guard(port, take_token(), pages=r"/services(/[^/]+/health)?$")
    web = github_url.removesuffix("/").removesuffix("/api/v3")
    state_dir.mkdir(parents=True, exist_ok=True)
    mirror = Mirror(state_dir.resolve() / "mirror.git", f"{web}/{repo}", github_token, branch)
    stop = threading.Event()
    with httpx.Client(base_url=port_url, timeout=10) as client:
        cluster = Cluster(mirror, Reporter(client, client_id, client_secret), startup_seconds)
        follower = threading.Thread(target=cluster.follow, args=(stop, poll_seconds))
        follower.start()
        try:
            uvicorn.run(
                Guarded(create_app(cluster), guard),
                host=HOST,
                port=port,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        finally:
            stop.set()
            follower.join()
            mirror.close()


if __name__ == "__main__":
    typer.run(main)
