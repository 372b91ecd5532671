"""The runners of ``kedro run``: splits run at the same time, and nodes with nothing new to do are skipped."""

import logging
from collections import Counter
from functools import partial
from typing import Any

from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from cloome_kedro.branches import Splits, find_branches, number_at_once, run_at_once
from cloome_kedro.node_records import Records
from cloome_kedro.recording import NodeRecords
from cloome_kedro.words import counted

_log = logging.getLogger(__name__)


class SplitRunner(SequentialRunner):
    """Kedro's sequential runner, for several splits at the same time; see :mod:`cloome_kedro.branches`."""

    def __str__(self) -> str:
        # kedro-viz records the status of a run only if the name of its runner has this form
        return f"<{SequentialRunner.__module__}.{SequentialRunner.__name__} object for several splits>"

    def _run(self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, run_id: str | None = None) -> None:
        run = partial(super()._run, catalog=catalog, hook_manager=hook_manager, run_id=run_id)
        hooks = _hooks(hook_manager)
        splits = next((hook for hook in hooks if isinstance(hook, Splits)), Splits())
        parts = find_branches(pipeline, splits.names)
        if (number := number_at_once(splits, parts.branches)) > 1:
            branches = {name: partial(run, part) for name, part in parts.branches.items()}
            run_at_once(partial(run, parts.before), branches, number, [h for h in hooks if hasattr(h, "take_over")])
            pipeline = parts.after
        run(pipeline)

    def _suggest_resume_scenario(self, *arguments: Any, **options: Any) -> None:
        _log.warning("the same command, without `--fresh`, goes on where this run has stopped")


class SkippingRunner(SplitRunner):
    """Runs splits at the same time, without the nodes that are up to date; see :mod:`cloome_kedro.node_records`."""

    def run(
        self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, *arguments: Any, **options: Any
    ) -> dict[str, Any]:
        """Run the nodes that are not up to date; see :meth:`kedro.runner.SequentialRunner.run`."""
        records = next((hook.records for hook in _hooks(hook_manager) if isinstance(hook, NodeRecords)), None)
        if records is not None:
            pipeline = _outdated(pipeline, records)
        return super().run(pipeline, catalog, hook_manager, *arguments, **options)


def _hooks(hook_manager: Any) -> list[Any]:
    """Hooks of a run; none if a runner is called without a session."""
    return list(hook_manager.get_plugins() or ()) if hook_manager is not None else []


def _outdated(pipeline: Pipeline, records: Records) -> Pipeline:
    """Nodes of a pipeline that must run. The log says how many are skipped, and why others run."""
    reasons = records.outdated(pipeline)
    total = len(pipeline.nodes)
    skipped = total - len(reasons)
    if not skipped:
        return pipeline
    advice = "`--fresh` runs all"
    if not reasons:
        _log.info("%s: nothing has changed, nothing to run (%s)", counted(total, "node"), advice)
        return Pipeline([])
    why = ", ".join(f"{reason} ({number})" for reason, number in Counter(reasons.values()).most_common(5))
    _log.info("%d of %s are up to date and skipped (%s). Changed: %s", skipped, counted(total, "node"), advice, why)
    return pipeline.filter(node_names=list(reasons))
