"""The runner of ``kedro run``: it skips nodes that have nothing new to do."""

import logging
from collections import Counter
from typing import Any

from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from cloome_kedro.node_records import Records
from cloome_kedro.recording import NodeRecords
from cloome_kedro.words import counted

_log = logging.getLogger(__name__)


class SkippingRunner(SequentialRunner):
    """Kedro's sequential runner, without the nodes that are up to date; see :mod:`cloome_kedro.node_records`."""

    def run(
        self, pipeline: Pipeline, catalog: Any, hook_manager: Any = None, *arguments: Any, **options: Any
    ) -> dict[str, Any]:
        """Run the nodes that are not up to date; see :meth:`kedro.runner.SequentialRunner.run`."""
        hooks = hook_manager.get_plugins() if hook_manager is not None else ()
        records = next((hook.records for hook in hooks if isinstance(hook, NodeRecords)), None)
        if records is not None:
            pipeline = _outdated(pipeline, records)
        return super().run(pipeline, catalog, hook_manager, *arguments, **options)


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
