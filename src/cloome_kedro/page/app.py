"""The application: a JSON interface to indexes, and the files of the page."""

import logging
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from cloome_kedro.imaging.channels import channel_of_file
from cloome_kedro.page import answers, drawings, uploads
from cloome_kedro.page.details import details, summary
from cloome_kedro.page.library import Library
from cloome_kedro.page.limits import LARGEST_REQUEST, MOST_HITS
from cloome_kedro.page.models import (
    Answered,
    IndexDetails,
    IndexSummary,
    Name,
    Plate,
    Problem,
    Question,
    Smiles,
    SpaceMap,
    UploadSelection,
)
from cloome_kedro.page.plates import plate_map
from cloome_kedro.page.security import Guard, allowed_hosts, is_loopback

logger = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "static"
_PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 413, 422)}


def create_app(
    folders: Sequence[Path],
    device: str = "auto",
    host: str = "127.0.0.1",
    names: Iterable[str] = (),
    largest_request: int = LARGEST_REQUEST,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    folders
        Folders of the indexes.
    device
        Device that embeds.
    host
        Address on which the server listens. It decides which hosts are answered.
    names
        Further names of the host that are answered.
    largest_request
        Bytes of the largest request.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no index, or one cannot be opened; see `Index.open`.
    """
    library = Library(folders, device)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=[library], daemon=True).start()
        yield

    app = FastAPI(
        title="Ask the model", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", lifespan=lifespan
    )
    app.add_middleware(
        Guard, hosts=allowed_hosts(host, names), any_address=not is_loopback(host), largest=largest_request
    )
    _add_errors(app)
    _add_indexes(app, library)
    _add_questions(app, library)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for path, file in (("/", "index.html"), ("/editor", "editor.html")):
        app.add_api_route(path, _page(file), include_in_schema=False, methods=["GET"])
    return app


def _warm(library: Library) -> None:
    """Load the first index while the browser opens. A failure is told by the first question."""
    shelf = next(iter(library.shelves.values()))
    try:
        shelf.warm()
    except Exception as error:
        logger.warning("%s cannot be loaded ahead: %s", shelf.index.folder, error)


def _page(file: str) -> Any:
    async def page() -> FileResponse:
        return FileResponse(_STATIC / file)

    return page


def _add_indexes(app: FastAPI, library: Library) -> None:
    """Routes about indexes and their content."""

    @app.get("/api/indexes", responses=_PROBLEMS)
    def list_indexes() -> list[IndexSummary]:
        return [summary(name, shelf.index.info) for name, shelf in library.shelves.items()]

    @app.get("/api/indexes/{name}", responses=_PROBLEMS)
    def describe_index(name: Name) -> IndexDetails:
        return details(name, library[name])

    @app.get("/api/indexes/{name}/plate", responses=_PROBLEMS)
    def read_plate(name: Name, plate: Name) -> Plate:
        return plate_map(library[name], plate)

    @app.get("/api/indexes/{name}/map", responses=_PROBLEMS)
    def read_map(name: Name) -> SpaceMap:
        shelf = library[name]
        with shelf.lock:
            return shelf.map

    @app.get("/api/indexes/{name}/thumbnails", response_class=Response, responses=_PROBLEMS)
    def read_thumbnails(
        name: Name, field: Annotated[list[Name], Query(min_length=1, max_length=MOST_HITS)]
    ) -> Response:
        """Thumbnails as bytes: fields, channels, rows, columns, one byte per pixel."""
        images = library[name].index.thumbnails(field)
        sizes = {"X-Shape": ",".join(map(str, images.shape))}
        return Response(np.ascontiguousarray(images).tobytes(), media_type="application/octet-stream", headers=sizes)

    @app.get("/api/drawing.svg", response_class=Response, responses=_PROBLEMS)
    def draw_structure(smiles: Smiles) -> Response:
        headers = {"Cache-Control": "max-age=86400"}
        return Response(drawings.draw(smiles), media_type="image/svg+xml", headers=headers)

    @app.get("/api/channels", responses=_PROBLEMS)
    def guess_channels(file: Annotated[list[Name], Query(max_length=50)]) -> list[str | None]:
        """Channels that names of files say."""
        return [channel_of_file(each) for each in file]


def _add_questions(app: FastAPI, library: Library) -> None:
    """Routes that answer questions."""

    @app.get("/api/indexes/{name}/answer", responses=_PROBLEMS)
    def ask(name: Name, question: Annotated[Question, Query()]) -> Answered:
        return answers.ask(library[name], question)

    @app.post("/api/indexes/{name}/answer", responses=_PROBLEMS)
    async def ask_images(name: Name, request: Request, selection: Annotated[UploadSelection, Query()]) -> Answered:
        shelf = library[name]
        files = await uploads.read_form(request.headers, request.stream())

        def answer() -> Answered:
            text = next(iter(files.values()))[0]
            return answers.ask_images(shelf, uploads.decode(files), text, selection)

        return await run_in_threadpool(answer)


def _add_errors(app: FastAPI) -> None:
    """Errors as one sentence."""

    @app.exception_handler(KeyError)
    async def unknown(request: Request, error: KeyError) -> JSONResponse:
        return _problem(404, str(error.args[0]) if error.args else "not found")

    @app.exception_handler(ValueError)
    async def mistake(request: Request, error: ValueError) -> JSONResponse:
        return _problem(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
        return _problem(422, f"{place}: {first['msg']}" if place else first["msg"], place)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, f"{request.url.path[:100]}: {error.detail}")

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s failed", request.url.path, exc_info=error)
        return _problem(500, "the server has failed; its log says why")


def _problem(status: int, text: str, about: str = "question") -> JSONResponse:
    sentence = " ".join(text.split())
    return JSONResponse({"detail": sentence[:600], "about": about}, status)
