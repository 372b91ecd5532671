"""Methods: keyed vectors that answer questions about fields. Their dot products are scores.

Embeddings of a model, classical profiles, an untrained encoder, confounders and oracles are methods. They are gathered
once per split (:func:`gather_methods`), and every evaluation uses the same ones.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.features import standardised_profiles, unit_rows
from cloome_kedro.evaluation.oracles import oracle_vectors
from cloome_kedro.evaluation.ranks import Ties
from cloome_kedro.pooling import weigh
from cloome_kedro.words import PROBING, PROFILES, RETRIEVAL, UNKNOWN_SPLIT, UNTRAINED, ZERO_SHOT

logger = logging.getLogger(__name__)


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

    def weighted_for_means(self, vectors: np.ndarray, fields: pd.DataFrame) -> np.ndarray:
        """Weight fields by the attention of the model, where each class is a compound that means represent.

        Parameters
        ----------
        vectors
            (N, d) of the fields, from :meth:`unit_fields`.
        fields
            Columns ``field_id``, ``inchikey`` and ``label``, which holds the class. If a class has several compounds,
            all fields have the same weight, since attention compares fields of one compound only.

        Returns
        -------
        numpy.ndarray
            (N, d). Without attention, the vectors as they are.
        """
        logits = self.fields.logits_of(fields["field_id"])
        if logits is None or fields.groupby("label")["inchikey"].nunique().max() > 1:
            return vectors
        return weigh(vectors, logits, fields["inchikey"].to_numpy())


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
    controls
        Keys of control fields whose profiles are kept, too, because corrections are fitted to them.
    """

    untrained: Embeddings | None
    field_profiles: pd.DataFrame
    cell_counts: pd.DataFrame
    truth: pd.DataFrame
    controls: Sequence[str] | np.ndarray = ()


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
    if (profiles := _profiles(examples, others, split)) is not None:
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


def _profiles(examples: pd.DataFrame, others: OtherSources, split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Fields that have a profile, and their standardised profiles. None if no example has one."""
    n_examples, n_controls = len(examples), len(others.controls)
    keys = np.concatenate([examples["field_id"].to_numpy(object), np.asarray(others.controls, object)])
    training = np.concatenate([examples["fold"] == "train", np.zeros(n_controls, bool)])
    profiles, without = standardised_profiles(others.field_profiles, keys, training)
    missing = without[:n_examples]
    if missing.all():
        logger.warning("%s split: no field has a profile: the method %s is left out", split, PROFILES)
        return None
    if missing.any():
        logger.warning(
            "%s split: %d of %d fields have no profile: the method %s is not evaluated on them",
            *(split, missing.sum(), len(missing), PROFILES),
        )
    return keys[~without], profiles[~without]


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
