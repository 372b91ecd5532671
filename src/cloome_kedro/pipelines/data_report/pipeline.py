"""Wiring of the pipeline ``data_report``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.data_report import measuring, nodes
from cloome_kedro.pipelines.wiring import named, task

_FIGURES = ("maps", "plates", "positions", "controls", "compounds", "labels", "precision")
_PICTURES = ("examples", "rejected", "illumination")


def create_pipeline(split: str, model: str, images: bool = True) -> Pipeline:
    """Make the data report: from the tables of the screen to one page, without training.

    Parameters
    ----------
    split, model
        First split and first model of the study. If the model has embedded the fields, its embeddings are compared with
        the profiles.
    images
        Whether the screen has images. Otherwise the report has no pictures and no statistics of images.
    """
    namespace, settings = "data_report", "params:data_report"
    measured = ("fields", "pairs", "compounds", "field_profiles", f"{split}.{model}.embedded_fields")
    figures = {name: f"data_report_{name}_figure" for name in (*_FIGURES, *(_PICTURES if images else ()))}
    pictures = [
        task(
            nodes.draw_fields,
            named(
                *("fields", "field_index", "rejected_fields", "pairs", "compounds", "well_quality", "plate_store"),
                *("params:study", settings, "params:seed"),
            ),
            [f"data_report_{name}_figure" for name in ("examples", "rejected")],
            namespace,
        ),
        task(
            measuring.measure_illumination,
            named("fields", "plate_store", "params:study", settings),
            ["illumination_evenness", "data_report_illumination_figure"],
            namespace,
        ),
    ]
    return Pipeline(
        [
            task(
                measuring.measure_wells,
                named("fields", "cell_counts", settings),
                ["well_quality", "position_effects"],
                namespace,
            ),
            task(
                measuring.measure_precision,
                named(*measured, "params:study", settings, "params:seed"),
                ["average_precision", "average_precision_groups"],
                namespace,
            ),
            task(
                measuring.compare_corrections,
                named(*measured, "params:study", "params:corrections", settings, "params:seed"),
                "average_precision_corrections",
                namespace,
            ),
            task(
                nodes.draw_plates,
                named("well_quality", *(["fields", "plate_statistics"] if images else []), "params:study", settings),
                [figures[name] for name in ("maps", "plates", "positions", "controls")],
                namespace,
            ),
            task(
                nodes.draw_compounds,
                named("pairs", "compounds", "labels", "average_precision_groups", "params:study"),
                [figures[name] for name in ("compounds", "labels", "precision")],
                namespace,
            ),
            *(pictures if images else []),
            task(
                nodes.write_data_report,
                named(
                    *("fields", "rejected_fields", "compounds", "rejected_compounds", "merged_compounds", "pairs"),
                    *("labels", "well_quality", "position_effects", "average_precision"),
                    "average_precision_corrections",
                    *(["illumination_evenness"] if images else []),
                    *("params:study", "params:reporting", settings, "params:seed"),
                    **{f"{name}_figure": dataset for name, dataset in figures.items()},
                ),
                "data_report",
                namespace,
                images=images,
            ),
        ]
    )
