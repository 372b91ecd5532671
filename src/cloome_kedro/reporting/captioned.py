"""A table with its title and notes, as CSV and as Markdown."""

import io
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class CaptionedTable:
    """A table with what must be said about it.

    Attributes
    ----------
    title
        One line.
    notes
        One line each; the first says whose data these are.
    table
        All cells are text.
    """

    title: str
    notes: tuple[str, ...]
    table: pd.DataFrame

    def to_csv(self) -> str:
        """CSV after a line ``# ...`` for the title and for each note (``pandas.read_csv(..., comment="#")``)."""
        head = "".join(f"# {line}\n" for line in (self.title, *self.notes))
        return head + self.table.to_csv(index=False, lineterminator="\n")

    @classmethod
    def from_csv(cls, text: str) -> "CaptionedTable":
        """What :meth:`to_csv` wrote.

        Raises
        ------
        ValueError
            If the first line is no title.
        """
        lines = text.splitlines(keepends=True)
        size = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
        if not size:
            raise ValueError("a captioned table begins with its title, `# ...`; make it again with pipeline reporting")
        title, *notes = (line.removeprefix("# ").rstrip("\n") for line in lines[:size])
        table = pd.read_csv(io.StringIO("".join(lines[size:])), dtype=str, keep_default_na=False)
        return cls(title, tuple(notes), table)

    def to_markdown(self) -> str:
        """Heading, table, notes; what Jupyter shows."""
        rows = [list(self.table.columns), ["---"] * self.table.shape[1], *self.table.to_numpy().tolist()]
        lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
        notes = "\n".join(f"- {note}" for note in self.notes)
        return "\n".join([f"## {self.title}", "", *lines, "", notes]) + "\n"

    _repr_markdown_ = to_markdown
