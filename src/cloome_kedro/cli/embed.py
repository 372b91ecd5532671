"""``cloome embed``: embed a file of structures, or folders of new plates."""

from pathlib import Path
from typing import Any

import click

from cloome_kedro.cli.options import Variadic, index_options
from cloome_kedro.words import counted


@click.command(cls=Variadic)
@click.option("--smiles-file", type=click.Path(path_type=Path), help="Structures: .csv, .tsv, .smi or .parquet.")
@click.option("--smiles-column", help="Column of the SMILES. The default is smiles.")
@click.option(
    "--plates", multiple=True, type=click.Path(path_type=Path), metavar="FOLDER...", help="Folders of plates."
)
@click.option("--layout", help="Layout of the folders, such as load_data_csv. The default explains most of the files.")
@click.option("--bit-depth", type=click.Choice(["8", "12", "16"]), default="16", show_default=True)
@click.option("--controls", default="", metavar="WELLS", help="Control wells of the plates, such as A01,A02.")
@click.option("--minimum-control-wells", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--illumination",
    metavar="PATTERN",
    help="Illumination functions in the folders, such as 'illum/{plate}/{plate}_Illum{channel}.npy', if those of the "
    "training fields were provided.",
)
@click.option("--screen", default="new", show_default=True, help="First part of the keys of the fields.")
@click.option("--jobs", type=int, default=-1, show_default=True, help="Processes that read images.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Parquet file of the embeddings.")
@click.option("--device", default="auto", show_default=True, help="Device that embeds, such as cpu.")
@index_options
def command(*, folder: Path, smiles_file: Path | None, out: Path, device: str, **given: Any) -> None:
    """Embed many structures or images with the model of an index.

    The result is a parquet file with one row per structure or field. An interrupted command continues where it stopped.
    Rows that cannot be embedded are in NAME.rejected.csv, with the reason.
    """
    if (smiles_file is None) == (not given["plates"]):
        raise ValueError("give either --smiles-file or --plates")
    if out.suffix != ".parquet":
        raise ValueError(f"--out {out}: the name must end with .parquet")
    from cloome_kedro.asking import Asker
    from cloome_kedro.cli.chunks import write_joined, write_rejected

    asker = Asker.open(folder, device)
    if smiles_file is not None:
        from cloome_kedro.cli.structures import embed_structures

        chunks, parts = embed_structures(asker, smiles_file, out, given["smiles_column"])
        what = "structure"
    else:
        from cloome_kedro.cli.plates import embed_plates, index_folders

        wells = [well.strip().upper() for well in given["controls"].split(",") if well.strip()]
        index, rejected = index_folders(
            given["plates"], given["screen"], given["layout"], int(given["bit_depth"]), wells
        )
        chunks, parts = embed_plates(
            *(asker, index, rejected, out, given["minimum_control_wells"], given["jobs"]),
            folders=given["plates"],
            illumination=given["illumination"],
        )
        what = "field"
    rows = write_joined(out, chunks.tables(parts))
    rejected = chunks.rejected(parts)
    place = write_rejected(out, rejected)
    chunks.remove()
    click.echo(f"{out}: {counted(rows, what)}")
    if place is not None:
        click.echo(f"{place}: {counted(len(rejected), what)} rejected, the first because: {rejected['reason'].iloc[0]}")
