"""CLOOME as a Kedro project: one embedding space for Cell Painting images and chemical structures."""

__version__ = "0.1.0"


def __getattr__(name: str):
    """Import `Cloome` when it is first used, so that importing the package loads no other library."""
    if name == "Cloome":
        from cloome_kedro.inference import Cloome

        return Cloome
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
