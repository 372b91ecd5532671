"""Measure again what the page "How fast, how large" of the documentation shows, and replace it there.

python benchmarks/renew.py bench
python benchmarks/renew.py growth
python benchmarks/renew.py plan --rate 2500

The last one plans from the records of the last run in this project. Further options are those of ``cloome plan``.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from measuring import machine

from cloome_kedro.atomic import replace_file

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "explanation" / "speed.md"
_PLAN = ("-m", "cloome_kedro", "plan", "--fields", "919265", "--compounds", "30616", "--gpus", "8")
#: block of the page -> arguments of Python
COMMANDS: dict[str, tuple[str, ...]] = {
    "bench": (str(FOLDER / "table.py"),),
    "growth": (str(FOLDER / "growth.py"), "--markdown"),
    "plan": _PLAN,
}


def replaced(page: str, block: str, text: str) -> str:
    """Replace the text of a block of the page.

    >>> replaced("a\\n<!-- begin plan -->\\nold\\n<!-- end plan -->\\nb", "plan", "new")
    'a\\n<!-- begin plan -->\\n\\nnew\\n\\n<!-- end plan -->\\nb'
    """
    begin, end = f"<!-- begin {block} -->", f"<!-- end {block} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise SystemExit(f"{PAGE.name} must have {begin} and {end} once")
    return pattern.sub(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page)


def main() -> None:
    """Run the command of a block; write its output into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("block", choices=COMMANDS)
    block, options = parser.parse_known_args()
    command = [sys.executable, *COMMANDS[block.block], *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}")
    text = done.stdout.strip()
    if block.block == "plan":
        text = f"Machine: {machine()}. Output of `cloome {' '.join(command[3:])}`:\n\n```text\n{text}\n```"
    page = replaced(PAGE.read_text(), block.block, text)
    with replace_file(PAGE) as part:
        part.write_text(page)
    print(f"{PAGE}: {block.block} is new")


if __name__ == "__main__":
    main()
