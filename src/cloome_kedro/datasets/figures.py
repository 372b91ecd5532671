"""Figures of the catalog: an image for people, and what the HTML report embeds."""

import base64
import io
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview

from cloome_kedro.atomic import replace_file

_MIME = {".svg": "image/svg+xml", ".webp": "image/webp"}


class FigureDataset(AbstractDataset):
    """A matplotlib figure as PNG, and beside it as SVG, or as WebP if it shows photographs.

    kedro-viz previews the PNG. Loading gives the other file as a data URI, which the report embeds. The same figure
    gives the same bytes.

    Parameters
    ----------
    filepath
        The PNG.
    dpi
        Pixels per inch of the PNG.
    pdf
        Whether a PDF is written, too.
    """

    def __init__(self, *, filepath: str, dpi: int = 130, pdf: bool = False, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._dpi, self._pdf = dpi, pdf
        self.metadata = metadata

    def save(self, data: Any) -> None:
        from cloome_kedro.reporting.images import encode

        photographic = any(axes.images for axes in data.axes)
        formats = {".webp" if photographic else ".svg": None, ".png": self._dpi}
        if self._pdf:
            formats = {".pdf": None, **formats}
        for suffix in set(_MIME) - set(formats):  # of an earlier run, of another kind
            self._filepath.with_suffix(suffix).unlink(missing_ok=True)
        for suffix, dpi in formats.items():
            with replace_file(self._filepath.with_suffix(suffix)) as part:
                part.write_bytes(encode(data, suffix.removeprefix("."), dpi))

    def load(self) -> str:
        for suffix, mime in _MIME.items():
            if (path := self._filepath.with_suffix(suffix)).exists():
                return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
        raise FileNotFoundError(f"there is no {self._filepath.with_suffix('.svg')}: run the pipeline reporting")

    def preview(self) -> ImagePreview:
        """The PNG in base64, as kedro-viz takes it."""
        return ImagePreview(base64.b64encode(io.FileIO(self._filepath).readall()).decode())

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
