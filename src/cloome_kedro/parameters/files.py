"""Files of the configuration: which one sets a parameter, and names that Kedro does not read."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

#: function from a dotted name to the place where it is set, such as a file
Origin = Callable[[str], str]


def origin_in(folders: Iterable[Path], given: Mapping[str, Any]) -> Origin:
    """Function from a dotted name to ``--params``, or to the file that sets it.

    Parameters
    ----------
    folders
        Folders of the configuration. A file of the first folder counts before files of the others.
    given
        The values of ``--params``.
    """

    def origin(name: str) -> str:
        if _has(given, name):
            return "--params"
        for folder in folders:
            for path in sorted(folder.rglob("parameters*.y*ml")):
                if _has(_content(path), name):
                    return f"{folder.name}/{path.relative_to(folder)}"
        return "parameters"

    return origin


def _has(values: Any, name: str) -> bool:
    for part in name.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def unused_datasets(base: Path, environment: Path, used: Iterable[str]) -> Iterator[str]:
    """Yield a text for each dataset in the catalog of an environment whose name seems to be misspelt.

    Parameters
    ----------
    base, environment
        Folders of the configuration.
    used
        Names of the datasets of all pipelines.
    """
    known = {name for name in {*used, *_keys(base, "catalog")} if not name.startswith("_")}
    for name, path in _keys(environment, "catalog").items():
        is_unused = name not in known and not name.startswith("_") and "{" not in name
        if is_unused and (near := difflib.get_close_matches(name, known, 1, 0.7)):
            yield f"{path}: no pipeline reads or writes the dataset {name}; the nearest name is {near[0]}"


def _keys(folder: Path, kind: str) -> dict[str, Path]:
    """Names at the top of files of a kind -> file."""
    paths = sorted(folder.rglob(f"{kind}*.y*ml"))
    return {str(name): path for path in paths for name in _content(path) or {}}


def _content(path: Path) -> Any:
    """Content of a YAML file. The parser in C, where there is one, takes a tenth of the time."""
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def check_files(folder: Path, kinds: Iterable[str]) -> None:
    """Check that no file of an environment has a misspelt name, because Kedro would not read it.

    Parameters
    ----------
    folder
        Folder of the environment.
    kinds
        Kinds of files that Kedro reads: catalog, parameters, ...

    Raises
    ------
    ValueError
        If a name is nearly, but not quite, one that Kedro reads.
    """
    beginnings = [kind for kind in kinds if kind != "globals"]
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.suffix not in (".yml", ".yaml", ".json") or relative.as_posix() == "globals.yml":
            continue
        if any(part.startswith(beginning) for part in relative.parts for beginning in beginnings):
            continue
        beginning = path.stem.partition("_")[0]
        if near := difflib.get_close_matches(beginning, [*beginnings, "globals"], 1, 0.7):
            right = "globals.yml" if near[0] == "globals" else path.name.replace(beginning, near[0], 1)
            raise ValueError(f"{path} is not read, because its name is misspelt: the nearest name is {right}")
