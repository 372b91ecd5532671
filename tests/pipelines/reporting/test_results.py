"""What a split and the screen hand to the report: it is the same after it was stored."""

import pandas as pd
import pytest

from cloome_kedro.datasets.bundle import Bundle
from cloome_kedro.pipelines.reporting import create_pipeline, create_split_pipeline
from report_run import PARAMETERS, handed_over, run_node
from synthetic_study import MODELS, make_study

STORED = ("random.results", "screen_overview")


@pytest.fixture(scope="module")
def study():
    return make_study("random")


@pytest.fixture(scope="module")
def handed(study):
    return handed_over({"random": study})


def test_the_cards_and_the_supplement_are_the_same_after_storing(handed, tmp_path):
    stored = dict(handed)
    for name in STORED:
        dataset = Bundle(filepath=str(tmp_path / name))
        dataset.save(handed[name])
        stored[name] = dataset.load()
        assert set(stored[name]) == set(handed[name])
    pipeline = create_pipeline(["random"])
    cards = [run_node(pipeline, "write_cards", given | PARAMETERS) for given in (handed, stored)]
    without_time = [
        [line for card in written.values() for line in card.splitlines() if not line.startswith("- written")]
        for written in cards
    ]
    assert without_time[0] == without_time[1]
    tables = [run_node(pipeline, "write_supplement", given | PARAMETERS) for given in (handed, stored)]
    for name, table in tables[0].items():
        pd.testing.assert_frame_equal(tables[1][name].table, table.table)
    texts = [run_node(pipeline, "describe_data", given | PARAMETERS)["data_text"] for given in (handed, stored)]
    assert texts[0] == texts[1]


def test_results_have_the_configurations_of_all_models(study, handed):
    pipeline = create_split_pipeline("random", list(MODELS), True)
    checkpoints = {f"random.{model}.checkpoint": value for model, value in study["checkpoints"].items()}
    configs = run_node(pipeline, "collect_configs", checkpoints)["random.model_configs"]
    assert configs == {model: value.config for model, value in study["checkpoints"].items()}
    assert handed["random.results"]["models"] == configs


def test_sizes_of_folds_are_those_of_the_examples(study, handed):
    sizes = handed["random.results"]["folds"].set_index("fold")
    counts = study["examples"].groupby("fold").agg(fields=("field_id", "size"), compounds=("inchikey", "nunique"))
    for fold, row in counts.iterrows():
        assert (sizes.loc[fold, "fields"], sizes.loc[fold, "compounds"]) == (f"{row.fields:,}", f"{row.compounds:,}")
