import bz2
import csv
import gzip
import logging
import lzma

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.imaging.tables import place, read_head, read_table

TABLE = {"well": ["A01", "B02"], "name": ["5 µM", "a, b; c"]}
CSV = 'well,name\nA01,5 µM\nB02,"a, b; c"\n'


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", "\t")])
def test_cells_stay_text(tmp_path, name, separator):
    (tmp_path / name).write_text(f"plate{separator}name\n00123{separator}NA\n7\n")
    table = read_table(tmp_path / name, ["plate"])
    assert table.to_dict("list") == {"plate": ["00123", "7"], "name": ["NA", ""]}


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "usual": ("a.csv", CSV),
        "semicolons": ("a.csv", 'well;name\nA01;5 µM\nB02;"a, b; c"\n'),
        "tabs in a .csv": ("a.csv", "well\tname\nA01\t5 µM\nB02\ta, b; c\n"),
        "commas in a .tsv": ("a.tsv", CSV),
        "semicolons in a .txt": ("a.txt", 'well;name\nA01;5 µM\nB02;"a, b; c"\n'),
        "bars": ("a.txt", "well|name\nA01|5 µM\nB02|a, b; c\n"),
        "sep= line": ("a.csv", 'sep=;\nwell;name\nA01;5 µM\nB02;"a, b; c"\n'),
        "quoted sep= line of Excel": ("a.csv", '"sep=\t"\r\nwell\tname\r\nA01\t5 µM\r\nB02\ta, b; c\r\n'),
        "sep= line against the suffix": ("a.tsv", "SEP=,\n" + CSV),
        "mark of UTF-8": ("a.csv", CSV.encode("utf-8-sig")),
        "mark and sep= line": ("a.csv", ("sep=,\n" + CSV).encode("utf-8-sig")),
        "latin-1": ("a.csv", CSV.encode("latin-1")),
        "Windows": ("a.csv", CSV.encode("cp1252")),
        "UTF-16": ("a.csv", CSV.encode("utf-16")),
        "UTF-16 big-endian": ("a.csv", b"\xfe\xff" + CSV.encode("utf-16-be")),
        "UTF-16 without a mark": ("a.csv", CSV.encode("utf-16-le")),
        "UTF-32": ("a.csv", CSV.encode("utf-32")),
        "Unicode text of Excel": ("a.txt", "well\tname\r\nA01\t5 µM\r\nB02\ta, b; c\r\n".encode("utf-16")),
        "Windows line ends": ("a.csv", CSV.replace("\n", "\r\n")),
        "line ends of old Macs": ("a.csv", CSV.replace("\n", "\r")),
        "no last line end": ("a.csv", CSV.rstrip("\n")),
        "blank last lines": ("a.csv", CSV + "\n\n  \n"),
        "blank last rows of Excel": ("a.csv", CSV + ",\n,\n"),
        "blank rows between": ("a.csv", CSV.replace("B02", "\n,\nB02")),
        "blank first lines": ("a.csv", "\n\n" + CSV),
        "blank last columns": ("a.csv", 'well,name,,\nA01,5 µM,,\nB02,"a, b; c",,\n'),
        "a separator at the end of rows": ("a.csv", 'well,name\nA01,5 µM,\nB02,"a, b; c",\n'),
        "spaces in the header": ("a.csv", CSV.replace("well,name", " well , name ")),
        "a repeated header": ("a.csv", CSV.replace("B02", "well, name\nB02")),
        "a column twice": ("a.csv", 'well,name,well\nA01,5 µM,A01\nB02,"a, b; c",B02\n'),
        "gzip": ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        "gzip without its suffix": ("a.csv", gzip.compress(CSV.encode(), mtime=0)),
        "bzip2": ("a.csv.bz2", bz2.compress(CSV.encode())),
        "xz": ("a.tsv.xz", lzma.compress("well\tname\nA01\t5 µM\nB02\ta, b; c\n".encode())),
        "text with the suffix of gzip": ("a.csv.gz", CSV),
        "upper case suffix": ("A.CSV", CSV),
    }.values(),
)
@pytest.mark.parametrize("columns", [[], ["well", "name"]])
def test_every_way_to_write_a_table_gives_the_same_table(tmp_path, name, content, columns):
    assert read_table(write(tmp_path, name, content), columns).to_dict("list") == TABLE


