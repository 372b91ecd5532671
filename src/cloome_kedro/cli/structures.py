"""Files of many structures: read them, and embed them in parts."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cloome_kedro.cli.chunks import Chunks, Part, with_vectors

if TYPE_CHECKING:
    from cloome_kedro.asking import Asker

CHUNK = 5000  # structures per part


def read_structures(path: Path, smiles_column: str | None = None) -> pd.DataFrame:
    """Read a file of structures.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv`` or ``.parquet`` with a column of SMILES; or ``.smi`` with a SMILES and a name on each line.
    smiles_column
        Name of the column. The default is the column ``smiles``, in any case.

    Returns
    -------
    Columns ``row`` (from 1), ``name`` and ``smiles``.

    Raises
    ------
    ValueError
        If the file is missing, cannot be read, has no such column or no rows.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    suffix = path.suffix.lower()
    try:
        if suffix in (".smi", ".txt"):
            lines = [line.split(None, 1) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            table = pd.DataFrame(
                {"smiles": [line[0] for line in lines], "name": [" ".join(line[1:]) for line in lines]}
            )
        elif suffix == ".parquet":
            table = pd.read_parquet(path)
        elif suffix in (".csv", ".tsv"):
            table = pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", dtype=str, encoding="utf-8-sig")
        else:
            raise ValueError("the name must end with .csv, .tsv, .smi or .parquet")
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise ValueError(f"{path} cannot be read as a file of structures: {error}") from error
    by_lower = {str(column).lower(): column for column in table}
    chosen = smiles_column if smiles_column in table else by_lower.get("smiles" if smiles_column is None else "\n")
    if chosen is None:
        raise ValueError(
            f"{path} has no column {smiles_column or 'smiles'}: its columns are {', '.join(map(str, table))}. Name "
            "it by --smiles-column"
        )
    if not len(table):
        raise ValueError(f"{path} has no structures")
    name = next((by_lower[key] for key in ("name", "compound", "id", "compound_id") if key in by_lower), None)
    names = table[name] if name is not None else pd.Series([None] * len(table), dtype=object)
    return pd.DataFrame({"row": range(1, len(table) + 1), "name": names.to_numpy(), "smiles": table[chosen].to_numpy()})


def embed_structures(asker: "Asker", path: Path, out: Path, smiles_column: str | None) -> tuple[Chunks, int]:
    """Embed a file of structures in parts.

    Returns
    -------
    Chunks, and their number. Parts have ``row``, ``name``, ``smiles`` (as given), ``inchikey``, ``standard_smiles``,
    ``in_screen`` (fold of the compound, empty if it is not in the screen) and the vector; rejected rows have
    ``reason``.
    """
    asker.check_accepts("smiles")
    table = read_structures(path, smiles_column)
    file = hashlib.sha256(path.read_bytes()).hexdigest()
    chunks = Chunks(out, asker.index.info["weights"], file, smiles_column, CHUNK)
    starts = range(0, len(table), CHUNK)
    parts = [table.iloc[start : start + CHUNK] for start in starts]
    chunks.run([len(part) for part in parts], "structures", lambda number: _embed(asker, parts[number]))
    return chunks, len(parts)


def _embed(asker: "Asker", rows: pd.DataFrame) -> Part:
    from cloome_kedro.chemistry.standardise import standardise

    keyed = rows.assign(compound_id=rows["row"].astype(str))
    made = standardise(keyed[["compound_id", "smiles"]].assign(name=None, moa=None))
    accepted = keyed.merge(made.compound_keys, on="compound_id")
    compounds = made.compounds.set_index("inchikey")
    accepted["standard_smiles"] = accepted["inchikey"].map(compounds["smiles"])
    accepted["in_screen"] = accepted["inchikey"].map(asker.compounds["fold"]).astype(object)
    as_given = asker.model.takes_structures_as_given
    key, text = ("smiles", "smiles") if as_given else ("inchikey", "standard_smiles")
    unique = accepted.drop_duplicates(key)
    texts = unique[text].tolist()
    vectors = asker.model.embed_structures(texts, progress=False, standardise=as_given)
    vectors = vectors[pd.Index(unique[key]).get_indexer(pd.Index(accepted[key]))]
    columns = ["row", "name", "smiles", "inchikey", "standard_smiles", "in_screen"]
    known = accepted[columns].astype(dict.fromkeys(columns[1:], "string"))
    rejected = keyed.merge(made.rejected[["compound_id", "reason"]], on="compound_id")
    kept = ["row", "name", "smiles", "reason"]
    return with_vectors(known, vectors), rejected[kept].astype(dict.fromkeys(kept[1:], "string"))
