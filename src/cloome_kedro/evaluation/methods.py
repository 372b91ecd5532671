"""Methods: what answers questions about fields, as keyed vectors whose dot products are scores.

A model's embeddings, classical profiles, an untrained encoder, confounders and oracles are all methods. They are
gathered once for each split (:func:`gather_methods`); every evaluation takes the same ones.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.features import standardised_profiles, unit_rows
from cloome_kedro.evaluation.oracles import oracle_vectors
from cloome_kedro.evaluation.ranks import Ties
from cloome_kedro.words import PROBING, PROFILES, RETRIEVAL, UNKNOWN_SPLIT, UNTRAINED, ZERO_SHOT

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embeddings:
    """Vectors and the keys of their rows.

    Attributes
    ----------
    keys
        (N,) str: ``field_id`` of fields, InChIKey of compounds; unique.
    vectors
        (N, d) float.
    meta
        Where they come from; of a model ``split_hash`` of the folds that it was trained on, ``weights``, ``seed`` and
        ``epoch``.
    """

    keys: np.ndarray
    vectors: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.keys) != len(self.vectors):
            raise ValueError(f"embeddings: {len(self.keys)} keys do not fit vectors of shape {self.vectors.shape}")
        if len(np.unique(self.keys)) != len(self.keys):
            raise ValueError("embeddings: keys are not unique")

    def knows(self, keys: ArrayLike) -> np.ndarray:
        """Which keys have a vector: (len(keys),) bool."""
        return pd.Index(np.asarray(keys)).isin(self.keys)

    def of(self, keys: ArrayLike) -> np.ndarray:
        """Vectors of ``keys``, in their order: (len(keys), d).

        Raises
        ------
        KeyError
            Naming the first key that has no vector.
        """
        keys = np.asarray(keys)
        position = pd.Index(self.keys).get_indexer(pd.Index(keys))
        if (position < 0).any():
            missing = keys[position < 0]
            raise KeyError(
                f"{len(missing)} keys have no embedding, the first is {missing[0]}: run the embedding pipeline"
            )
        return self.vectors[position]


@dataclass(frozen=True)
class Method:
    """What ranks.

    Attributes
    ----------
    fields
        Vectors of the fields that it knows. It is asked about those alone.
    compounds
        Vectors of compounds in the same space, where it has them: for retrieval between fields and compounds.
    tasks
        Which of ``cloome_kedro.words.TASKS`` it is asked in.
    ties
        How its ties are broken.
    normalised
        Whether rows have length 1. If so, a mean of several is divided by its length again. If not, retrieval takes dot
        products of the vectors as they are, and fields are compared with one another by their cosines.
    """

    fields: Embeddings
    compounds: Embeddings | None = None
    tasks: tuple[str, ...] = (*ZERO_SHOT, PROBING)
    ties: Ties = "pessimistic"
    normalised: bool = True

    def unit_fields(self, keys: ArrayLike) -> np.ndarray:
        """Vectors of fields with length 1: (len(keys), d)."""
        vectors = self.fields.of(keys)
        return vectors if self.normalised else unit_rows(vectors)


#: methods by the names that tables show; the model that the study is about comes first
Methods = dict[str, Method]


def asked(methods: Methods, task: str) -> Methods:
    """The methods that are asked in a task."""
    return {name: method for name, method in methods.items() if task in method.tasks}


@dataclass(frozen=True)
class Others:
    """What methods beside the models are made of.

    Attributes
    ----------
    untrained
        Fields embedded by the first model with fresh weights, if it has an untrained counterpart.
    field_profiles, cell_counts, truth
        Tables of these names, each of which may be empty.
    """

    untrained: Embeddings | None
    field_profiles: pd.DataFrame
    cell_counts: pd.DataFrame
    truth: pd.DataFrame


def gather_methods(
    examples: pd.DataFrame, models: Mapping[str, tuple[Embeddings, Embeddings]], others: Others | None = None
) -> Methods:
    """All methods of a split.

    Parameters
    ----------
    examples
        Table ``examples``.
    models
        Label -> embeddings of fields and of compounds, of each model of the study, in its order. A model whose
        embeddings of fields are not learned (``meta["learned"]`` is false) is asked in retrieval alone: its fields are
        compared by what it sees of them.
    others
        What the other methods are made of; None: there are models only.

    Returns
    -------
    dict
        The models; classical profiles; the untrained encoder; confounders; on a simulated screen oracles.

    Raises
    ------
    ValueError
        If a model was trained on other folds, its fields and compounds are embedded by two models, or some have no
        embedding though the model's view has an input of them.
    """
    name, folds = str(examples["split"].iloc[0]), str(examples["split_hash"].iloc[0])
    methods: Methods = {}
    for label, (fields, compounds) in models.items():
        check_split(fields, f"fields of {label}", folds, name)
        check_split(compounds, f"compounds of {label}", folds, name)
        check_one_model(fields, compounds, f"{label}, {name} split")
        _check_complete(fields, examples["field_id"], f"fields of {label}", name)
        _check_complete(compounds, examples["inchikey"].unique(), f"compounds of {label}", name)
        tasks = (RETRIEVAL, *ZERO_SHOT, PROBING) if fields.meta.get("learned", True) else (RETRIEVAL,)
        normalised = bool(fields.meta.get("normalised", True))
        methods[label] = Method(fields, compounds, tasks=tasks, normalised=normalised)
    if others is None:
        return methods
    field_ids, own = examples["field_id"].to_numpy(), {"split_hash": folds}
    if (profiles := _profiles(examples, others.field_profiles, name)) is not None:
        methods[PROFILES] = Method(Embeddings(*profiles, own), normalised=False)
    if others.untrained is not None:
        check_split(others.untrained, "fields of the untrained encoder", folds, name)
        methods[UNTRAINED] = Method(others.untrained, normalised=bool(others.untrained.meta.get("normalised", True)))
    for label, vectors in confounder_vectors(examples, others.cell_counts).items():
        methods[label] = Method(Embeddings(field_ids, vectors, own), ties="random")
    if len(others.truth):
        for label, (of_fields, of_compounds) in oracle_vectors(others.truth, examples).items():
            methods[label] = Method(
                Embeddings(field_ids, of_fields, own),
                Embeddings(*of_compounds, own),
                tasks=(RETRIEVAL,),
                ties="random",
                normalised=False,
            )
    return methods


def _check_complete(embeddings: Embeddings, keys: ArrayLike, what: str, split: str) -> None:
    """Refuse embeddings that lack more keys than the model's view had no input of; otherwise tell how many lack."""
    keys = np.asarray(keys)
    missing = keys[~embeddings.knows(keys)]
    if not len(missing):
        return
    told = f"{split} split: {len(missing)} of {len(keys)} {what} have no embedding, the first is {missing[0]}"
    if len(missing) > embeddings.meta.get("without_input", 0):
        raise ValueError(f"{told}: run the embedding pipeline")
    logger.warning("%s: the model's view has no input of them, so they are left out", told)


