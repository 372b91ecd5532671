"""Wiring of the pipeline ``reporting``."""

import warnings
from collections.abc import Sequence
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from cloome_kedro.reporting.sheets import SHEETS

from .nodes import describe_split, write_report
from .supplement import TABLES, write_supplement


def create_section_pipeline(split: str) -> Pipeline:
    """One split's figures and its part of the report; the caller puts it into the split's namespace.

    Parameters
    ----------
    split : accepted as all split pipelines do; the tables themselves carry its name
    """
    return Pipeline(
        [
            node(
                describe_split,
                inputs=[
                    "history",
                    "retrieval_ranks",
                    "retrieval_metrics",
                    "image_embeddings",
                    "structure_embeddings",
                    "plate_store",
                    "fields",
                    "pairs",
                    "compounds",
                    "folds",
                    "params:reporting",
                    "params:retrieval",
                    "params:seed",
                ],
                outputs=["report_section", "training_curves", "rank_distribution", "retrieval_gallery"],
                name="describe_split",
            )
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )


def create_pipeline(splits: Sequence[str]) -> Pipeline:
    """The report over all splits of a study."""
    with warnings.catch_warnings():
        # one node reads from several splits' namespaces, of which Kedro warns
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        return Pipeline([_write_report(splits)], namespace="reporting", prefix_datasets_with_namespace=False)


def _write_report(splits: Sequence[str]) -> Node:
    return node(
        write_report,
        inputs=[
            "params:reporting",
            "params:retrieval",
            "params:seed",
            "fields",
            "rejected_fields",
            "compounds",
            "rejected_compounds",
            "pairs",
            "plate_store",
            *(f"{split}.report_section" for split in splits),
            *(f"{split}.retrieval_metrics" for split in splits),
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