def test_parquet_is_text_too(tmp_path):
    table = pd.DataFrame({"plate": [7.0, None], "site": [1, 2], "name": ["x", None], "dose": [0.5, None]})
    table.to_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", ["plate"])
    assert read.to_dict("list") == {"plate": ["7", ""], "site": ["1", "2"], "name": ["x", ""], "dose": ["0.5", ""]}
    assert place(read, 1) == "row 2"


def test_separator_and_encoding_are_logged_where_they_are_unusual(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    read_table(write(tmp_path, "a.csv", CSV))
    assert not caplog.records
    read_table(write(tmp_path, "b.csv", "well;name\nA01;5 µM\n".encode("latin-1")))
    assert "b.csv is read with the separator ';' and the encoding cp1252" in caplog.text
    read_table(write(tmp_path, "c.csv", CSV + CSV))
    assert "c.csv: 1 lines that repeat the header are left out" in caplog.text


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["name, synonyms", "name; synonyms", "name|synonyms", "name (a, b, c)"])
def test_a_name_of_a_column_with_another_separator(tmp_path, name, separator):
    path = tmp_path / "a.csv"
    pd.DataFrame({"well": ["A01", "B02"], name: ["x", "y"]}).to_csv(path, index=False, sep=separator)
    assert read_table(path).to_dict("list") == {"well": ["A01", "B02"], name: ["x", "y"]}


CELLS = st.text(st.sampled_from("a1 ,;|\t\"'\nµ€–=#"), max_size=6)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_pandas_writes_is_read_back(tmp_path_factory, rows, separator, encoding, line_end):
    path = tmp_path_factory.mktemp("written") / "a.csv"
    table = pd.DataFrame([("x", *row) for row in rows], columns=["well", "name", "dose"])
    table.to_csv(path, index=False, sep=separator, encoding=encoding, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    pd.testing.assert_frame_equal(read_table(path, ["well", "name"]).reset_index(drop=True), table, check_dtype=False)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n1,2\n3,4\n", [2, 3]),
        ('a,b\n"1\n2\n3",2\n3,"4\n"\n5,6', [2, 5, 7]),
        ('"a\nx",b\n1,2\n3,4\n', [3, 4]),
        ("sep=,\na,b\n1,2\n\n3,4\n", [3, 5]),
        ("\n\na,b\n1,2\n,\na,b\n3,4\n", [4, 7]),
        ('a,b\r\n"1\r\n2",2\r\n3,4\r\n', [2, 4]),
    ],
)
def test_lines_are_those_of_an_editor(tmp_path, content, lines):
    table = read_table(write(tmp_path, "a.csv", content))
    assert [place(table, i) for i in range(len(table))] == [f"line {line}" for line in lines]


def test_the_place_in_a_table_from_elsewhere():
    assert place(pd.DataFrame({"a": [1, 2]}), 1) == "line 3"


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no table .*nowhere.csv; put it there"):
        read_table(tmp_path / "nowhere.csv")


def test_a_missing_column_is_named(tmp_path):
    path = write(tmp_path, "a.csv", "x,y\n1,2\n")
    how = r"a.csv has no column well; its columns are x, y \(separator ',', encoding utf-8\)\. "
    with pytest.raises(ValueError, match=how + "Add the column"):
        read_table(path, ["x", "well"])
    with pytest.raises(
        ValueError, match=how + "Set `platemap.well_column` to the name of the column, or add the column"
    ):
        read_table(path, ["x", "well"], {"well": "platemap.well_column", "x": "platemap.other"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("a,b\n1,2\na,b\n1,2,3,4\n", "Expected 3 fields in line"),
        # Read as they are, every cell would be one column off.
        ("a,b\nA01,C1,0.1\nA02,C2,0.1\n", "line 2 has more cells than the header"),
        ('a,b\n"1\n",2\n1,2,3\n', "line 4 has more cells than the header; separate 2 cells by ','"),
        ("a,b\n1,2,3,4\n", "its lines have more cells than its header"),
        (b"\x00\x01\x02PK", "it is not text"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-12], "Compressed file ended"),
        ("a,b,a\n1,2,3\n", "it has several columns a with different contents; rename all but one"),
    ],
)
def test_a_malformed_table_is_named(tmp_path, content, problem):
    with pytest.raises(ValueError, match=rf"a.csv cannot be read as a table: .*{problem}"):
        read_table(write(tmp_path, "a.csv", content), ["a"])


