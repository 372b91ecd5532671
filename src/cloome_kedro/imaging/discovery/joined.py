"""What the tables of a source give: compounds, controls and structures of its wells."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cloome_kedro.imaging.discovery.tables import usual_column
from cloome_kedro.imaging.platemap_tables import unit_of
from cloome_kedro.imaging.platemaps import annotate_wells
from cloome_kedro.imaging.profile_columns import are_controls
from cloome_kedro.imaging.profile_table import ProfileColumns
from cloome_kedro.imaging.sources import Platemap
from cloome_kedro.imaging.tables import read_table

#: the solvent of most screens, as written in tables of compounds
SOLVENT_KEY, SOLVENT_SMILES = "IAZDPXIOMUYVGZ", ("CS(C)=O", "CS(=O)C", "C[S](C)=O", "O=S(C)C")
_SOLVENT_NAMES = ("dmso", "dimethyl sulfoxide", "dimethylsulfoxide", "dimethyl-sulfoxide")


@dataclass(frozen=True)
class Join:
    """Tables that say what is in the wells, and what they give.

    Attributes
    ----------
    settings
        Settings of `Platemap`, with absolute paths. Only those that differ from the defaults, or are names of columns.
    tables
        The files.
    wells
        Wells of the images, and how many of them have a compound, are controls, and have neither.
    treated, controls, unused
        See above.
    reasons
        Why wells are not used: reason -> number of wells.
    structures
        Structure of each compound in a treated well, by id. None: it is not known.
    compounds
        compound_id, smiles, name, moa of the compounds and controls in the wells.
    fits
        Number of used wells whose compound has the name of their plate, as in folders of examples.
    question
        What is not known: ``unit`` of the concentrations; empty: nothing.
    """

    settings: dict[str, Any]
    tables: tuple[Path, ...]
    wells: int
    treated: int
    controls: int
    unused: int
    reasons: dict[str, int] = field(default_factory=dict)
    structures: dict[str, str | None] = field(default_factory=dict)
    compounds: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    fits: int = 0
    question: str = ""

    @property
    def solvents(self) -> list[str]:
        """Ids of controls in the wells that are the solvent DMSO, as the platemap writes them."""
        treated = set(self.structures)
        others = [key for key in self.compounds.get("compound_id", ()) if key not in treated]
        names = self.compounds.set_index("compound_id")["name"].to_dict() if others else {}
        return [key for key in others if {key.casefold(), str(names[key]).casefold()} & set(_SOLVENT_NAMES)]

    @property
    def with_structure(self) -> list[str]:
        """Different structures of the treated wells."""
        return sorted({smiles for smiles in self.structures.values() if smiles})


def evaluate(wells: pd.DataFrame, settings: dict[str, Any], controls: Sequence[str] | None = None) -> Join:
    """Join wells by these settings, and count what they give.

    Parameters
    ----------
    wells
        Columns plate and well.
    settings
        Settings of `Platemap`. ``smiles_column`` None means that no table has structures.
    controls
        Ids and names of controls. None: those that the tables mark, and DMSO.

    Raises
    ------
    ValueError, FileNotFoundError
        As `annotate_wells` raises them.
    """
    settings = dict(settings)
    marks = list(controls) if controls is not None else _controls(settings)
    if settings.get("smiles_column") is None:  # the ids stand for the structures, which are then not counted
        platemap = Platemap(**{**settings, "smiles_column": settings["compound_column"], "controls": tuple(marks)})
    else:
        platemap = Platemap(**{**settings, "controls": tuple(marks)})
    question = ""
    if platemap.concentration_column and not (platemap.concentration_unit or unit_of(platemap.concentration_column)):
        platemap, question = replace(platemap, concentration_unit="uM"), "unit"
    annotated, compounds = annotate_wells(wells, Path(), platemap)
    used = annotated[annotated["reason"].isna()]
    is_control = used["control"].astype(bool)
    in_wells = compounds[compounds["compound_id"].isin(used["compound_id"].dropna())]
    compounds = compounds.set_index("compound_id")
    treated = used.loc[~is_control, "compound_id"].dropna()
    has_structures = settings.get("smiles_column") is not None
    structures = {key: compounds["smiles"].get(key) if has_structures else None for key in dict.fromkeys(treated)}
    names = compounds["name"].to_dict() if len(compounds) else {}
    names_of_plates = [
        {str(row.compound_id).casefold(), str(names.get(row.compound_id)).casefold()} for row in used.itertuples()
    ]
    fits = sum(
        _plain(str(plate)) in {_plain(name) for name in described}
        for plate, described in zip(used["plate"], names_of_plates, strict=True)
    )
    return Join(
        {**settings, "controls": marks},
        tuple(
            dict.fromkeys(Path(settings[key]) for key in ("platemaps", "barcodes", "compounds") if settings.get(key))
        ),
        wells=len(wells),
        treated=int((~is_control).sum()),
        controls=int(is_control.sum()),
        unused=int(annotated["reason"].notna().sum()),
        reasons={str(reason): int(n) for reason, n in annotated["reason"].dropna().value_counts().items()},
        structures={key: None if pd.isna(smiles) else smiles for key, smiles in structures.items()},
        compounds=in_wells.reset_index(drop=True),
        fits=fits,
        question=question,
    )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _controls(settings: dict[str, Any]) -> list[str]:
    """Ids of controls: DMSO by name or structure, compounds that a table marks as negative controls, empty cells."""
    marks: dict[str, None] = {"DMSO": None, "": None}
    words = ProfileColumns()
    for key, column_key in (("platemaps", "compound_column"), ("compounds", "id_column")):
        path = settings.get(key)
        if not path or "{platemap}" in path:
            continue
        table = read_table(Path(path))
        names = [str(name) for name in table]
        column = settings.get(column_key) or settings["compound_column"]
        ids = table[column].str.strip()
        is_control = pd.Series(False, index=table.index)
        control = usual_column(names, "control")
        if control and table[control].str.strip().str.lower().isin({"negcon", "negative control", "vehicle"}).any():
            is_control |= are_controls(table[control], words) & ~table[control].str.strip().str.isdigit()
        for kind in ("name", "compound"):
            if name := usual_column(names, kind):
                is_control |= table[name].str.strip().str.casefold().isin(_SOLVENT_NAMES)
        if smiles := usual_column(names, "smiles"):
            is_control |= table[smiles].str.strip().isin(SOLVENT_SMILES)
        if inchikey := usual_column(names, "inchikey"):
            is_control |= table[inchikey].str.strip().str.startswith(SOLVENT_KEY)
        for identifier in ids[is_control].unique():
            marks.setdefault(identifier, None)
    return [mark for mark in marks if mark.casefold() != "dmso" or mark == "DMSO"]
