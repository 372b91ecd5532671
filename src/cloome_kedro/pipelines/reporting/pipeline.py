"""Wiring of the pipeline ``reporting``."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from cloome_kedro.reporting.sheets import SHEETS

from . import sections, tasks, tuning
from .nodes import draw_figure_1, write_report
from .supplement import TABLES, write_supplement

METRICS = [f"{task}_metrics" for task in ("retrieval", "zero_shot", "probing")]


def _of_split(split: str, function: Callable, inputs: list[str], outputs: str | list[str], name: str = "") -> Node:
    named = update_wrapper(partial(function, split=split), function)
    return node(named, inputs, outputs, name=name or function.__name__)


def create_section_pipeline(split: str) -> Pipeline:
    """One split's figures and the parts of its section; the caller puts it into the split's namespace."""
    of_split = partial(_of_split, split)
    embeddings = ["image_embeddings", "structure_embeddings"]
    return Pipeline(
        [
            of_split(
                sections.describe_training,
                ["history", "leaks", "folds", "compounds", "pairs", "params:reporting"],
                ["training_part", "training_curves"],
            ),
            of_split(
                sections.describe_retrieval,
                [
                    *("retrieval_ranks", "bilinear_ranks", "oracle_ranks", "retrieval_metrics"),
                    *("retrieval_differences", *embeddings, "plate_store", "fields", "compounds"),
                    *("params:reporting", "params:retrieval", "params:seed"),
                ],
                ["retrieval_part", "rank_distribution", "retrieval_gallery"],
            ),
            of_split(
                tasks.describe_zero_shot,
                [
                    *("zero_shot_ranks", "zero_shot_metrics", "zero_shot_differences"),
                    *("params:reporting", "params:zero_shot"),
                ],
                ["zero_shot_part", "zero_shot_figure", "zero_shot_rank_distribution"],
            ),
            of_split(
                tasks.describe_probing,
                [
                    *("probing_scores", "probing_metrics", "probing_differences", "corruption_probing_scores"),
                    *("params:reporting", "params:probing"),
                ],
                ["probing_part", "assay_auc"],
            ),
            of_split(
                tasks.describe_corruption,
                [
                    *("corruption_metrics", "corruption_differences", "corrupted_fields"),
                    *("retrieval_metrics", "zero_shot_metrics", "params:reporting", "params:retrieval"),
                ],
                ["corruption_part", "corruption_figure"],
            ),
            of_split(
                sections.describe_embeddings,
                [
                    *(*embeddings, "pairs", "compounds", "folds"),
                    *("params:reporting", "params:retrieval", "params:seed"),
                ],
                ["embedding_part", "embedding_map", "modality_gap"],
            ),
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )


def create_pipeline(splits: Sequence[str]) -> Pipeline:
    """The supplement, figure 1 and the report over all splits of a study."""
    with warnings.catch_warnings():
        # nodes read from several splits' namespaces, of which Kedro warns
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        nodes = [_draw_figure_1(), _write_supplement(splits), _write_report(splits)]
        # Not in the split's namespace: what a search found is later than what a split begins with, and kedro-viz
        # draws no layers where a namespace's input is of a later layer than its output.
        nodes += [create(split) for create in (_describe_tuning, _join_section) for split in splits]
        return Pipeline(nodes, namespace="reporting", prefix_datasets_with_namespace=False)


def _describe_tuning(split: str) -> Node:
    tables = ["trials", "trial_epochs", "importances", "folds", *METRICS, *(f"tuned.{table}" for table in METRICS)]
    inputs = [*(f"{split}.{table}" for table in tables), "params:reporting"]
    return _of_split(split, tuning.describe_tuning, inputs, f"{split}.tuning_part", f"describe_tuning_{split}")


def _join_section(split: str) -> Node:
    parts = ("training", "tuning", "retrieval", "zero_shot", "probing", "corruption", "embedding")
    inputs = [f"{split}.{name}" for name in (*(f"{part}_part" for part in parts), *METRICS)]
    outputs = [f"{split}.{name}" for name in ("report_section", "report_cards")]
    return _of_split(split, sections.join_section, inputs, outputs, f"join_section_{split}")


def _draw_figure_1() -> Node:
    return node(
        draw_figure_1,
        inputs=["fields", "plate_store", "params:reporting", "params:seed"],
        outputs=["figure_1", "figure_1_pdf", "figure_1_part"],
        name="draw_figure_1",
    )


def _write_report(splits: Sequence[str]) -> Node:
    return node(
        write_report,
        inputs=[
            *("params:reporting", "params:retrieval", "params:seed"),
            *("fields", "rejected_fields", "compounds", "rejected_compounds", "pairs", "plate_store"),
            *("figure_1_part", "supplement_section"),
            *(
                f"{split}.{name}"
                for name in ("report_section", "report_cards", "retrieval_metrics")
                for split in splits
            ),
        ],
        outputs=["report", "retrieval_summary"],
        name="write_report",
    )


def _write_supplement(splits: Sequence[str]) -> Node:
    return node(
        update_wrapper(partial(write_supplement, splits=splits), write_supplement),
        inputs=[
            "params:reporting",
            "params:retrieval",
            *(f"{split}.{table}" for table in TABLES for split in splits),
        ],
        outputs=[
            *(f"supplement_table_{sheet.name}" for sheet in SHEETS),
            "supplement_audits",
            "supplement_section",
            "tasks_summary",
        ],
        name="write_supplement",
    )
