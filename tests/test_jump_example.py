"""A real screen end to end: two sources, two channel orders, two bit depths."""

import pytest

from project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example(cloome_data, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("jump"))
    project.kedro("run", "--env", "jump_example", CLOOME_DATA=str(cloome_data))
    return project


def test_real_fields_are_ingested_and_joined(example, cloome_data, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", str(cloome_data))
    fields = example.load("fields", env="jump_example")
    assert example.load("rejected_fields", env="jump_example").empty
    assert fields.groupby("plate").size().to_dict() == {"BR00117010-13": 7, "SQ00015198": 8, "SQ00015230": 8}
    assert fields["control"].sum() == 9
    pairs = example.load("pairs", env="jump_example")
    compounds = example.load("compounds", env="jump_example").set_index("inchikey")
    assert compounds.loc[pairs["inchikey"].unique(), "name"].nunique() == 8
    wells = pairs.assign(name=compounds.loc[pairs["inchikey"], "name"].to_numpy()).groupby("name")["well"].unique()
    assert {name: list(where) for name, where in wells.items() if name in ("orantinib", "FK-866")} == {
        "orantinib": ["A13"], "FK-866": ["D08"],
    }  # fmt: skip


def test_the_report_shows_real_cells_and_says_so(example, cloome_data, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", str(cloome_data))
    report = example.load("report", env="jump_example")
    assert "SIMULATED" not in report.upper()
    assert "no claim about accuracy" in report
    assert report.count("data:image/webp") == 3, "the panels, figure 1 and the gallery of fields"
