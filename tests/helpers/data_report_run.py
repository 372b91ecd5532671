"""Runs of the pipeline ``data_report`` on the invented study, in memory."""

import numpy as np
import pandas as pd
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.plate_statistics import plate_statistics
from cloome_kedro.parameters import DataReportParameters
from cloome_kedro.parameters.evaluation import NO_CORRECTIONS
from cloome_kedro.pipelines.data_report import create_pipeline
from report_run import PARAMETERS, Drawn, Kept

SETTINGS = DataReportParameters(rankings=100, resamples=50)


def data_of(study):
    """Datasets of the data report: those of the study, with measurements that differ from field to field."""
    generator = np.random.default_rng(0)
    fields = study["fields"].copy()
    for channel in CHANNELS:
        fields[f"mean_{channel}"] = generator.normal(80, 8, len(fields))
        fields[f"std_{channel}"] = generator.uniform(5, 9, len(fields))
        fields[f"focus_{channel}"] = generator.uniform(0.1, 0.5, len(fields))
        fields[f"saturated_{channel}"] = generator.uniform(0, 0.01, len(fields))
    nuclei = generator.poisson(20, len(fields)).astype(float)
    profiles = pd.DataFrame(generator.normal(size=(len(fields), 6)), columns=[f"Cells_{i}" for i in range(6)])
    profiles.insert(0, "field_id", fields["field_id"].to_numpy())
    labels = study["compounds"][["inchikey"]].assign(assay_1=np.resize([1.0, 0.0, np.nan], len(study["compounds"])))
    return {
        **study,
        "fields": fields,
        "cell_counts": pd.DataFrame({"field_id": fields["field_id"], "nuclei": nuclei}),
        "field_profiles": profiles,
        "plate_statistics": plate_statistics(fields, 2),
        "labels": labels,
        "field_index": schemas.empty(schemas.field_index),
        "random.cloome.embedded_fields": None,
    }


def run_data_report(datasets, *, images=True, encoded=(), **parameters):
    """The catalog after a run. ``encoded``: figures that are encoded; ``parameters``: groups that replace others."""
    groups = {"params:data_report": SETTINGS, "params:corrections": NO_CORRECTIONS} | {
        f"params:{name}": value for name, value in parameters.items()
    }
    given = PARAMETERS | datasets | groups
    pipeline = create_pipeline("random", "cloome", images)
    catalog = DataCatalog({name: Kept(given[name]) for name in pipeline.inputs()})
    for name in pipeline.all_outputs():
        catalog[name] = Drawn(name in encoded) if name.endswith("_figure") else Kept()
    SequentialRunner().run(pipeline, catalog)
    return catalog
