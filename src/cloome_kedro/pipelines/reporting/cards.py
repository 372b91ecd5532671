"""Node that writes the model card and the data card."""

from cloome_kedro.parameters import CardParameters, RetrievalParameters, StudyParameters
from cloome_kedro.pipelines.reporting.joining import by_split


def write_cards(
    *,
    fields,
    rejected_fields,
    compounds,
    rejected_compounds,
    merged_compounds,
    pairs,
    study: StudyParameters,
    cards: CardParameters,
    retrieval: RetrievalParameters,
    seed: int,
    images: bool,
    checkpoint=None,
    **results,
):
    """Describe the first model and the screen in Markdown, as the Hugging Face Hub shows it.

    Parameters
    ----------
    images
        Whether the screen has images.
    checkpoint
        Checkpoint of the first model on the first split. None if this model has no training in epochs.
    results
        ``<split>_metrics``, ``<split>_differences``, ``<split>_leaks``, ``<split>_examples`` and
        ``<split>_candidate_sets`` of every split.

    Returns
    -------
    model_card, data_card (Markdown)
    """
    from cloome_kedro.reporting import about, tables
    from cloome_kedro.reporting import cards as writing
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import UNKNOWN_SPLIT

    look = Look(note=study.note, models=study.models, reference=study.reference_label)
    metrics, differences, examples = (by_split(results, kind) for kind in ("metrics", "differences", "examples"))
    found = {split: headline(table, differences[split], look, retrieval.fold) for split, table in metrics.items()}
    certainty = {
        split: writing.certainty_table(table, look.model)
        for split, table in by_split(results, "candidate_sets").items()
    }
    leaks = writing.leak_table(by_split(results, "leaks"))
    stated = {name: value or writing.NOT_STATED for name, value in cards.model_dump().items()}
    if study.simulated:
        stated["data_source"] = cards.data_source or "simulated by cloome-kedro"
    shared = stated | {
        "screen": study.screen,
        "simulated": study.simulated,
        "folds": writing.fold_table(examples),
        "leaks": leaks,
        "has_leaks": len(leaks) > 0,
        "made": about.facts_of_writing(),
    }
    tags = ["biology", "chemistry", "cell-painting", "cloome", *(["simulated"] if study.simulated else [])]
    model_card = writing.render(
        "model_card.md.j2",
        {
            "license": (cards.model_licence or "unknown").lower(),
            "library_name": "cloome-kedro",
            "pipeline_tag": "feature-extraction",
            "tags": tags,
            "model-index": writing.model_index(look.model, study.screen, retrieval.fold, found),
        },
        **shared,
        model=look.model,
        facts={} if checkpoint is None else about.facts_of_model(checkpoint.config),
        trained_here=checkpoint is None or checkpoint.config.get("split_hash") != UNKNOWN_SPLIT,
        results={split: writing.result_table(of_split) for split, of_split in found.items()},
        certainty={split: table for split, table in certainty.items() if len(table)},
        fold=retrieval.fold,
        confidence=f"{100 * retrieval.confidence:g} %",
        seed=seed,
        sees_images=checkpoint is not None and checkpoint.config["views"]["field"]["name"] == "images",
    )
    data_card = writing.render(
        "data_card.md.j2",
        {
            "license": (cards.data_licence or "unknown").lower(),
            "pretty_name": study.screen,
            "size_categories": [writing.size_category(len(fields))],
            "tags": tags,
        },
        **shared,
        images="five channels, stored as uint8" if images else "none: tables of profiles",
        counts=tables.data_summary(fields, rejected_fields, compounds, merged_compounds, pairs),
        plates=writing.plate_table(fields),
        rejected_fields=tables.rejected_summary(rejected_fields, "field_id"),
        rejected_compounds=tables.rejected_summary(rejected_compounds, "compound_id"),
        stripped=tables.stripped_summary(compounds),
        same_well=about.same_well_text(next(iter(examples.values())), "test"),
    )
    return model_card, data_card
