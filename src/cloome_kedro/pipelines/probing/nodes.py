"""The node of ``probing``. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

import logging

from cloome_kedro.parameters import ProbingParameters, StudyParameters

logger = logging.getLogger(__name__)


def probe_assays(methods, examples, labels, study: StudyParameters, probing: ProbingParameters, seed: int):
    """Fit a linear probe for each assay and method to the method's vectors of fields.

    Returns
    -------
    probing_scores, probing_metrics, probing_differences
        Differences are the first method minus each other one, and each model minus the profiles. If no compound has a
        label or no method can be probed, all three are empty, and a warning is logged.

    Raises
    ------
    ValueError
        If methods were gathered for other folds.
    """
    from cloome_kedro import schemas
    from cloome_kedro.evaluation.assays import ProbeInputs, probe
    from cloome_kedro.evaluation.comparison import pairs_to_compare
    from cloome_kedro.evaluation.methods import check_methods, methods_of_task
    from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
    from cloome_kedro.words import PROBING, PROFILES

    check_methods(methods, examples)
    split = examples["split"].iloc[0]
    table_schemas = (schemas.probing_scores, schemas.metrics, schemas.differences)
    labels = labels.set_index("inchikey")
    fields = examples[examples["inchikey"].isin(labels.index)].sort_values("field_id", ignore_index=True)
    methods = methods_of_task(methods, PROBING)
    if fields.empty or not methods:
        missing = "compound has an assay label" if fields.empty else "method has learned features of fields"
        logger.warning("%s split: no %s, so there is nothing to probe", split, missing)
        return tuple(schemas.empty(schema) for schema in table_schemas)
    inputs = ProbeInputs(fields, labels, probing.c_grid, probing.level)
    probed = probe({name: inputs.features(method) for name, method in methods.items()}, inputs)
    tested = {method: (method, images) for method, images in probed.scores}
    pairs = pairs_to_compare(list(tested), study.labels, PROFILES)
    comparisons = [(tested[a], tested[b], f"method {b}") for a, b in pairs]
    summary = ProbeSummary(probing.unscorable, probing.confidence, probing.resamples, seed)
    metrics, differences = summarise_probes(probed, comparisons, summary)
    if not probed.table["scored"].any():
        logger.warning(
            "%s split: none of %d assays can be scored. The table probing_scores gives the reasons",
            *(split, labels.shape[1]),
        )
    split_columns = {"split": split, "split_hash": examples["split_hash"].iloc[0]}
    return tuple(
        table.assign(**split_columns)[list(schema.columns)]
        for schema, table in zip(table_schemas, (probed.table, metrics, differences), strict=True)
    )
