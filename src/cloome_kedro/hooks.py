"""Hooks of the Kedro project."""

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

if TYPE_CHECKING:
    from cloome_kedro.runs import Results

_log = logging.getLogger(__name__)


class CheckedConfiguration:
    """Checks the whole configuration, and imports the modules of the user, before anything else happens.

    Then it chooses where parallel tasks run, which is no parameter of a node, because it has no effect on results.

    The modules that ``globals.yml`` names register encoders, views, corruptions, ... So they are imported before the
    parameters are checked.
    """

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        from cloome_kedro.cluster import use_cluster
        from cloome_kedro.parameters import checks, files
        from cloome_kedro.registry import load_modules

        loader, env = context.config_loader, context.env or "base"
        given = loader.runtime_params or {}
        if {"{", "}"} & set(str(context.project_path)):
            raise ValueError(f"{context.project_path}: Kedro cannot work in a folder with {{ or }} in its path")
        folders = [Path(loader.conf_source) / folder for folder in (context.env or "local", "base")]
        for folder in folders:
            files.check_files(folder, loader.config_patterns)
        environment = checks.check_globals(loader["globals"])
        names = checks.check_run_names(given, environment)
        environment.check_preset(names.preset, env)
        load_modules(environment.modules)
        parameters = loader["parameters"]
        checks.check_parameters(parameters, environment, names, given, files.origin_in(folders, given))
        use_cluster((parameters.get("parallel") or {}).get("address"))


class EnvironmentPipelines:
    """Replaces the registered pipelines by those of the environment.

    Environments need different pipelines: a real screen is not simulated, a published split can replace the random and
    the scaffold split, and each study has its models. Kedro's pipeline registry does not know the environment.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        from cloome_kedro.parameters.files import unused_datasets
        from cloome_kedro.pipeline_registry import register_pipelines

        loader = context.config_loader
        environment_pipelines = register_pipelines(loader)
        for name in set(pipelines) - set(environment_pipelines):
            del pipelines[name]
        for name, pipeline in environment_pipelines.items():
            pipelines[name] = pipeline
        datasets = set().union(*(pipeline.datasets() for pipeline in environment_pipelines.values()))
        conf = Path(loader.conf_source)
        for text in unused_datasets(conf / "base", conf / (context.env or "local"), datasets):
            _log.warning(text)


class SimulatedScreen:
    """Stops a run that would write the virtual screen over files of a user.

    The simulation writes into the folder ``virtual_screen_folder``. An environment that names other places for the raw
    screen, its labels or its truth has a screen of its own, which is not simulated.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        if context.config_loader["globals"]["simulate"]:
            self._check(context.config_loader["catalog"], "the environment has simulate: true")

    @hook_impl
    def before_pipeline_run(self, pipeline, catalog) -> None:
        if "raw_screen" in pipeline.all_outputs():
            self._check(catalog.config_resolver.config, "this run simulates a screen")

    @staticmethod
    def _check(entries: dict[str, Any], reason: str) -> None:
        if "virtual_screen_folder" not in entries:
            return
        folder = Path(os.path.normpath(entries["virtual_screen_folder"]["filepath"]))
        for name in ("raw_screen", "truth", "assay_labels"):
            path = Path(os.path.normpath(entries.get(name, {}).get("filepath", folder)))
            if path != folder and (name == "raw_screen" or folder not in path.parents):
                raise ValueError(
                    f"{reason}, but the catalog has a {name} of its own, {path}, which the simulation would replace. "
                    "Set simulate: false in globals.yml of the environment"
                )


class CurrentFingerprints:
    """Stops a run before it begins if it reads stored fingerprints that were made with other settings.

    Otherwise ``--pipelines training --params fingerprints.bits=512`` would train on the stored 1,024 bits.
    """

    @hook_impl
    def before_pipeline_run(self, pipeline, catalog) -> None:
        if "fingerprints" not in pipeline.inputs() or not catalog.exists("fingerprints"):
            return
        stored, requested = catalog.load("fingerprints").settings, dict(catalog.load("params:fingerprints"))
        if stored != requested:
            raise ValueError(
                f"params:fingerprints is {requested}, but the stored fingerprints have {stored}: run the featurization "
                "pipeline again"
            )


def run_names(context) -> tuple[str, int]:
    """Variant and seed of a run."""
    environment, given = context.config_loader["globals"], context.config_loader.runtime_params or {}
    return given.get("variant", given.get("preset", environment["preset"])), given.get("seed", 0)


class FirstProcess:
    """Runs the study in the first process that torchrun started. The others only take part in its trainings."""

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            from cloome_kedro.learning.processes import start

            start()


