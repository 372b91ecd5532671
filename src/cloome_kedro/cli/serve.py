"""``cloome serve``: a page for the browser that asks trained models."""

import socket
import threading
import webbrowser
from pathlib import Path
from typing import Any

import click

from cloome_kedro.cli.options import Variadic


class _Serve(Variadic):
    variadic = ("--index",)


@click.command(cls=_Serve)
@click.option("--index", "folders", multiple=True, type=click.Path(path_type=Path), metavar="DIR...", help="Indexes.")
@click.option("--env", "-e", default="local", show_default=True, help="Environment whose indexes are served.")
@click.option("--variant", help="Variant of the study.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the study.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: a free one.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Further name under which the page is reached.")
@click.option("--device", default="auto", show_default=True, help="Device that embeds, such as cpu.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
def command(
    *,
    folders: tuple[Path, ...],
    env: str,
    variant: str | None,
    seed: int,
    host: str,
    port: int,
    names: tuple[str, ...],
    device: str,
    no_browser: bool,
) -> None:
    """Serve a page on which models are asked with structures, wells and images.

    Without --index, all indexes of the study are served: one for each model and split. Only this machine reaches the
    page, unless --host says otherwise. There is no password.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise ImportError(
            f"the page needs {error.name}, which is not installed: pip install 'cloome-kedro[index,page]'"
        ) from error
    from cloome_kedro.page.app import create_app
    from cloome_kedro.page.security import is_loopback

    chosen = list(folders) or study_indexes(env, variant, seed)
    app = create_app(chosen, device, host, names)
    listener = listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    click.echo(f"{len(chosen)} {'index' if len(chosen) == 1 else 'indexes'}: {address} (Ctrl+C ends)")
    if not is_loopback(host):
        click.echo(
            f"warning: other machines reach {address}. There is no password: everyone in the network can see the "
            "screen and ask the models",
            err=True,
        )
    if not no_browser:
        threading.Timer(1, webbrowser.open, [address]).start()
    config: dict[str, Any] = {"log_level": "warning", "server_header": False, "h11_max_incomplete_event_size": 1 << 17}
    uvicorn.Server(uvicorn.Config(app, **config)).run(sockets=[listener])


def study_indexes(env: str, variant: str | None, seed: int) -> list[Path]:
    """Folders of all indexes of a study.

    Raises
    ------
    ValueError
        If none is built.
    """
    from cloome_kedro.cli.project import Project

    project = Project.find(env)
    places = [
        project.place(f"{split}.{model}.index", variant, seed)
        for split in project.globals["splits"]
        for model in project.globals["models"]
    ]
    built = [folder for folder in places if (folder / "index.json").is_file()]
    if not built:
        run = f"cloome run --pipelines index{'' if env == 'local' else f' --env {env}'}"
        raise ValueError(f"no index of this study is built, such as {places[0]}. Run `{run}` first, or give --index")
    return built


def listen(host: str, port: int) -> socket.socket:
    """Socket that listens on an address.

    Raises
    ------
    ValueError
        If the address is unknown, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise ValueError(f"cannot listen on {host}, port {port}: {error.strerror}. Give --host or --port") from error
    return listener
