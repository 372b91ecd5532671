"""Save figures as PNG, and as the SVG or WebP that the HTML report embeds."""

import base64
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview

from cloome_kedro.atomic import replace_file

_MIME = {".svg": "image/svg+xml", ".webp": "image/webp"}


class FigureDataset(AbstractDataset):
    """A matplotlib figure as PNG, and also as SVG, or as WebP if it shows images.

    kedro-viz shows the PNG. Loading returns the SVG or WebP as a data URI, which the report embeds. The same figure
    always gives the same bytes.

    Parameters
    ----------
    filepath
        The PNG file. The other files have the same name with another suffix.
    dpi
        Pixels per inch of the PNG.
    pdf
        Whether a PDF is also written.
    """

    def __init__(self, *, filepath: str, dpi: int = 130, pdf: bool = False, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._dpi, self._pdf = dpi, pdf
        self.metadata = metadata

    def save(self, data: Any) -> None:
        from cloome_kedro.reporting.images import encode

        shows_images = any(axes.images for axes in data.axes)
        formats = {".webp" if shows_images else ".svg": None, ".png": self._dpi}
        if self._pdf:
            formats = {".pdf": None, **formats}
        # An earlier run may have written the other format, SVG or WebP. Loading would return this outdated file.
        for suffix in set(_MIME) - set(formats):
            self._filepath.with_suffix(suffix).unlink(missing_ok=True)
        for suffix, dpi in formats.items():
            with replace_file(self._filepath.with_suffix(suffix)) as part:
                part.write_bytes(encode(data, suffix.removeprefix("."), dpi))

    def load(self) -> str:
        for suffix, mime in _MIME.items():
            if (path := self._filepath.with_suffix(suffix)).exists():
                content = path.read_bytes()
                is_whole = content.rstrip().endswith(b"</svg>")
                if suffix == ".webp":  # the header gives the number of bytes after the first eight
                    is_whole = len(content) == 8 + int.from_bytes(content[4:8], "little")
                if not is_whole:
                    raise DatasetError(f"{path} is damaged: run the pipeline that draws this figure again")
                return f"data:{mime};base64,{base64.b64encode(content).decode()}"
        raise FileNotFoundError(
            f"there is no {self._filepath.with_suffix('.svg')} or .webp: run the pipeline that draws this figure"
        )

    def places(self) -> list[Path]:
        """All files of the figure."""
        return [self._filepath.with_suffix(suffix) for suffix in (".png", ".pdf", *_MIME)]

    def preview(self) -> ImagePreview:
        """The PNG in base64, for kedro-viz."""
        return ImagePreview(base64.b64encode(self._filepath.read_bytes()).decode())

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
