"""The HTML report: one self-contained file, figures inside."""

import base64
import io
from importlib.metadata import version
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure


def data_uri(figure: Figure, pixels_per_inch: int = 130, photographic: bool = False) -> str:
    """Figure as a data URI: SVG for curves and bars, WebP for pictures. The same figure gives the same bytes."""
    buffer = io.BytesIO()
    if photographic:
        kind = "image/webp"
        figure.savefig(buffer, format="webp", dpi=pixels_per_inch, pil_kwargs={"quality": 82})
    else:
        kind = "image/svg+xml"
        with matplotlib.rc_context({"svg.hashsalt": "cloome"}):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def render(template: str, **values: Any) -> str:
    """Fill one of the package's templates; every value is escaped unless it is ``Markup``, and none may be missing."""
    environment = Environment(
        loader=PackageLoader("cloome_kedro.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(data_uri=data_uri)
    environment.filters["level"] = lambda share: f"{100 * share:g} %"
    return environment.get_template(template).render(**values)


def render_section(split: str, parts: dict[str, str]) -> str:
    """One split's section of the report.

    Parameters
    ----------
    parts : heading -> its part as HTML from :func:`render`, taken as it is
    """
    return render("section.html.j2", split=split, parts={name: Markup(part) for name, part in parts.items()})


def render_report(sections: dict[str, str], supplement: str, figure_1: str, **values: Any) -> str:
    """The whole report.

    Parameters
    ----------
    sections : split -> its part from :func:`render_section`, taken as it is
    supplement, figure_1 : the section of the supplementary tables and the figure as HTML, taken as they are
    values : as ``templates/report.html.j2`` names them
    """
    return render(
        "report.html.j2",
        sections={split: Markup(section) for split, section in sections.items()},
        supplement=Markup(supplement),
        figure_1=Markup(figure_1),
        version=version("cloome-kedro"),
        **values,
    )
