"""The supplementary tables and audits in a shape that fits a screen. Their files keep the printed shape."""

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.style import corruption_label

_PUBLISHED, _OVER_DRAWS = "Published ", ", over draws"
#: values of the column that says where a row comes from
OURS, OVER_DRAWS, PUBLISHED = "ours", "ours, over draws", "published"


def by_source(table: pd.DataFrame) -> pd.DataFrame:
    """Put our values, those over draws and the published ones into rows below each other, not beside each other.

    Parameters
    ----------
    table
        Supplementary table with the columns ``Split`` and ``Method``. ``Published top-1 (%)`` and
        ``Top-1 (%), over draws`` belong to the column ``Top-1 (%)``.

    Returns
    -------
    pandas.DataFrame
        Columns Method, Split, Source and the columns of our values. Sources without a value have no row.

    Examples
    --------
    >>> wide = {"Split": ["Random"], "Method": ["CLOOME"], "n": ["9"], "Published n": ["7"]}
    >>> print(by_source(pd.DataFrame(wide)).to_string(index=False))
    Method  Split    Source n
    CLOOME Random      ours 9
                  published 7
    """
    keys = ["Method", "Split"]
    columns = table.columns.astype(str).tolist()
    names = [name for name in columns if not name.startswith(_PUBLISHED) and not name.endswith(_OVER_DRAWS)]
    names = [name for name in names if name not in keys]
    published = {name.removeprefix(_PUBLISHED).casefold(): name for name in columns if name.startswith(_PUBLISHED)}
    sources_of: dict[str, dict[str, str]] = {
        OURS: {name: name for name in names},
        OVER_DRAWS: {name: name + _OVER_DRAWS for name in names if name + _OVER_DRAWS in columns},
        PUBLISHED: {name: published[name.casefold()] for name in names if name.casefold() in published},
    }
    rows = []
    for record in table.to_dict("records"):
        labels = {key: record[key] for key in keys}
        for source, sources in sources_of.items():
            cells = {name: record[sources[name]] if name in sources else ABSENT for name in names}
            if set(cells.values()) - {ABSENT, ""}:
                rows.append(labels | {"Source": source} | cells)
                labels = dict.fromkeys(keys, "")
    return pd.DataFrame(rows, columns=[*keys, "Source", *names])


def audit_blocks(table: pd.DataFrame) -> dict[str, dict[str, pd.DataFrame]]:
    """Divide the table of audits into short tables.

    Parameters
    ----------
    table
        From :func:`cloome_kedro.reporting.audits.audit_table`.

    Returns
    -------
    dict of dict of pandas.DataFrame
        Heading, such as ``retrieval, random split`` -> kind of images and metric -> table without columns that have the
        same value in all its rows by its title, or no value.
    """
    titled = ["Audit", "Split", "Images", "Metric"]
    blocks: dict[str, dict[str, pd.DataFrame]] = {}
    for (audit, split, images, metric), rows in table.groupby(titled, sort=False):
        cells = rows.drop(columns=titled)
        cells = cells.loc[:, (cells != ABSENT).any()].reset_index(drop=True)
        title = f"{corruption_label(str(images))} images, {metric}" if images != ABSENT else f"number of {metric}"
        blocks.setdefault(f"{audit}, {split} split", {})[title] = cells
    return blocks
