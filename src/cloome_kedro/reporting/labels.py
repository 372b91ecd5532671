"""Table of the report about the labels of assays."""

import pandas as pd

from cloome_kedro.chemistry.labels import KEY_NAMES


def label_join_table(label_joins: pd.DataFrame) -> pd.DataFrame:
    """Say by which key labels were joined to the compounds of the screen.

    Parameters
    ----------
    label_joins
        Table of this name.

    Returns
    -------
    pandas.DataFrame
        Columns "joined by", compounds, labels, contradictions. It has no rows if there are no labels.
    """
    counts = label_joins.set_index("key").reindex(list(KEY_NAMES)).fillna(0).astype(int)
    if not counts.to_numpy().any():
        counts = counts.iloc[:0]
    counts = counts.loc[(counts > 0).any(axis=1)]
    texts = counts.map("{:,}".format).rename(index=KEY_NAMES).rename_axis("joined by").reset_index()
    return texts.astype(str)
