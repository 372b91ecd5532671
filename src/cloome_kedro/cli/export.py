"""``cloome export``: write the embeddings of an index as parquet or AnnData."""

from pathlib import Path

import click

from cloome_kedro.cli.options import index_options
from cloome_kedro.words import counted

KINDS = ("fields", "wells", "compounds")


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the files.")
@click.option("--for", "kinds", multiple=True, type=click.Choice(KINDS), help="What is written. The default is all.")
@click.option("--where", help="Condition on columns, such as \"fold = 'test'\".")
@click.option("--format", "form", type=click.Choice(["parquet", "anndata"]), default="parquet", show_default=True)
@index_options
def command(*, folder: Path, out: Path, kinds: tuple[str, ...], where: str | None, form: str) -> None:
    """Write embeddings with their metadata, keyed by field, well and compound.

    A parquet file has the metadata and the columns embedding_000, embedding_001, ...; in an AnnData file, the matrix X
    has the embeddings, and the observations have the metadata.
    """
    from cloome_kedro.atomic import replace_file
    from cloome_kedro.cli.chunks import with_vectors
    from cloome_kedro.index import Index
    from cloome_kedro.index.layout import KEYS

    index = Index.open(folder)
    for kind in kinds or KINDS:
        rows = index.rows(kind, where)
        if not len(rows):
            click.echo(f"{kind}: no row fulfils the condition")
            continue
        vectors = index.vectors(kind, rows[KEYS[kind]])
        path = out / f"{kind}.{'parquet' if form == 'parquet' else 'h5ad'}"
        with replace_file(path) as part:
            if form == "parquet":
                with_vectors(rows, vectors).to_parquet(part, index=False)
            else:
                from cloome_kedro.imaging.anndata_files import write_anndata

                write_anndata(part, rows.set_index(KEYS[kind]), vectors)
        click.echo(f"{path}: {counted(len(rows), kind.removesuffix('s'))}")
