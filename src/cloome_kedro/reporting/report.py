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
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return environment.get_template(template).render(**values)


def render_section(split: str, **values: Any) -> str:
    """One split's part of the report; ``values`` as ``templates/section.html.j2`` names them."""
    return render("section.html.j2", split=split, **values)


def render_report(sections: dict[str, str], **values: Any) -> str:
    """The whole report.

    Parameters
    ----------
    sections : split -> its part from :func:`render_section`, taken as it is
    values : as ``templates/report.html.j2`` names them
    """
    return render(
        "report.html.j2",
        sections={split: Markup(section) for split, section in sections.items()},
        version=version("cloome-kedro"),
        **values,
    )
