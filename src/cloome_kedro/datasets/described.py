"""The description of a dataset, as kedro-viz shows it."""

from typing import Any, NewType

#: kedro-viz chooses how it shows a preview by the name of its type
TextPreview = NewType("TextPreview", str)


class Described:
    """Mixin for datasets without a table or a figure: their preview is ``metadata: description`` of the catalog."""

    metadata: dict[str, Any] | None

    def preview(self) -> TextPreview:
        """The description, for kedro-viz."""
        return TextPreview((self.metadata or {}).get("description", ""))
