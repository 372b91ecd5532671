"""The HTML report: one file that contains its figures."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cloome_kedro.reporting import web_tables
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import counted

_FIGURE = re.compile(r'src="figure:(\w+)"')
_DOCUMENTATION = re.compile(r'<a class="docs" href="docs:([^"#]+)(#[^"]*)?">(.*?)</a>', re.S)
_PART = re.compile(r'<details class="part" id="([^"]+)" open>\s*<summary><h3>(.*?)</h3>')


def render(template: str, look: Look, **values: Any) -> str:
    """Fill a template of this package.

    Figures are not embedded yet. The macro ``picture`` writes their names, and :func:`embed` replaces the names.

    Parameters
    ----------
    template
        File name in ``templates/``.
    look
        First model, and note about the data.
    values
        Values of the template. They are escaped, unless they are ``Markup``.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    jinja2.UndefinedError
        If the template uses a value that is missing.
    """
    return environment().get_template(template).render(model=look.model, simulated=bool(look.note), **values)


def environment() -> Environment:
    """Environment of the templates, with their filters."""
    templates = Environment(
        loader=PackageLoader("cloome_kedro.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "level": lambda share: f"{100 * share:g} %",
        "counted": counted,
        "slug": web_tables.slug,
        "room": web_tables.room,
        "numbers": lambda table: [web_tables.numeric(table.iloc[:, i]) for i in range(table.shape[1])],
        "cell": web_tables.cell,
    }
    return templates


def embed(html: str, figures: Mapping[str, str]) -> str:
    """Replace the names of figures in rendered HTML by the figures.

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
    return _FIGURE.sub(lambda match: f'src="{figures[match[1]]}"', html)


def link_documentation(html: str, documentation: str) -> str:
    """Complete the links to the documentation.

    Parameters
    ----------
    html
        From :func:`render`.
    documentation
        Address of a page, in which ``{page}`` stands for its name, such as ``how-to/seeds``. Empty: only the texts of
        the links are left.

    Examples
    --------
    >>> html = '<a class="docs" href="docs:how-to/seeds#a">Seeds</a>'
    >>> link_documentation(html, "https://example.org/{page}/")
    '<a class="docs" href="https://example.org/how-to/seeds/#a">Seeds</a>'
    >>> link_documentation(html, "")
    'Seeds'
    """
    if not documentation:
        return _DOCUMENTATION.sub(r"\3", html)
    address = str(escape(documentation))

    def replace(match: re.Match) -> str:
        return f'<a class="docs" href="{address.replace("{page}", match[1])}{match[2] or ""}">{match[3]}</a>'

    return _DOCUMENTATION.sub(replace, html)


def render_section(split: str, parts: Mapping[str, str], look: Look) -> str:
    """Render one split's section of the report.

    Parameters
    ----------
    split
        Name of the split.
    parts
        Heading -> part as HTML, which is not escaped.
    look
        First model, and note about the data.
    """
    return render("section.html.j2", look, split=split, parts={name: Markup(part) for name, part in parts.items()})


def render_report(sections: Mapping[str, str], data: str, supplement: str, look: Look, **values: Any) -> str:
    """Render the whole report.

    Parameters
    ----------
    sections
        Split -> section as HTML, which is not escaped.
    data, supplement
        The parts about the data and with the supplementary tables as HTML, which is not escaped.
    look
        First model, and note about the data.
    values
        Other values of the template ``report.html.j2``.
    """
    return render(
        "report.html.j2",
        look,
        sections={split: Markup(section) for split, section in sections.items()},
        contents={
            split: [(i, Markup(name)) for i, name in _PART.findall(section)] for split, section in sections.items()
        },
        data=Markup(data),
        supplement=Markup(supplement),
        version=version("cloome-kedro"),
        **values,
    )
