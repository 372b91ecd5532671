"""`Asker` answers questions with an index and its model: what is like this structure, image, field or compound?

>>> asker = Asker.open("index")  # doctest: +SKIP
>>> asker.by_smiles(["CCO"], kind="fields", top=5).hits  # doctest: +SKIP
"""

import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloome_kedro.asking.answers import Answer, describe_queries, notes_on
from cloome_kedro.asking.familiarity import unfamiliar_queries
from cloome_kedro.asking.inputs import check_form, check_magnitude, identify, plate_arguments
from cloome_kedro.index import Index
from cloome_kedro.index.lance import condition
from cloome_kedro.index.names import near
from cloome_kedro.index.worth import candidate_sets, worth_of_ranks
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, counted

if TYPE_CHECKING:
    from cloome_kedro.inference import Cloome

STRUCTURE, IMAGE = "structure", "image"


class Asker:
    """An index with the model that made it.

    Parameters
    ----------
    index
        The index.
    device
        Device that embeds; ``auto`` takes an accelerator if there is one. The model is loaded when it is first needed.
    model
        A loaded model, in place of the one in the folder of the index.

    Raises
    ------
    ValueError
        If the model has other weights than the index.
    """

    def __init__(self, index: Index, device: str = "auto", model: "Cloome | None" = None):
        self.index, self.device = index, device
        if model is not None:
            _check_weights(index, model)
            self.__dict__["model"] = model  # the value of the cached property

    @classmethod
    def open(cls, folder: str | Path, device: str = "auto") -> "Asker":
        """Open the index in a folder; see `Index.open` for the errors."""
        return cls(Index.open(folder), device)

    @cached_property
    def model(self) -> "Cloome":
        """The model of the index.

        Raises
        ------
        ValueError
            If the index has no model, or the model of the folder has other weights.
        """
        if self.index.model_folder is None:
            raise ValueError(
                f"{self.index.folder} has no model, so it answers questions about its fields and compounds only"
            )
        from cloome_kedro.inference import Cloome

        model = Cloome.load(self.index.model_folder, device=self.device)
        _check_weights(self.index, model)
        return model

    def by_smiles(self, smiles: Sequence[str], kind: str = "fields", top: int = 20, where: str | None = None) -> Answer:
        """Find what is most similar to structures.

        Parameters
        ----------
        smiles
            N SMILES, or one.
        kind
            ``fields``, ``wells`` or ``compounds``.
        top
            Number of hits for each query.
        where
            Condition on columns of metadata, see `Index.search`.

        Raises
        ------
        ValueError
            If a SMILES cannot be read, or the model does not see structures. The message names a model that does.
        """
        smiles = [smiles] if isinstance(smiles, str) else list(smiles)
        self.check_accepts("smiles")
        structures = [identify(text) for text in smiles]
        queries = pd.DataFrame(
            {
                "text": smiles,
                "inchikey": [structure.inchikey for structure in structures],
                "smiles": [structure.smiles for structure in structures],
            }
        )
        vectors = self.model.embed_structures(smiles, progress=False)
        return self._answer(vectors, STRUCTURE, self._described(queries), kind, top, where)

    def by_images(
        self,
        images: Any,
        kind: str = "compounds",
        top: int = 20,
        where: str | None = None,
        *,
        plate: str | None = None,
        texts: Sequence[str] = (),
        **options: Any,
    ) -> Answer:
        """Find what is most similar to images.

        Parameters
        ----------
        images
            An array (N, 5, H, W) or files, as for `Cloome.embed_fields`.
        kind, top, where
            As for :meth:`by_smiles`.
        plate
            Plate of the screen with which the images were made. Its thresholds and the statistics of its controls
            scale the images, if the model needs them.
        texts
            N names of the images, for the answer.
        options
            Further arguments of `Cloome.embed_fields`, such as ``controls`` or ``plate_fields`` for a new plate.

        Raises
        ------
        ValueError
            If the images are no five channels of one size, if their intensities do not fit the plate, or if the model
            does not see images.
        """
        self.check_accepts("images")
        images = list(images) if not isinstance(images, np.ndarray) else images
        check_form(images)
        options = plate_arguments(self.index, self.model, images, plate, options)
        check_magnitude(images, options.get("thresholds"))
        with python_warnings.catch_warnings(record=True) as caught:
            python_warnings.simplefilter("always", UserWarning)
            try:
                vectors = self.model.embed_fields(images, progress=False, **options)
            except TypeError as error:
                raise ValueError(str(error)) from error
        names = list(texts) or [f"image {number}" for number in range(1, len(vectors) + 1)]
        answer = self._answer(vectors, IMAGE, self._described(pd.DataFrame({"text": names})), kind, top, where)
        about_images = dict.fromkeys(str(warning.message) for warning in caught)  # each part of a fusion warns
        return replace(answer, warnings=[*about_images, *answer.warnings])

    def by_field(self, key: str, kind: str = "compounds", top: int = 20, where: str | None = None) -> Answer:
        """Find what is most similar to a field of the screen, ``SCREEN/PLATE/WELL/SITE``.

        Raises
        ------
        ValueError
            If there is no such field. The message names the nearest.
        """
        return self._by_place("fields", key, kind, top, where)

    def by_well(self, key: str, kind: str = "compounds", top: int = 20, where: str | None = None) -> Answer:
        """Find what is most similar to the mean of a well, ``SCREEN/PLATE/WELL``; ValueError as :meth:`by_field`."""
        return self._by_place("wells", key, kind, top, where)

    def _by_place(self, place: str, key: str, kind: str, top: int, where: str | None) -> Answer:
        vectors = self.index.vectors(place, [key])
        column = "field_id" if place == "fields" else "well_id"
        row = self.index.rows(place, condition(column, [key]))
        queries = pd.DataFrame({"text": [key], "inchikey": row["inchikey"], "compound": row["compound"]})
        queries["fold"] = row["fold"]
        return self._answer(vectors, IMAGE, self._described(queries), kind, top, where)

    def by_compound(self, name: str, kind: str = "fields", top: int = 20, where: str | None = None) -> Answer:
        """Find what is most similar to a compound of the screen, given by its name or InChIKey.

        Raises
        ------
        ValueError
            If there is no such compound, or several have this name. The message names the nearest.
        """
        inchikey = self.find_compound(name)
        vectors = self.index.vectors("compounds", [inchikey])
        queries = pd.DataFrame({"text": [name], "inchikey": [inchikey]})
        return self._answer(vectors, STRUCTURE, self._described(queries), kind, top, where)

    def find_compound(self, name: str) -> str:
        """InChIKey of a compound of the screen, which is given by its name or InChIKey; ValueError if not found."""
        table, text = self.compounds, name.strip()
        if text.upper() in table.index:
            return text.upper()
        keys = table.index[table["compound"].str.casefold() == text.casefold()]
        if len(keys) > 1:
            raise ValueError(
                f"{counted(len(keys), 'compound')} have the name {name!r}: give an InChIKey of {', '.join(keys[:5])}"
            )
        if not len(keys):
            nearest = near(self.index, "compounds", text, ("compound", "inchikey"))
            raise ValueError(f"the index has no compound {name!r}{nearest}")
        return str(keys[0])

    @cached_property
    def compounds(self) -> pd.DataFrame:
        """Compounds of the index, by InChIKey."""
        return self.index.rows("compounds").set_index("inchikey")

    def _described(self, queries: pd.DataFrame) -> pd.DataFrame:
        return describe_queries(queries, self.compounds, self.index.info)

    def _answer(
        self, vectors: np.ndarray, side: str, queries: pd.DataFrame, kind: str, top: int, where: str | None
    ) -> Answer:
        found_side = STRUCTURE if kind == "compounds" else IMAGE
        direction = None if side == found_side else IMAGE_TO_COMPOUND if side == IMAGE else COMPOUND_TO_IMAGE
        metric = "cosine" if direction is None else None
        hits = self.index.search(vectors, kind, top, where, metric)
        candidates = self.index.count(kind, where)
        worth = np.full(len(hits), np.nan)
        if direction is not None and len(hits):
            worth = worth_of_ranks(self.index.side_table("ranks"), kind, hits["rank"].to_numpy(), candidates)
        hits.insert(3, "worth", worth)
        sets = (
            []
            if direction is None or where
            else candidate_sets(self.index.side_table("candidate_sets"), kind, candidates)
        )
        unfamiliar = unfamiliar_queries(self.index, vectors, queries, side == STRUCTURE)
        return Answer(
            *(hits, queries, kind, direction, candidates, sets, unfamiliar),
            notes=notes_on(queries, self.compounds, side == STRUCTURE),
        )

    def check_accepts(self, what: str) -> None:
        """Check that the model embeds new ``smiles`` or ``images``; ValueError names models that do."""
        info, noun = self.index.info, "structures" if what == "smiles" else "images"
        if info["accepts"][what]:
            return
        able = [f"{model['label']} (model {name})" for name, model in info["models"].items() if model[what]]
        advice = f"ask {' or '.join(able)}" if able else "no model of this study does"
        unable = [info["models"][part] for part in info.get("parts", []) if not info["models"][part][what]]
        parts = " and ".join(part["label"] for part in unable)
        reason = f", because {'its parts' if len(unable) > 1 else 'its part'} {parts} cannot" if unable else ""
        raise ValueError(f"the model {info['label']} cannot embed new {noun}{reason}: {advice}")


def _check_weights(index: Index, model: "Cloome") -> None:
    if (weights := model.checkpoint.weights) != index.info["weights"]:
        raise ValueError(
            f"the index {index.folder} holds embeddings of the model {index.info['weights']} of "
            f"{index.info['screen']}, but the model given is {weights}: use the model of the index, or another index"
        )
