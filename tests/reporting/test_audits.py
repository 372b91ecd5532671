"""The table of audits: every setting once, its differences in its row, and the leaks of the split."""

import pandas as pd
import pytest

from cloome_kedro.reporting.audits import audit_table
from cloome_kedro.reporting.supplement import ABSENT
from synthetic_study import make_study
from synthetic_tasks import make_tasks


def joined(tables, *names) -> pd.DataFrame:
    return pd.concat([tables[name] for name in names], ignore_index=True)


@pytest.fixture(scope="module")
def study():
    tables = make_study("random")
    tables |= make_tasks(tables)
    return {
        "metrics": joined(tables, "retrieval_metrics", "zero_shot_metrics", "probing_metrics", "corruption_metrics"),
        "differences": joined(tables, "zero_shot_differences", "probing_differences", "corruption_differences"),
        "leaks": tables["leaks"].assign(split="random"),
    }


@pytest.fixture(scope="module")
def table(study):
    return audit_table(**study, whose="ours: simulated").table


def one(table, **cells):
    for column, cell in cells.items():
        table = table[table[column] == cell]
    assert len(table) == 1
    return table.iloc[0]


def test_every_setting_is_there_once(study, table):
    metrics = study["metrics"].query("draws == 1 and method != 'Random' and metric in ('top-1', 'mean AUC')")
    settings = ["task", "method", "images", "direction", "pool", "shown_by", "excluded"]
    of_tasks = table[table["Audit"] != "split leaks"]
    assert len(of_tasks) == len(metrics.drop_duplicates(settings))
    assert not of_tasks.duplicated(["Audit", "Split", "Method", "Images", "Setting"]).any()
    assert list(table["Audit"].unique()) == [
        "zero-shot MoA", "zero-shot compound", "probing", "retrieval", "split leaks"
    ]  # fmt: skip


def test_a_row_has_its_value_chance_and_leak(study, table):
    row = one(table, Audit="zero-shot MoA", Method="Profiles", Setting="full pool, excluded: plate")
    query = "task == 'zero-shot MoA' and method == 'Profiles' and excluded == 'plate' and metric == 'top-1'"
    metric = study["metrics"].query(query + " and draws == 1").iloc[0]
    change = study["differences"].query(query).iloc[0]
    assert row["Value"].startswith(f"{100 * metric['value']:#.3g} ({100 * metric['low']:#.3g}–")
    assert row["Chance"] == f"{100 / 9:.1f}"
    assert row["n"] == str(metric["n"])
    assert row["Minus unrestricted"].startswith(f"{100 * change['difference']:+.1f} ({100 * change['low']:+.1f} to ")
    none = one(table, Audit="zero-shot MoA", Method="Profiles", Setting="full pool, excluded: none")
    assert none["Minus unrestricted"] == ABSENT
    other = study["differences"].query("against == 'method Profiles' and task == 'zero-shot MoA' and metric == 'top-1'")
    assert none["CLOOME minus this method"].startswith(f"{100 * other['difference'].iloc[0]:+.1f} (")


def test_corruptions_are_set_against_clean_images(study, table):
    setting = "structure retrieval, full pool"
    row = one(table, Audit="retrieval", Method="CLOOME", Images="large_rotation", Setting=setting)
    change = study["differences"].query(
        "against == 'clean' and images == 'large_rotation' and direction == 'structure retrieval'"
        " and pool == 'full' and metric == 'top-1'"
    )
    assert row["Minus clean images"].startswith(f"{100 * change['difference'].iloc[0]:+.1f} (")
    clean = table.query("Audit == 'retrieval' and Method == 'CLOOME' and Images == 'clean'")
    assert set(clean["Minus clean images"]) == {ABSENT}


def test_probing_is_in_points_of_auc(study, table):
    row = one(table, Audit="probing", Method="Untrained")
    auc = study["metrics"].query("method == 'Untrained' and metric == 'mean AUC'")["value"].iloc[0]
    assert row["Value"].startswith(f"{auc:.3f} (")
    assert row["Chance"] == "0.500"
    assert row["CLOOME minus this method"][0] in "+-"


def test_leaks_name_folds_and_examples(table):
    leaks = table[table["Audit"] == "split leaks"]
    assert len(leaks) == 6
    assert leaks.iloc[0][["Setting", "Value", "n"]].tolist() == ["structure: test in train", "0", "14"]
    assert leaks.iloc[2]["Setting"] == "scaffold: test in train, e.g. AAA ~ BBB (0.97)"


def test_methods_stand_in_one_order_and_chance_is_a_column(table):
    assert "Random" not in set(table["Method"])
    first = table[(table["Audit"] == "zero-shot MoA") & (table["Images"] == "clean")]["Method"].unique()
    assert first.tolist() == ["CLOOME", "Profiles", "Untrained", "Plate only", "Cell count only"]


def test_nothing_found_is_an_empty_table(study):
    empty = {name: frame.iloc[:0] for name, frame in study.items()}
    found = audit_table(**empty, whose="ours: simulated")
    assert found.table.empty
    assert list(found.table) == list(audit_table(**study, whose="").table)
