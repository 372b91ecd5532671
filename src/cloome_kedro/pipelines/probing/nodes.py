"""Nodes of ``probing``. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import ProbingParameters

logger = logging.getLogger(__name__)


def probe_assays(methods, examples, labels, probing: ProbingParameters, seed: int):
    """Fit a linear probe for each assay to what every method knows of the fields.

    Returns
    -------
    probing_scores, probing_metrics, probing_differences
        Differences are those of the first method to each other one. All are empty, with a warning, where no compound
        has a label.

    Raises
    ------
    ValueError
        If methods are of other folds.
    """
    from cloome_kedro import schemas
    from cloome_kedro.evaluation.assays import ProbeInputs, probe
    from cloome_kedro.evaluation.methods import asked, check_methods
    from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
    from cloome_kedro.words import PROBING

    check_methods(methods, examples)
    split = examples["split"].iloc[0]
    kinds = (schemas.probing_scores, schemas.metrics, schemas.differences)
    labels = labels.set_index("inchikey")
    fields = examples[examples["inchikey"].isin(labels.index)].sort_values("field_id", ignore_index=True)
    methods = asked(methods, PROBING)
    if fields.empty or not methods:
        missing = "compound has an assay label" if fields.empty else "method has learned features of fields"
        logger.warning("%s: no %s, so there is nothing to probe", split, missing)
        return tuple(schemas.empty(kind) for kind in kinds)
    inputs = ProbeInputs(fields, labels, probing.c_grid, probing.level)
    probed = probe({name: inputs.features(method) for name, method in methods.items()}, inputs)
    (first, *others) = probed.scores
    comparisons = [(first, other, f"method {other[0]}") for other in others]
    summary = ProbeSummary(probing.unscorable, probing.confidence, probing.resamples, seed)
    found = summarise_probes(probed, comparisons, summary)
    if not probed.table["scored"].any():
        logger.warning("%s: none of %d assays can be scored: see probing_scores", split, labels.shape[1])
    own = {"split": split, "split_hash": examples["split_hash"].iloc[0]}
    results = zip(kinds, (probed.table, *found), strict=True)
    return tuple(table.assign(**own)[list(kind.columns)] for kind, table in results)