class OneWriter:
    """Locks the results that a run writes, and warns if it replaces results of other parameters."""

    def __init__(self):
        self._locks = ExitStack()
        self._project: Path | None = None
        self._names: tuple[str, str, int] = ("", "", 0)

    @hook_impl
    def after_context_created(self, context) -> None:
        self._project = Path(context.project_path)
        self._names = context.config_loader["globals"]["screen"], *run_names(context)

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline, catalog) -> None:
        from cloome_kedro import runs

        self._locks.close()
        if self._project is None:
            return
        data, resolve = self._project / "data", catalog.config_resolver.resolve_pattern
        paths = {name: resolve(name).get("filepath") for name in pipeline.all_outputs()}
        written = runs.results_of({name: path for name, path in paths.items() if path}, data, *self._names)
        self._locks = runs.lock(data / ".runs", written)
        self._record(pipeline, catalog, data / ".runs", written)

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._locks.close()

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._locks.close()

    @staticmethod
    def _record(pipeline, catalog, folder: Path, written: Mapping["Results", list[str]]) -> None:
        from cloome_kedro import runs
        from cloome_kedro.parameters.base import HOUSEKEEPING

        warnings: dict[str, str] = {}
        for results, names in written.items():
            inputs = {name for node in pipeline.only_nodes_with_outputs(*names).nodes for name in node.inputs}
            # `catalog.load` would write a line per group to the log.
            groups = {
                name.removeprefix("params:"): catalog[name].load() for name in inputs if name.startswith("params:")
            }
            # A parameter that is no group, such as the seed, is part of the paths.
            values = {
                name: group.model_dump(mode="json")
                for name, group in sorted(groups.items())
                if hasattr(group, "model_dump")
            }
            before = runs.read_parameters(folder, results)
            for name, group in values.items():
                changes = runs.changes(before.get(name, group), group, name, HOUSEKEEPING)
                affected = pipeline.from_inputs(f"params:{name}").all_outputs() if changes else ()
                if replaced := sorted(filter(catalog.exists, affected)):
                    warnings.setdefault("; ".join(changes), runs.replacement(results, replaced))
            runs.write_parameters(folder, results, values)
        for settings, text in warnings.items():
            _log.warning("%s, %s", settings, text)


class TrackedResults:
    """Adds the tables, figures and test metrics that a run wrote to the tracked run of its study (MLflow).

    Results of nodes that were skipped were sent when they were written.
    """

    def __init__(self):
        self._context: Any = None
        self._written: set[str] | None = None  # None: it is not known, so all outputs count

    @hook_impl
    def after_context_created(self, context) -> None:
        self._context = context

    @hook_impl
    def before_pipeline_run(self, run_params) -> None:
        # The processes of the ParallelRunner do not tell this one what they have written.
        self._written = None if "ParallelRunner" in str(run_params.get("runner")) else set()

    @hook_impl
    def after_dataset_saved(self, dataset_name) -> None:
        if self._written is not None:
            self._written.add(dataset_name)

    def hand_over(self) -> set[str] | None:
        """Datasets that were written, for :meth:`take_over` in another process of the run."""
        return self._written

    def take_over(self, written: set[str] | None) -> None:
        """Add what another process of this run has written."""
        self._written = None if self._written is None or written is None else self._written | written

    @hook_impl
    def after_pipeline_run(self, pipeline, catalog) -> None:
        from cloome_kedro.tracking import Tracker

        if self._context is None:
            return
        environment = self._context.config_loader["globals"]
        tracker = Tracker(environment.get("tracking"), environment["screen"])
        if tracker.active:
            from cloome_kedro.tracked_results import track_results

            variant, seed = run_names(self._context)
            written = pipeline.all_outputs() if self._written is None else self._written
            track_results(tracker, written, catalog, {"variant": variant, "seed": seed}, environment["models"])


class ResultsLast:
    """Prints the tables for the terminal after a run that wrote them, and where its pages are, below all log lines."""

    #: patterns of names of datasets, without the split
    SUMMARIES = (
        *("summary", "tuning_summary", "profile_moa_*summary", "seeds_summary", "comparison_*_summary"),
        *("screen_check_summary", "structure_probing_summary"),
    )
    #: pages for people -> what they are called
    PAGES: ClassVar = {"report": "The report", "data_report": "The page about the data"}

    @hook_impl
    def after_pipeline_run(self, pipeline, catalog) -> None:
        from cloome_kedro.file_states import places

        for summary in self.SUMMARIES:
            for name in sorted(pipeline.all_outputs()):
                if fnmatchcase(name.rpartition(".")[2], summary) and (text := catalog.load(name)):
                    print("\n" + text, flush=True)
        for name, title in self.PAGES.items():
            if name in pipeline.all_outputs() and (paths := places(catalog.get(name))):
                print(f"\n{title}: {paths[0].absolute()}", flush=True)
