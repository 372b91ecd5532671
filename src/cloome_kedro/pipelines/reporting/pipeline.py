"""Wiring of the pipeline ``reporting``."""

from collections.abc import Callable, Sequence

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cloome_kedro.pipelines.evaluation.nodes import measure_replicates
from cloome_kedro.pipelines.reporting import cards, joining, nodes, sections, tasks, uncertainty
from cloome_kedro.pipelines.wiring import named, task
from cloome_kedro.reporting.sheets import SHEETS


def create_split_pipeline(
    split: str,
    models: Sequence[str],
    sees_images: bool,
    in_closed_form: Sequence[str] = (),
    images: bool = True,
    pretrained: Sequence[str] = (),
) -> Pipeline:
    """Make the figures and the section of one split.

    Parameters
    ----------
    split
        Name of the split.
    models
        Names of the study's models.
    sees_images
        Whether the first model sees images. Otherwise there is no corruption study.
    in_closed_form
        Names of the models that have no training in epochs. They have a table of the tried settings in place of a
        checkpoint and a history.
    images
        Whether the screen has images. Otherwise there is no gallery.
    pretrained
        Names of the models with a pre-training.
    """
    first = f"{split}.{models[0]}"
    examples, embeddings = f"{split}.examples", [f"{first}.field_embeddings", f"{first}.compound_embeddings"]
    results = [f"{split}.metrics", f"{split}.differences", "params:study"]
    plate_store = ["plate_store"] if images else []
    trainings = {
        f"{model}_{name}": f"{split}.{model}.{name}"
        for model in models
        for name in (["selection"] if model in in_closed_form else ["checkpoint", "history"])
    }
    trainings |= {f"{model}_pretraining_history": f"{split}.{model}.pretraining_history" for model in pretrained}
    parts: dict[str, tuple[Callable, dict[str, str], list[str]]] = {
        "training": (
            sections.describe_training,
            named(examples, "compounds", f"{split}.leaks", "params:study", **trainings),
            ["training_curves"],
        ),
        "retrieval": (
            sections.describe_retrieval,
            named(
                *(f"{split}.retrieval_ranks", *results, *embeddings, "fields", "compounds"),
                *("params:reporting", "params:retrieval", "params:seed", *plate_store),
            ),
            ["retrieval_accuracy", "rank_distribution", *(["retrieval_gallery"] if images else [])],
        ),
        "zero_shot": (
            tasks.describe_zero_shot,
            named(examples, f"{split}.zero_shot_ranks", *results, "params:zero_shot"),
            ["zero_shot_accuracy", "zero_shot_ranks"],
        ),
        "probing": (
            tasks.describe_probing,
            named(
                *(examples, f"{split}.probing_scores", *results, "params:probing"),
                *([f"{split}.corrupted_probing_scores"] if sees_images else []),
            ),
            ["assay_auc"],
        ),
        "uncertainty": (
            uncertainty.describe_uncertainty,
            named(
                *(examples, f"{split}.candidate_sets", f"{split}.answered", f"{split}.softmax_calibration"),
                *(f"{split}.probe_calibration", f"{split}.familiarity", "params:study", "params:uncertainty"),
            ),
            ["answer_certainty"],
        ),
        "embedding": (
            sections.describe_embeddings,
            named(*embeddings, examples, "params:study", "params:retrieval", "params:seed"),
            ["embedding_map", "modality_gap"],
        ),
    }
    if sees_images:
        parts["corruption"] = (
            tasks.describe_corruption,
            named(
                *(examples, f"{first}.corrupted_fields", f"{split}.retrieval_ranks", f"{split}.corruption_ranks"),
                *(*results, "params:retrieval"),
            ),
            ["corruption_effects", "corruption_ranks"],
        )
    part_nodes = [
        node
        for part, (function, inputs, figures) in parts.items()
        for node in _part_nodes(f"{split}.{part}", function, inputs, [f"{split}.{name}_figure" for name in figures])
    ]
    section = task(
        sections.write_section,
        named(examples, "later_parts", "params:study", *(f"{split}.{part}_part" for part in parts)),
        f"{split}.report_section",
        f"{split}.reporting",
    )
    return Pipeline([*part_nodes, section])


