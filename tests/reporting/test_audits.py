"""The table of audits: every setting once, its differences in its row, and the leaks of the split."""

import pytest

from cloome_kedro.reporting.audits import audit_table
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


def tables_of(**options):
    """What the audits are made of."""
    study = make_study(**options)
    return {
        **{name: study[name] for name in ("metrics", "differences")},
        "leaks": study["leaks"].assign(split=study["examples"]["split"].iloc[0]),
    }


@pytest.fixture(scope="module")
def study():
    return tables_of()


@pytest.fixture(scope="module")
def table(study):
    return audit_table(**study, data_note="ours: simulated", look=LOOK).table


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
    setting = "image → compound, full pool"
    row = one(table, Audit="retrieval", Method="CLOOME", Images="large_rotation", Setting=setting)
    change = study["differences"].query(
        "against == 'clean' and images == 'large_rotation' and direction == 'image to compound'"
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
    found = audit_table(**empty, data_note="ours: simulated", look=LOOK)
    assert found.table.empty
    assert list(found.table) == list(audit_table(**study, data_note="", look=LOOK).table)


def test_the_model_has_its_own_name():
    models = {"profile": "Profile model", "bilinear": "Bilinear"}
    tables = tables_of(models=models)
    table = audit_table(**tables, data_note="", look=Look(models=models)).table
    assert "CLOOME" not in table.to_csv()
    row = one(table, Audit="zero-shot MoA", Method="Profiles", Setting="full pool, excluded: none")
    change = tables["differences"].query(
        "method == 'Profile model' and against == 'method Profiles' and task == 'zero-shot MoA' and metric == 'top-1'"
    )
    assert row["Profile model minus this method"].startswith(f"{100 * change['difference'].iloc[0]:+.1f} (")
    assert table["Method"].iloc[0] == "Profile model"
