"""Methods: keyed vectors that answer questions about fields. Their dot products are scores.

Embeddings of a model, classical profiles, an untrained encoder, confounders and oracles are methods. They are gathered
once per split (:func:`gather_methods`), and every evaluation uses the same ones.
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

_BLOCK = 4096  # rows that are checked at a time


@dataclass(frozen=True)
class Embeddings:
    """Vectors and the keys of their rows.

    Attributes
    ----------
    keys
        (N,) str, unique: ``field_id`` of fields, or InChIKey of compounds.
    vectors
        (N, d) float, finite.
    meta
        Where the vectors come from. For a model: ``split_hash`` of the folds that it was trained on, ``weights``,
        ``seed`` and ``epoch``.

    Examples
    --------
    >>> embeddings = Embeddings(np.array(["s/1", "s/2"]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> embeddings.of(["s/2", "s/1"])
    array([[0., 1.],
           [1., 0.]])
    >>> embeddings.knows(["s/1", "s/3"])
    array([ True, False])
    """

    keys: np.ndarray
    vectors: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.keys) != len(self.vectors):
            raise ValueError(f"embeddings: {len(self.keys)} keys do not fit vectors of shape {self.vectors.shape}")
        if len(np.unique(self.keys)) != len(self.keys):
            raise ValueError("embeddings: keys are not unique")
        if self.vectors.dtype.kind != "f":
            raise ValueError(f"embeddings: vectors must be floating-point numbers, not {self.vectors.dtype}")
        for start in range(0, len(self.keys), _BLOCK):
            if not (finite := np.isfinite(self.vectors[start : start + _BLOCK]).all(axis=1)).all():
                key = self.keys[start + int(np.argmin(finite))]
                raise ValueError(f"embeddings: the vector of {key} is not finite")

    def knows(self, keys: ArrayLike) -> np.ndarray:
        """Whether each key has a vector: (len(keys),) bool."""
        return pd.Index(np.asarray(keys, object), dtype=object).isin(self.keys)  # 100 times as fast as pandas' strings

    def of(self, keys: ArrayLike) -> np.ndarray:
        """Vectors of ``keys``, in their order: (len(keys), d).

        Raises
        ------
        KeyError
            If a key has no vector. The message names the first one.
        """
        keys = np.asarray(keys)
        position = pd.Index(self.keys, dtype=object).get_indexer(pd.Index(keys, dtype=object))
        if (position < 0).any():
            missing = keys[position < 0]
            raise KeyError(
                f"{len(missing)} keys have no embedding, the first is {missing[0]}: run the embedding pipeline"
            )
        return self.vectors[position]


@dataclass(frozen=True)
class Method:
    """Vectors that rank, and how they are used.

    Attributes
    ----------
    fields
        Vectors of the fields that the method knows. It is evaluated on these fields only.
    compounds
        Vectors of compounds in the same space, for retrieval between fields and compounds. None: it has no such
        vectors.
    tasks
        Tasks of ``cloome_kedro.words.TASKS`` in which the method is evaluated.
    ties
        How its ties are broken.
    normalised
        Whether rows have length 1. If so, the mean of several vectors is divided by its length. If not, retrieval uses
        dot products of the vectors as they are, and fields are compared with one another by their cosines.
    """

    fields: Embeddings
    compounds: Embeddings | None = None
    tasks: tuple[str, ...] = (*ZERO_SHOT, PROBING)
    ties: Ties = "pessimistic"
    normalised: bool = True

    def unit_fields(self, keys: ArrayLike) -> np.ndarray:
        """Vectors of fields, with length 1: (len(keys), d)."""
        vectors = self.fields.of(keys)
        return vectors if self.normalised else unit_rows(vectors)


#: methods by their names in tables; the first is the first model of the study
Methods = dict[str, Method]


def methods_of_task(methods: Methods, task: str) -> Methods:
    """Select the methods that are evaluated in a task."""
    return {name: method for name, method in methods.items() if task in method.tasks}


@dataclass(frozen=True)
class OtherSources:
    """Data from which methods other than the models are made.

    Attributes
    ----------
    untrained
        Fields embedded by the first model with random weights; None if it has no untrained counterpart.
    field_profiles, cell_counts, truth
        Tables of these names. Each may be empty.
    """

    untrained: Embeddings | None
    field_profiles: pd.DataFrame
    cell_counts: pd.DataFrame
    truth: pd.DataFrame


def gather_methods(
    examples: pd.DataFrame, models: Mapping[str, tuple[Embeddings, Embeddings]], others: OtherSources | None = None
) -> Methods:
    """Gather all methods of a split.

    Parameters
    ----------
    examples
        Table ``examples``.
    models
        Label of each model of the study -> embeddings of fields and of compounds, in the order of the study. If a model
        does not learn embeddings of fields (``meta["learned"]`` is false), it is evaluated in retrieval only, since
        only its inputs would be compared in other tasks.
    others
        Data of the other methods. None: there are only models.

    Returns
    -------
    dict
        The models, then classical profiles, the untrained encoder and confounders. On a simulated screen, oracles
        follow.

    Raises
    ------
    ValueError
        If a model was trained on other folds, if its fields and compounds were embedded by different weights, or if a
        field or compound has no embedding although the model's view has an input for it.
    """
    split, folds_hash = str(examples["split"].iloc[0]), str(examples["split_hash"].iloc[0])
    methods: Methods = {}
    for label, (fields, compounds) in models.items():
        check_split(fields, f"fields of {label}", folds_hash, split)
        check_split(compounds, f"compounds of {label}", folds_hash, split)
        check_one_model(fields, compounds, f"{label}, {split} split")
        _check_complete(fields, examples["field_id"], f"fields of {label}", split)
        _check_complete(compounds, examples["inchikey"].unique(), f"compounds of {label}", split)
        tasks = (RETRIEVAL, *ZERO_SHOT, PROBING) if fields.meta.get("learned", True) else (RETRIEVAL,)
        normalised = bool(fields.meta.get("normalised", True))
        methods[label] = Method(fields, compounds, tasks=tasks, normalised=normalised)
    if others is None:
        return methods
    field_ids, meta = examples["field_id"].to_numpy(), {"split_hash": folds_hash}
    if (profiles := _profiles(examples, others.field_profiles, split)) is not None:
        methods[PROFILES] = Method(Embeddings(*profiles, meta), normalised=False)
    if others.untrained is not None:
        check_split(others.untrained, "fields of the untrained encoder", folds_hash, split)
        methods[UNTRAINED] = Method(others.untrained, normalised=bool(others.untrained.meta.get("normalised", True)))
    for label, vectors in confounder_vectors(examples, others.cell_counts).items():
        methods[label] = Method(Embeddings(field_ids, vectors, meta), ties="random")
    if len(others.truth):
        for label, (field_vectors, (keys, compound_vectors)) in oracle_vectors(others.truth, examples).items():
            methods[label] = Method(
                Embeddings(field_ids, field_vectors, meta),
                Embeddings(keys, compound_vectors, meta),
                tasks=(RETRIEVAL,),
                ties="random",
                normalised=False,
            )
    return methods


def _check_complete(embeddings: Embeddings, keys: ArrayLike, what: str, split: str) -> None:
    """Refuse embeddings if more keys are missing than the model's view had no input for. Otherwise warn of them."""
    keys = np.asarray(keys)
    missing = keys[~embeddings.knows(keys)]
    if not len(missing):
        return
    message = f"{split} split: {len(missing)} of {len(keys)} {what} have no embedding, the first is {missing[0]}"
    if len(missing) > embeddings.meta.get("without_input", 0):
        raise ValueError(f"{message}: run the embedding pipeline")
    logger.warning("%s: the model's view has no input for them, so they are left out", message)


def _profiles(examples: pd.DataFrame, field_profiles: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Fields that have a profile, and their standardised profiles. None if no field has one."""
    training = (examples["fold"] == "train").to_numpy()
    profiles, missing = standardised_profiles(field_profiles, examples["field_id"], training)
    if missing.all():
        logger.warning("%s split: no field has a profile: the method %s is left out", split, PROFILES)
        return None
    if missing.any():
        logger.warning(
            "%s split: %d of %d fields have no profile: the method %s is not evaluated on them",
            *(split, missing.sum(), len(missing), PROFILES),
        )
    return examples["field_id"].to_numpy()[~missing], profiles[~missing]


def check_split(embeddings: Embeddings, what: str, folds_hash: str, split: str) -> None:
    """Refuse embeddings of a model that may have been trained on compounds of the test fold.

    The training compounds of a published model are not known. It is accepted with a warning.

    Parameters
    ----------
    embeddings
        The embeddings.
    what
        What was embedded, for messages.
    folds_hash
        Hash of the folds of the split.
    split
        Name of the split, for messages.

    Raises
    ------
    ValueError
        If the model was trained on other folds.
    """
    if (trained_on := embeddings.meta.get("split_hash")) == UNKNOWN_SPLIT:
        logger.warning(
            "%s split: THE %s ARE EMBEDDED BY A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN. It may have "
            "been trained on compounds of the test fold. Its results would then be too good",
            *(split, what.upper()),
        )
    elif trained_on != folds_hash:
        raise ValueError(
            f"{split} split: the {what} are embedded by a model that was trained on folds {trained_on}, but the split "
            f"has folds {folds_hash}. The model may have been trained on test compounds: run training and embedding of "
            "this split again"
        )


def check_methods(methods: Methods, examples: pd.DataFrame) -> None:
    """Refuse methods that were gathered for other folds than those of ``examples``.

    Raises
    ------
    ValueError
        If a model was trained on other folds, or profiles were standardised with other folds.
    """
    split, folds_hash = (str(examples[name].iloc[0]) for name in ("split", "split_hash"))
    for name, method in methods.items():
        for what, embeddings in (("fields", method.fields), ("compounds", method.compounds)):
            # `gather_methods` has warned of a published model.
            if embeddings is not None and embeddings.meta.get("split_hash") != UNKNOWN_SPLIT:
                check_split(embeddings, f"{what} of {name}", folds_hash, split)


def check_one_model(fields: Embeddings, compounds: Embeddings, what: str) -> None:
    """Refuse fields and compounds that were embedded by different weights: their scores would mean nothing.

    Raises
    ------
    ValueError
        If the weights of the two differ.
    """
    field_weights, compound_weights = fields.meta.get("weights"), compounds.meta.get("weights")
    if field_weights != compound_weights:
        raise ValueError(
            f"{what}: fields are embedded by the model {field_weights}, but compounds by the model {compound_weights}: "
            "run the embedding pipeline of this split again"
        )
