"""Start the server: `python -m sandbox.github --port 3200 --state-dir DIR`."""

import logging
import subprocess
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from sandbox.github import urls
from sandbox.github.app import create_app
from sandbox.github.routes import app_manifests
from sandbox.github.seed import seed
from sandbox.github.server import Server
from sandbox.guard import Guard, Guarded, take_token

HOST = "127.0.0.1"
# The first version with `git merge-tree --write-tree`.
MINIMAL_GIT = (2, 38)


def main(
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1.", min=1, max=65535)] = 3200,
    state_dir: Annotated[Path, typer.Option(help="Database and repositories.")] = Path("github"),
    token: Annotated[
        str, typer.Option(envvar="GITHUB_TOKEN", help="A token that may do everything.")
    ] = "",
    seed_repo: Annotated[
        list[str] | None,
        typer.Option(help="owner/name=FOLDER: create this repository from a folder's files."),
    ] = None,
) -> None:
    """Serve GitHub's REST API, git over HTTP and Actions on 127.0.0.1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    own_token = take_token()
    _check_git()
    if not token:
        raise typer.BadParameter("give --token or set GITHUB_TOKEN")
    repositories = {}
    for item in seed_repo or []:
        name, equals, folder = item.partition("=")
        if not equals or name.count("/") != 1:
            raise typer.BadParameter(f"--seed-repo must be owner/name=FOLDER, not {item!r}")
        repositories[name] = Path(folder)
    base_url = f"http://{HOST}:{port}"
    urls.use(base_url)
    server = Server(state_dir.resolve(), base_url)
    seed(server, token, repositories)
    guard = Guard(port, own_token, pages=r"/(?!api/|_sandbox/)", forms=app_manifests.FORMS)
    uvicorn.run(
        Guarded(create_app(server), guard),
        host=HOST,
        port=port,
        log_level="warning",
        server_header=False,
        # After uvicorn's 5 s, a client on a busy machine may send into a connection that closes.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )


def _check_git() -> None:
    try:
        out = subprocess.run(["git", "version"], capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise typer.BadParameter("git was not found; the sandbox needs it") from None
    version = tuple(int(part) for part in out.split()[2].split(".")[:2])
    if version < MINIMAL_GIT:
        wanted = ".".join(str(part) for part in MINIMAL_GIT)
        raise typer.BadParameter(f"the sandbox needs git {wanted} or newer, not {out.strip()}")


if __name__ == "__main__":
    typer.run(main)
