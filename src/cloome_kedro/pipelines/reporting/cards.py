"""Node that writes the model card and the data card."""

from cloome_kedro.parameters import CardParameters, RetrievalParameters, StudyParameters
from cloome_kedro.pipelines.reporting.joining import by_split


def write_cards(
    *,
    fields,
    screen_overview,
    study: StudyParameters,
    cards: CardParameters,
    retrieval: RetrievalParameters,
    seed: int,
    images: bool,
    **results,
):
    """Describe the first model and the screen in Markdown, as the Hugging Face Hub shows it.

    Parameters
    ----------
    screen_overview
        Tables of :func:`~cloome_kedro.pipelines.reporting.results.summarise_screen`.
    images
        Whether the screen has images.
    results
        ``<split>_results`` of every split, from :func:`~cloome_kedro.pipelines.reporting.results.gather_results`.

    Returns
    -------
    model_card, data_card (Markdown)
    """
    from cloome_kedro.reporting import about
    from cloome_kedro.reporting import cards as writing
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.words import UNKNOWN_SPLIT

    look = Look(note=study.note, models=study.models, reference=study.reference_label)
    splits = by_split(results, "results")
    found = {
        split: headline(parts["metrics"], parts["differences"], look, retrieval.fold, retrieval.confidence)
        for split, parts in splits.items()
    }
    certainty = {split: writing.certainty_table(parts["candidate_sets"], look.model) for split, parts in splits.items()}
    leaks = writing.leak_table({split: parts["leaks"] for split, parts in splits.items()})
    config = about.config_of_first_model(splits, study.models)
    stated = {name: value or writing.NOT_STATED for name, value in cards.model_dump().items()}
    if study.simulated:
        stated["data_source"] = cards.data_source or "simulated by cloome-kedro"
    shared = stated | {
        "screen": study.screen,
        "simulated": study.simulated,
        "folds": writing.fold_table({split: parts["folds"] for split, parts in splits.items()}),
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
        facts=about.facts_of_model(config) if config else {},
        trained_here=config.get("split_hash") != UNKNOWN_SPLIT,
        results={split: writing.result_table(of_split) for split, of_split in found.items()},
        certainty={split: table for split, table in certainty.items() if len(table)},
        fold=retrieval.fold,
        confidence=f"{100 * retrieval.confidence:g} %",
        seed=seed,
        sees_images=bool(config) and config["views"]["field"]["name"] == "images",
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
        **{name: table for name, table in screen_overview.items() if name != "label_joins"},
        same_well=next(iter(splits.values()))["same_well"],
    )
    return model_card, data_card
