"""Nodes of ``compare``. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

import logging
from typing import Any

from cloome_kedro.parameters import (
    CompareParameters,
    EmbeddingParameters,
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
)

logger = logging.getLogger(__name__)


def run_comparison(
    *,
    comparison_store,
    comparison_states,
    run_store=None,
    examples,
    fields,
    compounds,
    compound_keys,
    labels,
    parameters,
    compare: CompareParameters,
    retrieval: RetrievalParameters,
    probing: ProbingParameters,
    embedding: EmbeddingParameters,
    **sources,
):
    """Train every model with every seed on one split, and rank the matches of the evaluated fold.

    Finished trainings are used, also those of the study with the same settings. Ranks of finished trainings are stored.
    So an interrupted comparison continues where it was.

    Parameters
    ----------
    comparison_store : cloome_kedro.stores.TableStore
        Store of the hits of each model and seed.
    comparison_states : pathlib.Path
        Folder of the states of trainings and pre-trainings of all seeds.
    run_store : cloome_kedro.run_store.RunStore
        Record of runs.
    parameters : dict
        All parameters. Those of ``models`` are read.
    sources
        Datasets that the views of the models read.

    Returns
    -------
    pandas.DataFrame
        Table ``comparison_hits``.
    """
    import pandas as pd

    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.parameters.comparison import as_configured, checked_comparison, read_entry
    from cloome_kedro.pipelines.compare.running import ComparisonData, SeedOfComparison
    from cloome_kedro.stores import digest_of
    from cloome_kedro.study_models import Model

    split, folds_hash = str(examples["split"].iloc[0]), str(examples["split_hash"].iloc[0])
    compared = compare.compared.models
    entries = checked_comparison(compare, as_configured(parameters["models"]))
    described = {name: Model.configured(name, entries) for name in entries}
    reads = {
        name: {"field": model.field_sources, "compound": model.compound_sources, "all": model.sources}
        for name, model in described.items()
    }
    settings: dict[str, Any] = {name: read_entry(entry) for name, entry in entries.items()}
    data = ComparisonData(
        examples, fields, compounds, compound_keys, labels, {**sources, "fields": fields}, probing, embedding,
        comparison_states, run_store,
    )  # fmt: skip
    queries = fold_fields(examples, retrieval.fold)
    tables = []
    for seed in compare.seeds:
        # The study's own trainings of unchanged models are used, and those of changed models do not replace them.
        folders = {
            name: f"seed_{seed}/{split}/{name if model.is_unchanged(name) else f'{compare.chosen}.{name}'}"
            for name, model in compared.items()
        }
        run = SeedOfComparison(data, settings, reads, seed, folders)
        for number, name in enumerate(entries):
            logger.info("%s split, seed %d: %s (%d of %d)", split, seed, compared[name].label, number + 1, len(entries))
            settings_of_ranks = [retrieval.model_dump(mode="json"), compare.shown_by]
            digest = digest_of(run.identity(name), seed, folds_hash, settings_of_ranks)
            place = f"{compare.chosen}.{split}.{name}.seed_{seed}"
            if not comparison_store.is_current(place, digest):
                hits = _hits(run.embeddings(name), queries, retrieval, seed, compare.shown_by)
                comparison_store.write(place, hits.assign(split=split, seed=seed), digest)
            tables.append(comparison_store.read(place).assign(method=compared[name].label))
    return pd.concat(tables, ignore_index=True).assign(split_hash=folds_hash)


def _hits(embeddings, queries, retrieval: RetrievalParameters, seed: int, shown_by: str):
    """Share of draws in which the match of each compound is among the first k of a sampled pool."""
    from cloome_kedro.evaluation.comparison import hits_by_compound
    from cloome_kedro.evaluation.methods import Method
    from cloome_kedro.evaluation.retrieval import Draws, rank_method

    fields, compounds = embeddings
    method = Method(fields, compounds, normalised=bool(fields.meta.get("normalised", True)))
    ranks = rank_method(method, queries, Draws(retrieval.pool_size, retrieval.draws, seed))
    shown = ranks[(ranks["pool"] == "sampled") & (ranks["shown_by"] == shown_by)]
    return hits_by_compound(shown.assign(split="", seed=seed, method=""), retrieval.top_k).drop(columns="method")


def summarise_comparison(compare: CompareParameters, retrieval: RetrievalParameters, **hits):
    """Compare the models over seeds, compounds and the folds of a cross-validation.

    Parameters
    ----------
    hits
        ``<split>_hits``: the table ``comparison_hits`` of each split.

    Returns
    -------
    comparison : pandas.DataFrame
        Table of this name.
    """
    import pandas as pd

    from cloome_kedro.chemistry.splits import joined_folds
    from cloome_kedro.evaluation.comparison import ComparisonSettings, compare_methods

    tables = {name.removesuffix("_hits"): table for name, table in hits.items()}
    pooled = {split: kind for kind, splits in joined_folds(tables).items() for split in splits}
    settings = ComparisonSettings(
        reference=compare.compared.models[compare.compared.reference].label,
        top_k=retrieval.top_k,
        confidence=retrieval.confidence,
        resamples=compare.resamples,
    )
    compared = compare_methods(pd.concat(tables.values(), ignore_index=True), settings, pooled)
    hashes: dict[str, list[str]] = {}
    for split, table in tables.items():
        hashes.setdefault(pooled.get(split, split), []).append(table["split_hash"].iloc[0])
    return compared.assign(split_hash=compared["split"].map({name: " ".join(found) for name, found in hashes.items()}))


def describe_comparison(comparison, compare: CompareParameters, study: StudyParameters, retrieval: RetrievalParameters):
    """Draw the comparison, and write it as text for the terminal.

    Returns
    -------
    comparison_figure, comparison_summary
    """
    from cloome_kedro.reporting.comparison import comparison_figure, format_comparison

    look = _look(compare, study)
    return comparison_figure(comparison, look), format_comparison(comparison, look, retrieval.confidence)


def write_comparison_part(
    comparison, figure, compare: CompareParameters, study: StudyParameters, retrieval: RetrievalParameters
):
    """Write the comparison as a part of the report, in HTML."""
    from cloome_kedro.reporting.comparison import comparison_tables
    from cloome_kedro.reporting.report import embed, render

    look = _look(compare, study)
    part = render(
        "comparison.html.j2",
        look,
        tables=comparison_tables(comparison, look),
        reference=look.reference,
        seeds=compare.seeds,
        fold=retrieval.fold,
        shown_by=compare.shown_by,
        confidence=retrieval.confidence,
    )
    return embed(part, {"comparison": figure})


def _look(compare: CompareParameters, study: StudyParameters):
    from cloome_kedro.reporting.style import Look

    compared = compare.compared
    labels = {name: model.label for name, model in compared.models.items()}
    return Look(note=study.note, models=labels, reference=labels[compared.reference])
