"""The status of the last run in kedro-viz: which nodes ran, for how long, and where a run failed."""

import sys
from typing import Any

Seen = tuple[list[dict[str, Any]], set[str]]


class RunStatus:
    """Adds to kedro-viz's record of a run what happened in other processes of the run.

    kedro-viz has a hook that records each node and dataset in its own process. There is nothing to do where kedro-viz
    is not installed.
    """

    def hand_over(self) -> Seen | None:
        """Events and names of the nodes that were started, for :meth:`take_over` in another process of the run."""
        hook = _recorder()
        return hook and (hook._events, hook._started_nodes)

    def take_over(self, seen: Seen | None) -> None:
        """Add the events of another process."""
        if (hook := _recorder()) and seen:
            events, started = seen
            hook._events += [event for event in events if event not in hook._events]
            hook._started_nodes |= started


def _recorder() -> Any:
    """The hook of kedro-viz."""
    return getattr(sys.modules.get("kedro_viz.integrations.kedro.run_hooks"), "pipeline_run_hook", None)