def _profiles(examples: pd.DataFrame, field_profiles: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Fields that have a profile, and their standardised profiles; None where no field has one."""
    training = (examples["fold"] == "train").to_numpy()
    profiles, missing = standardised_profiles(field_profiles, examples["field_id"], training)
    if missing.all():
        logger.warning("%s: no field has a profile: the method %s is left out", split, PROFILES)
        return None
    if missing.any():
        logger.warning(
            "%s: %d of %d fields have no profile: the method %s is not asked about them",
            *(split, missing.sum(), len(missing), PROFILES),
        )
    return examples["field_id"].to_numpy()[~missing], profiles[~missing]


def check_split(embeddings: Embeddings, what: str, folds_hash: str, split: str) -> None:
    """Refuse embeddings of a model that may have been trained on the compounds it is asked about.

    A published model, whose training compounds are not known, is let through with a warning.

    Parameters
    ----------
    embeddings, what
        The embeddings, and what they are of, for messages.
    folds_hash
        Of the split's folds.
    split
        Named in messages.

    Raises
    ------
    ValueError
        If the model was trained on other folds.
    """
    if (found := embeddings.meta.get("split_hash")) == UNKNOWN_SPLIT:
        logger.warning(
            "%s split: THE %s ARE EMBEDDED BY A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN: it may have "
            "been trained on compounds of the test fold, and then its results are too good",
            *(split, what.upper()),
        )
    elif found != folds_hash:
        raise ValueError(
            f"{split} split: the {what} are embedded by a model of folds {found}, the split has folds {folds_hash}: "
            "the model may have been trained on test compounds. Run training and embedding of this split again."
        )


def check_methods(methods: Methods, examples: pd.DataFrame) -> None:
    """Refuse methods that were gathered for other folds of the split than those of ``examples``.

    Raises
    ------
    ValueError
        If a model was trained on other folds, or profiles were standardised by others.
    """
    split, folds = (str(examples[name].iloc[0]) for name in ("split", "split_hash"))
    for name, method in methods.items():
        for what, embeddings in (("fields", method.fields), ("compounds", method.compounds)):
            # Of a published model gathering has warned.
            if embeddings is not None and embeddings.meta.get("split_hash") != UNKNOWN_SPLIT:
                check_split(embeddings, f"{what} of {name}", folds, split)


def check_one_model(fields: Embeddings, compounds: Embeddings, what: str) -> None:
    """Refuse fields and compounds that are embedded by two models: their scores mean nothing.

    Raises
    ------
    ValueError
        If the two are of different weights.
    """
    if (of_fields := fields.meta.get("weights")) != (of_compounds := compounds.meta.get("weights")):
        raise ValueError(
            f"{what}: fields are embedded by the model {of_fields}, compounds by {of_compounds}: run the embedding "
            "pipeline of this split again"
        )