def _part_nodes(name: str, function: Callable, inputs: dict[str, str], figures: list[str]) -> list[Node]:
    """Make the nodes of one part: one writes the text and draws figures, one puts the figures into the text.

    kedro-viz shows both as one box in the reporting of the split.
    """
    split, _, part = name.partition(".")
    namespace = f"{split}.reporting.{part}"
    return [
        task(function, inputs, [f"{name}_text", *figures], namespace),
        task(sections.put_in_figures, named(*figures, text=f"{name}_text"), f"{name}_part", namespace),
    ]


def create_pipeline(splits: Sequence[str], images: bool = True, model: str = "") -> Pipeline:
    """Make the figures of the screen, the supplement and the report over all splits of a study.

    Parameters
    ----------
    splits
        Names of the splits.
    images
        Whether the screen has images. Otherwise there are no pictures of fields.
    model
        Name of the first model, whose settings the report names. Empty: it has no checkpoint.
    """
    supplement = [*(f"supplement_table_{sheet.name}" for sheet in SHEETS), "supplement_audits"]
    results = {f"{split}_{name}": f"{split}.{name}" for split in splits for name in ("metrics", "differences", "leaks")}
    sections = {f"{split}_section": f"{split}.report_section" for split in splits}
    metrics = {name: dataset for name, dataset in results.items() if not name.endswith("_leaks")}
    checkpoint = {"checkpoint": f"{splits[0]}.{model}.checkpoint"} if model else {}
    namespace = "reporting"
    pictures = ["fields_figure", "figure_1_text", "figure_1"] if images else []
    return Pipeline(
        [
            *(_pictured_data(namespace) if images else _tabulated_data(namespace)),
            task(
                nodes.write_supplement,
                named("params:study", "params:reporting", **results),
                supplement,
                f"{namespace}.supplement",
            ),
            task(
                nodes.describe_supplement,
                named(*supplement, "params:study", "params:reporting"),
                "supplement_text",
                f"{namespace}.supplement",
            ),
            task(
                joining.write_report,
                named(
                    *("data_text", "supplement_text", "later_parts", "data_reports", *pictures),
                    *("params:study", "params:reporting", "params:retrieval", "params:seed"),
                    **sections,
                    **metrics,
                    **checkpoint,
                ),
                ["report", "report_tables", "summary"],
                namespace,
            ),
            task(
                cards.write_cards,
                named(
                    *(*_DATA, "params:study", "params:cards", "params:retrieval", "params:seed"),
                    **results,
                    **{
                        f"{split}_{kind}": f"{split}.{kind}"
                        for split in splits
                        for kind in ("examples", "candidate_sets")
                    },
                    **checkpoint,
                ),
                ["model_card", "data_card"],
                namespace,
                images=images,
            ),
        ]
    )


_DATA = ("fields", "rejected_fields", "compounds", "rejected_compounds", "merged_compounds", "pairs")


def _pictured_data(namespace: str) -> list[Node]:
    """Describe the data of a screen with images, and draw fields."""
    return [
        task(
            nodes.describe_data,
            named(*_DATA, "label_joins", "plate_store", "params:study", "params:seed"),
            ["data_text", "fields_figure"],
            namespace,
        ),
        task(
            nodes.draw_figure_1,
            named("fields", "plate_store", "params:study", "params:seed"),
            ["figure_1_text", "figure_1"],
            namespace,
        ),
    ]


def _tabulated_data(namespace: str) -> list[Node]:
    """Describe the data of a screen without images, and measure how well replicates find each other."""
    return [
        task(
            measure_replicates,
            named("pairs", "field_profiles", "params:retrieval"),
            "replicate_metrics",
            namespace,
        ),
        task(
            nodes.describe_data,
            named(*_DATA, "label_joins", "replicate_metrics", "params:study", "params:seed"),
            "data_text",
            namespace,
        ),
    ]
