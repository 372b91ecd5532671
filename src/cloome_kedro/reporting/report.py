"""The HTML report: one self-contained file, figures inside."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cloome_kedro.reporting.style import Look

_FIGURE = re.compile(r'src="figure:(\w+)"')


def render(template: str, look: Look, **values: Any) -> str:
    """Fill one of the package's templates.

    Every value is escaped, unless it is ``Markup``, and none may be missing. Figures are named only, by the macro
    ``picture``; :func:`embed` puts them in.
    """
    environment = Environment(
        loader=PackageLoader("cloome_kedro.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["level"] = lambda share: f"{100 * share:g} %"
    return environment.get_template(template).render(model=look.model, simulated=bool(look.note), **values)


def embed(html: str, figures: Mapping[str, str]) -> str:
    """Put figures into rendered HTML.

    Parameters
    ----------
    html
        From :func:`render`.
    figures
        Name of each figure -> data URI.

    Raises
    ------
    KeyError
        If a figure is missing.
    """
    return _FIGURE.sub(lambda found: f'src="{figures[found[1]]}"', html)


def render_section(split: str, parts: Mapping[str, str], look: Look) -> str:
    """One split's section of the report.

    Parameters
    ----------
    parts
        Heading -> its part as HTML, taken as it is.
    """
    return render("section.html.j2", look, split=split, parts={name: Markup(part) for name, part in parts.items()})


def render_report(sections: Mapping[str, str], data: str, look: Look, **values: Any) -> str:
    """The whole report.

    Parameters
    ----------
    sections
        Split -> its section as HTML, taken as it is.
    data
        The part about the data as HTML, taken as it is.
    values
        As ``templates/report.html.j2`` names them.
    """
    return render(
        "report.html.j2",
        look,
        sections={split: Markup(section) for split, section in sections.items()},
        data=Markup(data),
        version=version("cloome-kedro"),
        **values,
    )
