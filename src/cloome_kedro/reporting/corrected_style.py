"""Corrected methods have the colour of the method that they correct, and a marker, a line and a hatch of their own."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from cloome_kedro.evaluation.corrected_methods import corrected_name
from cloome_kedro.evaluation.corrections import CORRECTIONS


class Variant(NamedTuple):
    """How a method is drawn in its colour.

    Attributes
    ----------
    uncorrected
        Name of the method that it corrects. Empty: it is not corrected.
    place
        Place behind the method that it corrects.
    marker, line, hatch
        Marker, style of curves, and hatch of bars, as matplotlib names them. The marker of a method that is not
        corrected is not known here.
    """

    uncorrected: str = ""
    place: int = 0
    marker: Any = ""
    line: Any = "-"
    hatch: str = ""


#: marker, style of curves and hatch of each correction, in the order of the registry; further ones repeat the last.
#: Stars with three and four points are not among the markers of methods.
_STYLES: tuple[tuple[Any, Any, str], ...] = (
    (">", (0, (6, 1)), "///"),
    ((4, 1, 0), (0, (3, 1, 1, 1)), "..."),
    ((3, 1, 0), (0, (1, 1)), "xxx"),
    ((8, 1, 0), (0, (3, 1, 1, 1, 1, 1)), "\\\\\\"),
)


def variants(methods: Iterable[str]) -> dict[str, Variant]:
    """Variants of all methods that registered corrections make of ``methods``, by their names in tables.

    A method that is in ``methods`` is no variant, even if it is named like a corrected one.

    >>> variants(["CLOOME"])["CLOOME, sphered"][:2]
    ('CLOOME', 2)
    """
    methods = list(methods)
    labels = [CORRECTIONS[name].label for name in CORRECTIONS]
    made = {
        corrected_name(method, label): Variant(method, place, *_STYLES[min(place, len(_STYLES)) - 1])
        for method in methods
        for place, label in enumerate(labels, start=1)
    }
    return {name: variant for name, variant in made.items() if name not in methods}
