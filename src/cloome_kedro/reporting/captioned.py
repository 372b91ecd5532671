"""A table with a title and notes, as CSV and as Markdown."""

import io
import re
from dataclasses import dataclass

import pandas as pd

#: characters that Markdown, HTML or a formula in Markdown would not show as they are
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|~$&#]")


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
        """Format as Markdown: heading, table, notes. Jupyter shows this. Text is shown as it is, not as markup."""
        rows = [[literal(cell) for cell in row] for row in [list(self.table.columns), *self.table.to_numpy().tolist()]]
        rows.insert(1, ["---"] * self.table.shape[1])
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        notes = "\n".join(f"- {literal(note)}" for note in self.notes)
        return "\n".join([f"## {literal(self.title)}", "", *lines, "", notes]) + "\n"

    _repr_markdown_ = to_markdown


def literal(text: str) -> str:
    """Text on one line, with a backslash before each character that could be markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))
