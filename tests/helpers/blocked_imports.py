"""Running code as if little were installed."""

import subprocess
import sys

# Whatever the distributions named in the first argument do not require cannot be found, as if it were not installed.
BLOCK = '''
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

wanted = sys.argv.pop(1).split(",")
allowed = set()
while wanted:
    name = canonicalize_name(wanted.pop())
    if name not in allowed:
        allowed.add(name)
        try:
            needed = map(Requirement, requires(name) or [])
        except PackageNotFoundError:  # required on other platforms or Pythons only
            continue
        wanted += [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
blocked = {
    module
    for module, distributions in packages_distributions().items()
    if not allowed & {canonicalize_name(d) for d in distributions}
} - {"cloome_kedro"}

class Blind:
    """A finder that does not see the blocked modules."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

for name in [name for name in sys.modules if name.partition(".")[0] in blocked]:
    del sys.modules[name]
sys.meta_path[:] = map(Blind, sys.meta_path)
assert {"kedro", "pydantic", "pandera", "rdkit", "matplotlib", "seaborn"} <= blocked
'''


def run_with_the_rest_blocked(code: str, allowed: list[str], *arguments: str) -> subprocess.CompletedProcess:
    """Run ``code``, with ``arguments`` in ``sys.argv``, where only ``allowed`` and what it requires is there."""
    command = [sys.executable, "-c", BLOCK + code, ",".join(allowed), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
