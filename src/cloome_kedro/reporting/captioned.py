"""A table with a title and notes, as CSV and as Markdown."""

import io
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class CaptionedTable:
    """A table with a title and notes.

    Attributes
    ----------
    title
        One line.
    notes
        One line each. The first note names the screens whose results are compared.
    table
        All cells are text.
    """

    title: str
    notes: tuple[str, ...]
    table: pd.DataFrame

    def to_csv(self) -> str:
        """Format as CSV. The title and each note are lines ``# ...`` before the header.

        ``pandas.read_csv(path, comment="#")`` reads the table.
        """
        head = "".join(f"# {line}\n" for line in (self.title, *self.notes))
        return head + self.table.to_csv(index=False, lineterminator="\n")

    @classmethod
    def from_csv(cls, text: str) -> "CaptionedTable":
        """Read the output of :meth:`to_csv`.

        Raises
        ------
        ValueError
            If the text does not begin with a title.
        """
        lines = text.splitlines(keepends=True)
        size = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
        if not size:
            raise ValueError(
                "the CSV of a captioned table must begin with its title, `# ...`. Run the pipeline reporting again"
            )
        title, *notes = (line.removeprefix("# ").rstrip("\n") for line in lines[:size])
        table = pd.read_csv(io.StringIO("".join(lines[size:])), dtype=str, keep_default_na=False)
        return cls(title, tuple(notes), table)

    def to_markdown(self) -> str:
        """Format as Markdown: heading, table, notes. Jupyter shows this."""
        rows = [list(self.table.columns), ["---"] * self.table.shape[1], *self.table.to_numpy().tolist()]
        lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
        notes = "\n".join(f"- {note}" for note in self.notes)
        return "\n".join([f"## {self.title}", "", *lines, "", notes]) + "\n"

    _repr_markdown_ = to_markdown
