"""One embedding space for Cell Painting images and chemical structures: CLOOME as a Kedro project."""

__version__ = "0.1.0"


def __getattr__(name: str):
    """Give `Cloome`, imported when it is first asked for: importing the package itself imports nothing."""
    if name == "Cloome":
        from cloome_kedro.inference import Cloome

        return Cloome
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
