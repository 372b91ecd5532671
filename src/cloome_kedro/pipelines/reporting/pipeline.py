"""Wiring of the pipeline ``reporting``."""

from collections.abc import Callable, Sequence

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cloome_kedro.pipelines.evaluation.nodes import measure_replicates
from cloome_kedro.pipelines.reporting import cards, joining, nodes, results, sections, tasks, uncertainty
from cloome_kedro.pipelines.wiring import models_namespace, named, task
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
    evaluated = [f"{split}.metrics", f"{split}.differences", "params:study"]
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
                *(f"{split}.retrieval_ranks", *evaluated, *embeddings, "fields", "compounds"),
                *("params:reporting", "params:retrieval", "params:seed", *plate_store),
            ),
            ["retrieval_accuracy", "rank_distribution", *(["retrieval_gallery"] if images else [])],
        ),
        "zero_shot": (
            tasks.describe_zero_shot,
            named(examples, f"{split}.zero_shot_ranks", *evaluated, "params:zero_shot"),
            ["zero_shot_accuracy", "zero_shot_ranks"],
        ),
        "probing": (
            tasks.describe_probing,
            named(
                *(examples, f"{split}.probing_scores", *evaluated, "params:probing"),
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
                *(*evaluated, "params:retrieval"),
            ),
            ["corruption_effects", "corruption_ranks"],
        )
    description = models_namespace(split, "description")
    # Parts that read nothing of other steps belong to their own step, which then hands over a part in place of tables.
    namespaces = {"training": description, "uncertainty": f"{split}.evaluation.uncertainty"}
    part_nodes = [
        node
        for part, (function, inputs, figures) in parts.items()
        for node in _part_nodes(
            f"{split}.{part}",
            function,
            inputs,
            [f"{split}.{name}_figure" for name in figures],
            namespaces.get(part, f"{split}.reporting.{part}"),
        )
    ]
    configs = task(
        results.collect_configs,
        {f"{model}_checkpoint": f"{split}.{model}.checkpoint" for model in models},
        f"{split}.model_configs",
        description,
    )
    gathered = ("metrics", "differences", "leaks", "candidate_sets", "examples", "model_configs")
    gathering = task(
        results.gather_results,
        named(*(f"{split}.{name}" for name in gathered)),
        f"{split}.results",
        f"{split}.reporting",
    )
    section = task(
        sections.write_section,
        named(examples, "later_parts", "params:study", *(f"{split}.{part}_part" for part in parts)),
        f"{split}.report_section",
        f"{split}.reporting",
    )
    return Pipeline([*part_nodes, configs, gathering, section])


def _part_nodes(
    name: str, function: Callable, inputs: dict[str, str], figures: list[str], namespace: str
) -> list[Node]:
    """Make the nodes of one part: one writes the text and draws figures, one puts the figures into the text."""
    return [
        task(function, inputs, [f"{name}_text", *figures], namespace),
        task(sections.put_in_figures, named(*figures, text=f"{name}_text"), f"{name}_part", namespace),
    ]


def create_summary_pipeline() -> Pipeline:
    """Summarise the screen for the report and the data card. kedro-viz shows it with the featurization."""
    tables = named(
        *("fields", "rejected_fields", "compounds", "rejected_compounds", "merged_compounds", "pairs", "label_joins")
    )
    return Pipeline([task(results.summarise_screen, tables, "screen_overview", "featurization")])


def create_pipeline(splits: Sequence[str], images: bool = True) -> Pipeline:
    """Make the figures of the screen, the supplement and the report over all splits of a study.

    Parameters
    ----------
    splits
        Names of the splits.
    images
        Whether the screen has images. Otherwise there are no pictures of fields.
    """
    supplement = [*(f"supplement_table_{sheet.name}" for sheet in SHEETS), "supplement_audits"]
    of_splits = {f"{split}_results": f"{split}.results" for split in splits}
    sections = {f"{split}_section": f"{split}.report_section" for split in splits}
    namespace = "reporting"
    pictures = ["fields_figure", "figure_1_text", "figure_1"] if images else []
    written = Pipeline(
        [
            *(_pictured_data(namespace) if images else _tabulated_data(namespace)),
            task(
                nodes.write_supplement,
                named("params:study", "params:reporting", **of_splits),
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
                    *("data_text", "supplement_text", "later_parts", *pictures),
                    *("params:study", "params:reporting", "params:retrieval", "params:seed"),
                    **sections,
                    **of_splits,
                ),
                ["report", "report_tables", "summary"],
                namespace,
            ),
            task(
                cards.write_cards,
                named(
                    *("fields", "screen_overview", "params:study", "params:cards", "params:retrieval", "params:seed"),
                    **of_splits,
                ),
                ["model_card", "data_card"],
                namespace,
                images=images,
            ),
        ]
    )
    return create_summary_pipeline() + written


_DATA = ("fields", "compounds", "pairs", "screen_overview", "params:study", "params:seed")


def _pictured_data(namespace: str) -> list[Node]:
    """Describe the data of a screen with images, and draw fields."""
    return [
        task(
            nodes.describe_data,
            named(*_DATA, "plate_store"),
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
            named(*_DATA, "replicate_metrics"),
            "data_text",
            namespace,
        ),
    ]
