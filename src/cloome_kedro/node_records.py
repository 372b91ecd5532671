"""Records of nodes: from what each node made its outputs, so that a node with nothing new to do can be skipped.

A node is up to date if all of this is as it was when it last ran: the source code of this package and of the user's
modules, the versions of the packages that compute, the parameters that the node takes, its entries in the catalog, and
name, size and time of modification of the files that it reads and of those that it wrote.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cloome_kedro.atomic import replace_file
from cloome_kedro.file_states import MISSING, RememberedStates, digest, places, state

#: addresses of files whose state is not asked for: a node that takes one always runs
_REMOTE = re.compile(r"(?i)(s3|s3a|gs|gcs|az|abfs|abfss|adl|ftp|sftp|hdfs)://")
#: paths -> state of these files, see `cloome_kedro.file_states.state`
StateOf = Callable[[Iterable[Path]], str]


class Unknown(Exception):
    """It cannot be known whether the input has changed."""


@dataclass
class Record:
    """From what a node made its outputs.

    Attributes
    ----------
    depends
        Kind and name of what the node depends on, such as ``parameters retrieval`` -> its digest.
    outputs
        Output -> state of its files.
    stores
        Folder into which nodes write through a handle -> its state at the end of the run.
    outside
        File or folder that no dataset names -> its state.
    places
        Output -> its file or folder, relative to the project.
    measured
        What the node took: ``seconds``, ``cores``, ``memory_before`` and ``memory`` (peak of this process in bytes).
    """

    depends: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)


@dataclass
class Records:
    """The records of a project, one file per node and place of its outputs.

    Attributes
    ----------
    project
        Folder of the project.
    catalog : kedro.io.DataCatalog
        Datasets of the run.
    code
        Digest of the source code and of the versions of packages.
    housekeeping
        Settings of parameters that do not affect results.
    states
        States of files that are asked for once during the run. Who writes a file must let its state be forgotten.
    """

    project: Path
    catalog: Any
    code: str
    housekeeping: tuple[str, ...] = ()
    states: RememberedStates = field(default_factory=RememberedStates)

    # ---- what a node depends on

    def depends(self, node: Node, state_of: StateOf = state, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a node depends on now, without the states of the stores.

        The files of inputs whose states are ``known``, by the names of the inputs, are not looked at.

        Raises
        ------
        Unknown
            If the state of an input cannot be known.
        """
        found = {"code": self.code, "wiring": self._wiring(node)}
        for name in node.inputs:
            if is_parameter(name):
                found[f"parameters {name.removeprefix('params:')}"] = self._parameters(name, state_of)
            elif not self.is_store(name):
                found[f"input {name}"] = known[name] if known and name in known else self.input_state(name, state_of)
        return found

    def input_state(self, name: str, state_of: StateOf = state) -> str:
        """State of the files of an input.

        Raises
        ------
        Unknown
            If it cannot be known.
        """
        if (found := self.places(name)) is None:
            raise Unknown(f"input {name}")
        return state_of(found)

    def places(self, name: str) -> list[Path] | None:
        """Files and folders of a dataset, or None if they are unknown."""
        return places(self.catalog.get(name, fallback_to_runtime_pattern=True))

    def is_store(self, name: str) -> bool:
        """Whether a dataset is a folder into which nodes write through a handle."""
        if is_parameter(name):
            return False
        return getattr(self.catalog.get(name, fallback_to_runtime_pattern=True), "is_store", False)

    def stores(self, node: Node) -> list[Path]:
        """Folders of the stores whose content a node reads. Caches, which only save time, do not count.

        Raises
        ------
        Unknown
            If a store lies on a server.
        """
        folders = []
        for name in filter(self.is_store, node.inputs):
            dataset = self.catalog.get(name)
            if not dataset.is_cache:
                if (found := places(dataset)) is None:
                    raise Unknown(f"store {name}")
                folders += found
        return folders

    def _wiring(self, node: Node) -> str:
        """Digest of the function, its constants, and the names and catalog entries of its datasets."""
        function = node.func
        constants = function.keywords if isinstance(function, functools.partial) else {}
        function = function.func if isinstance(function, functools.partial) else function
        entries = {name: self._entry(name) for name in [*node.inputs, *node.outputs]}
        return digest([function.__module__, function.__qualname__, constants, node._inputs, node._outputs, entries])

    def _entry(self, name: str) -> Any:
        """Entry of the catalog, with paths relative to the project, so that a moved project stays up to date."""
        if is_parameter(name):
            return None
        entry = self.catalog.config_resolver.resolve_pattern(name)
        kept = {key: value for key, value in entry.items() if key not in ("metadata", "credentials")}
        return json.dumps(kept, sort_keys=True, default=repr).replace(self.project.as_posix(), ".")

    def _parameters(self, name: str, state_of: StateOf) -> str:
        value = self.catalog[name].load()
        value = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        value = _without(value, self.housekeeping)
        texts = set(_texts(value))
        if any(_REMOTE.match(text) for text in texts):
            raise Unknown(f"parameters {name.removeprefix('params:')}")
        named = sorted(text for text in texts if Path(text).is_absolute() and len(text) < 1000 and Path(text).exists())
        text = json.dumps(value, sort_keys=True, default=repr).replace(self.project.as_posix(), ".")
        return digest([text, *(state_of([Path(path)]) for path in named)])

    # ---- records in files

    @property
    def folder(self) -> Path:
        """Folder of the records."""
        return self.project / "data" / ".runs" / "nodes"

    def path(self, node: Node) -> Path:
        """File of the record of a node: other variants and seeds of its outputs have other files."""
        outputs = [self._entry(name) for name in node.outputs]
        return self.folder / f"{node.name}-{digest(outputs)}.json"

    def read(self, node: Node) -> Record | None:
        """Record of a node; None if there is none."""
        return read_record(self.path(node))

    def refresh(self, stores: Mapping[str, set[str]]) -> None:
        """Give all records the present state of the stores, if they have one of the earlier states of this run.

        Several nodes write into one store, each its own files. What they wrote is not a change from outside.

        Parameters
        ----------
        stores
            Folder -> its states during this run.
        """
        now = {folder: state([self.project / folder]) for folder in stores}
        changed = {folder for folder, states in stores.items() if states - {now[folder]}}
        for path in self.folder.glob("*.json") if changed else ():
            record = read_record(path)
            if record and (
                outdated := {key for key in changed & set(record.stores) if record.stores[key] in stores[key]}
            ):
                record.stores |= {folder: now[folder] for folder in outdated}
                write_record(path, record)

    def store_key(self, folder: Path) -> str:
        """Name of a folder in the records: relative to the project if it is below it."""
        folder = Path(folder).absolute()
        return folder.relative_to(self.project).as_posix() if folder.is_relative_to(self.project) else str(folder)

    def place(self, name: str) -> str:
        """File or folder of a dataset, relative to the project; empty if it has none."""
        found = self.places(name)
        return self.store_key(found[0]) if found else ""

    # ---- which nodes must run

    def outdated(self, pipeline: Pipeline) -> dict[str, str]:
        """Name of each node that must run -> the reason.

        A node also runs if a node before it runs, or if a node after it needs an output that is only in memory.
        """
        reasons: dict[str, str] = {}
        maker = {output: node for node in pipeline.nodes for output in node.outputs}
        for node in pipeline.nodes:
            before = [maker[name] for name in node.inputs if name in maker]
            if again := next((made for made in before if made.name in reasons), None):
                reasons[node.name] = reasons[again.name]
            elif reason := self._reason(node, self.states.of):
                reasons[node.name] = reason
        for node in reversed(pipeline.nodes):  # a node whose outputs are only in memory, for a node that runs
            if node.name in reasons:
                for name in node.inputs:
                    if name in maker and self.in_memory(name):
                        reasons.setdefault(maker[name].name, reasons[node.name])
        return reasons

    def in_memory(self, name: str) -> bool:
        """Whether a dataset lies only in memory."""
        return getattr(self.catalog.get(name, fallback_to_runtime_pattern=True), "_EPHEMERAL", False)

    def _reason(self, node: Node, state_of: StateOf) -> str:
        """Why a node must run, apart from other nodes; empty if it is up to date."""
        if not node.outputs:
            return "no outputs"
        if all(map(self.in_memory, node.outputs)):
            return ""  # it runs if a node needs it
        record = self.read(node)
        if record is None:
            return "no record of an earlier run"
        try:
            now = self.depends(node, state_of)
            stores = {self.store_key(folder): state_of([folder]) for folder in self.stores(node)}
            outputs = {name: self.input_state(name, state_of) for name in node.outputs}
        except Unknown as error:
            return f"{error}, which may have changed"
        outside = {path: state_of([self.project / path]) for path in record.outside}
        for kind, before, after in (
            ("", record.depends, now),
            ("store ", record.stores, stores),
            ("output ", record.outputs, outputs),
            ("", record.outside, outside),
        ):
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    return f"{kind}{name}"
        return next((f"output {name}" for name, found in outputs.items() if found == MISSING), "")


def read_record(path: Path) -> Record | None:
    """Read a record; None if it is missing or damaged."""
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Replace a record."""
    with replace_file(path) as part:
        part.write_text(json.dumps(asdict(record), indent=1, sort_keys=True))


def _without(value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(inner, keys) for key, inner in value.items() if key not in keys}
    return [_without(inner, keys) for inner in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
