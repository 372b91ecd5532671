"""The command `cloome check-screen`, in a copy of the project."""

import json
import os

import pytest

import warm_python
from raw_screens import write_screen


def check(project, name):
    return warm_python.run("cloome_kedro", "check-screen", name, folder=project.folder, environment=dict(os.environ))


@pytest.mark.slow
def test_the_exit_status_says_whether_there_are_errors(project):
    """First a screen that is not there, then one without errors, then one of whose images a channel is lost."""
    conf, raw = project.folder / "conf" / "checked", project.folder / "data" / "01_raw" / "checked"
    conf.mkdir()
    (conf / "globals.yml").write_text("screen: checked\nsimulate: false\ntracking: null\n")
    absent = check(project, "checked")
    assert absent.returncode == 2
    assert len(absent.stderr.strip().splitlines()) == 1
    assert str(raw.relative_to(project.folder)) in absent.stderr

    raw.mkdir(parents=True)
    source = write_screen(raw, side=32)
    platemap = {
        "platemaps": "platemap.csv",
        "compounds": "compounds.csv",
        "well_column": "well",
        "compound_column": "compound",
        "name_column": None,
    }
    (conf / "parameters.yml").write_text(
        json.dumps({"ingestion": {"sources": [{**source, "platemap": platemap}], "storage": {"size": [32, 32]}}})
    )
    good = check(project, "checked")
    assert good.returncode == 0, good.stderr
    assert good.stdout.count("checked: OK") == 1
    assert "16 fields in 8 wells of 2 plates are complete" in good.stdout

    for path in (raw / "images" / "P2").glob("*-ch1sk1fk1fl1.tiff"):
        path.unlink()
    bad = check(project, "checked")
    assert bad.returncode == 2
    assert "ERROR   fields: 8 of 16 fields" in bad.stdout
    assert "Traceback" not in bad.stdout + bad.stderr
    table = (project.folder / "data/08_reporting/checked/screen_check.csv").read_text()
    assert table.startswith("check,verdict,text\n")
