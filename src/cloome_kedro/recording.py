"""The hook that keeps the records of nodes."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io.core import is_parameter

from cloome_kedro.file_states import state
from cloome_kedro.meter import Meter
from cloome_kedro.node_records import Record, Records, Unknown, write_record
from cloome_kedro.source_code import SourceCode


class NodeRecords:
    """Records from what each node of a run makes its outputs; :class:`cloome_kedro.runner.SkippingRunner` reads it.

    States of inputs are those before they are loaded. So what is changed during a run is seen by the next one. The
    state of an input is asked for once, and again only after a node of the run has written into its files.
    """

    def __init__(self) -> None:
        self.records: Records | None = None
        self._project: Path | None = None
        self._modules: list[str] = []
        self._source: SourceCode | None = None
        self._source_state = ""
        self._inputs: dict[str, dict[str, str]] = {}  # node -> input -> state
        self._outside: dict[str, list[str] | None] = {}
        self._saved: dict[str, set[str]] = {}
        self._meters: dict[str, Meter] = {}
        self._stores: dict[str, set[str]] = {}  # folder -> its states during this run

    @hook_impl
    def after_context_created(self, context) -> None:
        self._project = Path(context.project_path).absolute()
        self._modules = context.config_loader["globals"].get("modules", [])

    @hook_impl(trylast=True)  # after the results are locked
    def before_pipeline_run(self, pipeline, catalog) -> None:
        from cloome_kedro.parameters.base import HOUSEKEEPING

        self.records = None
        if self._project is None:
            return
        self._inputs, self._outside, self._saved, self._stores, self._meters = {}, {}, {}, {}, {}
        self._source = SourceCode.of(self._project, self._modules)
        self._source_state = self._source.state()
        self.records = Records(self._project, catalog, self._source.digest(), HOUSEKEEPING)
        for node in pipeline.nodes:
            self._note_stores(node)

    @hook_impl
    def before_dataset_loaded(self, dataset_name, node) -> None:
        if node.name not in self._meters:
            self._meters[node.name] = Meter()
        if self.records is None or is_parameter(dataset_name):
            return
        if self.records.is_store(dataset_name):
            return
        with suppress(Unknown):  # then the node has no record
            found = self.records.input_state(dataset_name, self.records.states.of)
            self._inputs.setdefault(node.name, {})[dataset_name] = found

    @hook_impl
    def after_node_run(self, node, inputs) -> None:
        if self.records is not None:
            for name in filter(self.records.is_store, node.inputs):
                self.records.states.forget(self.records.places(name))
        if finds := getattr(node.func, "files_outside", None):
            by_argument = {argument: inputs[name] for argument, name in node._inputs.items() if name in inputs}
            self._outside[node.name] = finds(**by_argument)

    @hook_impl
    def after_dataset_saved(self, dataset_name, node) -> None:
        saved = self._saved.setdefault(node.name, set())
        saved.add(dataset_name)
        if self.records is None:
            return
        if not self.records.in_memory(dataset_name):
            self.records.states.forget(self.records.places(dataset_name))
        if saved >= set(node.outputs):
            self._record(self.records, node)

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._refresh()

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._refresh()

    def hand_over(self) -> dict[str, set[str]]:
        """States of stores during this run, for :meth:`take_over` in another process."""
        return self._stores

    def take_over(self, stores: dict[str, set[str]]) -> None:
        """Remember states of stores that another process of this run has seen. It has also written files."""
        if self.records is not None:
            self.records.states.forget(None)
        for folder, states in stores.items():
            self._stores.setdefault(folder, set()).update(states)

    def _record(self, records: Records, node: Any) -> None:
        assert self._source is not None
        outside = self._outside.get(node.name, [])
        if self._source.state() != self._source_state or outside is None:
            # The node may have run code that was edited after the run began, or it read files on a server.
            records.path(node).unlink(missing_ok=True)
            return
        try:
            depends = records.depends(node, known=self._inputs.get(node.name, {}))
            outputs = {name: records.input_state(name, records.states.of) for name in node.outputs}
            stores = {records.store_key(folder): state([folder]) for folder in records.stores(node)}
        except Unknown:
            return
        for folder, found in stores.items():
            self._stores.setdefault(folder, set()).add(found)
        found_outside = {path: state([records.project / path]) for path in outside}
        meter = self._meters.get(node.name)
        written = {name: records.place(name) for name in node.outputs}
        measured = meter.read() if meter else {}
        write_record(records.path(node), Record(depends, outputs, stores, found_outside, written, measured))

    def _note_stores(self, node: Any) -> None:
        assert self.records is not None
        try:
            folders = self.records.stores(node)
        except Unknown:
            return
        for folder in folders:
            if (key := self.records.store_key(folder)) not in self._stores:
                self._stores[key] = {state([folder])}

    def _refresh(self) -> None:
        if self.records is not None:
            self.records.refresh(self._stores)
            self.records = None
