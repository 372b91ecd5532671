"""Names of files and datasets, and the file that sets a parameter."""

import yaml

from cloome_kedro.parameters.files import origin_in, unused_datasets


def test_the_place_of_a_setting_is_named(tmp_path):
    for folder, name in (("mine", "parameters_a.yml"), ("mine", "parameters/b.yml"), ("base", "parameters.yml")):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({path.stem: {"x": 1}, "all": {path.stem: 2}}))
    origin = origin_in([tmp_path / "mine", tmp_path / "base"], {"given": {"x": 3}})
    assert origin("parameters_a.x") == "mine/parameters_a.yml"
    assert origin("parameters.x") == "base/parameters.yml"
    assert origin("all") == "mine/parameters_a.yml"
    assert origin("given.x") == "--params"
    assert origin("given.y") == "parameters"


def test_misspelt_datasets_are_named(tmp_path):
    entries = {
        "base": ("raw_screen", "fields", "{split}.metrics"),
        "mine": ("raw_sceen", "fields", "_raw_scren", "{split}.metricz", "something_else", "random.example", "labels"),
    }
    for folder, names in entries.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "catalog.yml").write_text(yaml.safe_dump({name: {"type": "x"} for name in names}))
    texts = list(unused_datasets(tmp_path / "base", tmp_path / "mine", {"random.examples", "labels"}))
    assert [text.partition(": ")[2] for text in texts] == [
        "no pipeline reads or writes the dataset random.example; the nearest name is random.examples",
        "no pipeline reads or writes the dataset raw_sceen; the nearest name is raw_screen",
    ]