def test_a_repeated_column_that_nobody_needs_is_no_error(tmp_path):
    table = read_table(write(tmp_path, "a.csv", "a,REF,REF\n1,2,3\n"), ["a"])
    assert table.to_dict("list") == {"a": ["1"], "REF": ["2"], "REF.2": ["3"]}


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\n\n,\n", "a,b\na,b\n", ",\n,\n"])
def test_a_table_without_rows_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"a.csv has a header but no rows"):
        read_table(write(tmp_path, "a.csv", content))


def test_a_table_whose_columns_must_all_differ(tmp_path):
    path = write(tmp_path, "a.csv", "a,REF,REF\n1,2,3\n")
    with pytest.raises(ValueError, match="it has several columns REF with different contents"):
        read_table(path, unique=True)
    pq.write_table(pa.table([["1"], ["2"]], names=["a", "a"]), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet cannot be read as a table: Multiple matches for .*Name\(a\)"):
        read_table(tmp_path / "a.parquet")


def test_a_damaged_parquet_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a.parquet cannot be read as a table"):
        read_table(write(tmp_path, "a.parquet", b"no parquet"))


@pytest.mark.parametrize("name", ["a.xlsx", "a.json", "a", "a.zip"])
def test_another_kind_of_file_is_named(tmp_path, name):
    with pytest.raises(
        ValueError, match=rf"{name} is not a table; its suffix must be one of .csv, .tsv, .txt, .parquet"
    ):
        read_table(write(tmp_path, name, b"x"))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "csv.bz2", "csv.xz", "parquet"])
def test_the_first_rows_are_those_of_the_whole_table(tmp_path, suffix):
    table = pd.DataFrame({"well": [f"A{i:02d}" for i in range(500)], "value": range(500), "empty": [None, "x"] * 250})
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    whole = read_table(path)
    head = read_head(path, 1000)
    assert 50 < len(head) < 500 or (suffix == "parquet" and len(head) == 500)
    pd.testing.assert_frame_equal(head, whole[: len(head)])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_the_head_may_end_anywhere(tmp_path, encoding, end):
    """Inside a character, a UTF-16 pair, a line end or a quoted cell; some letters of UTF-16 have the byte of a \\n."""
    name = "5 µM" if encoding in ("cp1252", "latin-1") else "5 µM \u0a0a \U0001f52c"
    rows = [f'A{i:02d},"{name}, row {i}{end}{end}second line",{i}{end}' for i in range(1, 99)]
    data = f"well,name,value{end}{''.join(rows)}".encode(encoding)
    path = write(tmp_path, "table.csv", data)
    whole = read_table(path)
    lengths = set()
    for size in range(400, 600):
        head = read_head(path, size)
        pd.testing.assert_frame_equal(head, whole[: len(head)])
        lengths.add(len(head))
    assert 0 <= min(lengths) < max(lengths) <= 600 * len(whole) / len(data)
    pd.testing.assert_frame_equal(read_head(path), whole)


def test_a_head_without_a_whole_row(tmp_path):
    with pytest.raises(ValueError, match="its first row has more than 100 characters"):
        read_head(write(tmp_path, "wide.csv", "feature," * 99 + "\n1"), 100)


def test_the_head_of_a_file_that_is_no_table(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8b cut")
    (tmp_path / "b.txt").write_bytes(b"\0\1\2\3")
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "e.parquet").write_bytes(b"PAR1")
    for name, text in (
        ("a.csv.gz", "cannot be read as a table"),
        ("b.txt", "not text"),
        ("c.png", "is not a table"),
        ("e.parquet", "cannot be read as a table"),
    ):
        with pytest.raises(ValueError, match=text):
            read_head(tmp_path / name)
    (tmp_path / "d.csv").write_text("a,b\n")
    assert list(read_head(tmp_path / "d.csv")) == ["a", "b"]
