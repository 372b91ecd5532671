"""Complete and incomplete fields, wells without compound, and sources that cannot be read."""

import dataclasses

import pandas as pd
import pytest

from cloome_kedro.imaging.inspection.fields import check_fields, index_sources, plate_table
from cloome_kedro.imaging.inspection.findings import findings_table
from cloome_kedro.imaging.sources import Source
from raw_screens import write_screen


def source_of(screen):
    return Source(**screen)


def verdicts(findings):
    return findings_table(findings)[["check", "verdict"]].to_numpy().tolist()


def test_a_complete_screen(tmp_path):
    index = index_sources(tmp_path, "s", [source_of(write_screen(tmp_path))])
    plates = plate_table(index)
    assert plates.to_dict("records") == [
        {
            "plate": plate,
            "fields": 8,
            "rejected": 0,
            "wells": 4,
            "controls": 1,
            "without_compound": 0,
            "missing": 0,
        }
        for plate in ("P1", "P2")
    ]
    findings = check_fields(plates, index.rejected, 0.05)
    assert verdicts(findings) == [["fields", "ok"], ["wells", "ok"]]
    assert findings[0].text == "16 fields in 8 wells of 2 plates are complete"


def test_what_is_missing_is_counted_by_plate(tmp_path):
    """A channel of one field, both sites of a well but one, and the compound of a well."""
    source = source_of(write_screen(tmp_path))
    (tmp_path / "images" / "P1" / "r01c01f01p01-ch1sk1fk1fl1.tiff").unlink()
    for channel in range(1, 6):
        (tmp_path / "images" / "P2" / f"r01c02f02p01-ch{channel}sk1fk1fl1.tiff").unlink()
    platemap = tmp_path / "platemap.csv"
    platemap.write_text(platemap.read_text().replace("A03,c3,", "A03,unknown,"))
    index = index_sources(tmp_path, "s", [source])
    table = plate_table(index).set_index("plate")
    assert table["rejected"].to_dict() == {"P1": 3, "P2": 2}
    assert table["without_compound"].to_dict() == {"P1": 1, "P2": 1}
    assert table["missing"].to_dict() == {"P1": 0, "P2": 1}
    findings = check_fields(plate_table(index), index.rejected, 0.05)
    assert verdicts(findings) == [["fields", "error"], ["fields", "warning"], ["wells", "warning"]]
    assert "missing channel (1)" in findings[0].text
    assert "well without compound (4)" in findings[0].text
    assert "Most are on P1 (3), P2 (2)" in findings[0].text
    assert "1 field fewer than the usual number per well, most on P2 (1)" in findings[1].text
    assert "2 wells without compound, most on P1 (1), P2 (1)" in findings[2].text
    assert check_fields(plate_table(index), index.rejected, 0.5)[0].verdict == "warning"


def test_a_file_that_is_listed_twice(tmp_path):
    index = index_sources(tmp_path, "s", [source_of(write_screen(tmp_path))])
    reason = "channel DNA: a.tif is also listed for another field or channel"
    rejected = pd.DataFrame([{"field_id": "s/P1/A01/1", "plate": "P1", "well": "A01", "site": 1, "reason": reason}])
    findings = check_fields(plate_table(dataclasses.replace(index, rejected=rejected)), rejected, 0.5)
    assert ["doubled files", "warning"] in verdicts(findings)
    assert "an image is listed twice (1)" in findings[0].text


def test_a_source_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    good = write_screen(tmp_path)
    bad = {**good, "name": "bad", "folder": "elsewhere"}
    index = index_sources(tmp_path, "s", [source_of(good), source_of(bad)])
    assert verdicts(index.findings) == [["source", "error"]]
    assert "source bad: there is no folder" in index.findings[0].text
    assert plate_table(index)["fields"].tolist() == [8, 8]
    index = index_sources(tmp_path, "s", [source_of(bad)])
    assert "source bad: there is no folder" in index.findings[0].text
    assert plate_table(index).empty
    assert check_fields(plate_table(index), index.rejected, 0.05) == []


def test_sources_that_contradict_each_other(tmp_path):
    good = write_screen(tmp_path)
    index = index_sources(tmp_path, "s", [source_of(good), source_of({**good, "name": "again"})])
    assert [finding.verdict for finding in index.findings] == ["error"]
    assert "is in the sources" in index.findings[0].text


@pytest.mark.parametrize("controls", [("DMSO",), ("nothing",)])
def test_plates_without_controls(tmp_path, controls):
    source = write_screen(tmp_path)
    source["platemap"] = dataclasses.replace(source["platemap"], controls=controls)
    index = index_sources(tmp_path, "s", [source_of(source)])
    texts = [finding.text for finding in check_fields(plate_table(index), index.rejected, 0.5)]
    assert any("2 plates without control wells, e.g. P1, P2" in text for text in texts) == (controls != ("DMSO",))
