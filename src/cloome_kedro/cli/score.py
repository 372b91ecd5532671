"""``cloome score``: rank a file of structures by their similarity to a phenotype."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloome_kedro.cli.options import index_options
from cloome_kedro.words import counted

if TYPE_CHECKING:
    import numpy as np

    from cloome_kedro.asking import Asker


@click.command()
@click.option(
    "--smiles-file", required=True, type=click.Path(path_type=Path), help="Structures: .csv, .tsv, .smi, .parquet."
)
@click.option("--smiles-column", help="Column of the SMILES. The default is smiles.")
@click.option("--against", required=True, metavar="WELL|CONDITION", help="A well (SCREEN/PLATE/WELL), or a condition.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV or parquet file of the ranking.")
@click.option("--top", type=click.IntRange(min=1), help="Write only the first compounds.")
@click.option("--device", default="auto", show_default=True, help="Device that embeds, such as cpu.")
@index_options
def command(
    *,
    folder: Path,
    smiles_file: Path,
    smiles_column: str | None,
    against: str,
    out: Path,
    top: int | None,
    device: str,
) -> None:
    """Rank structures by the similarity of their predicted embeddings to the mean embedding of wells.

    --against names one well, or is a condition on the wells of the index, such as "moa = 'MEK inhibitor'".
    An interrupted command continues where it stopped. Rejected rows are in NAME.rejected.csv, with the reason.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise ValueError(f"--out {out}: the name must end with .csv or .parquet")
    from cloome_kedro.asking import Asker
    from cloome_kedro.atomic import replace_file
    from cloome_kedro.cli.chunks import write_rejected
    from cloome_kedro.cli.structures import embed_structures

    asker = Asker.open(folder, device)
    phenotype, wells = mean_of_wells(asker, against)
    chunks, parts = embed_structures(asker, smiles_file, out, smiles_column)
    ranking = ranked(chunks, parts, phenotype)
    written = ranking if top is None else ranking.head(top)
    with replace_file(out) as part:
        written.to_csv(part, index=False) if out.suffix == ".csv" else written.to_parquet(part, index=False)
    rejected = chunks.rejected(parts)
    place = write_rejected(out, rejected)
    chunks.remove()
    click.echo(f"{out}: {counted(len(written), 'structure')}, ranked by similarity to {counted(wells, 'well')}")
    if place is not None:
        click.echo(f"{place}: {counted(len(rejected), 'structure')} rejected, the first: {rejected['reason'].iloc[0]}")


def mean_of_wells(asker: "Asker", against: str) -> tuple["np.ndarray", int]:
    """Mean embedding of wells, (d,), with length 1 if the model normalises; and the number of wells.

    Raises
    ------
    ValueError
        If the well is unknown, the condition cannot be read, or no well fulfils it.
    """
    import numpy as np

    index = asker.index
    if not any(letter in against for letter in "=<>'") and against.count("/") >= 2:
        keys = [against]
    else:
        keys = index.rows("wells", against, ["well_id"])["well_id"].tolist()
        if not keys:
            raise ValueError(f"no well fulfils the condition {against!r}")
    mean = index.vectors("wells", keys).astype(np.float64).mean(axis=0)
    if index.info["normalised"]:
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
    return mean, len(keys)


def ranked(chunks, parts: int, phenotype: "np.ndarray"):
    """Table of all structures by descending similarity: ``rank``, ``score`` and what is known of them."""
    import pandas as pd

    from cloome_kedro.cli.chunks import vectors_of

    tables = []
    for arrow in chunks.tables(parts):
        table = arrow.to_pandas()
        scores = vectors_of(table) @ phenotype
        tables.append(table.loc[:, ~table.columns.str.startswith("embedding_")].assign(score=scores))
    ranking = pd.concat(tables, ignore_index=True)
    ranking = ranking.sort_values(["score", "row"], ascending=[False, True], ignore_index=True)
    ranking.insert(0, "score", ranking.pop("score"))
    ranking.insert(0, "rank", range(1, len(ranking) + 1))
    return ranking
