"""One embedding space for Cell Painting images and chemical structures: CLOOME as a Kedro project."""

__version__ = "0.1.0"
