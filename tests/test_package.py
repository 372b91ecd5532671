"""The package's borders: `learning` and `evaluation` run where little else is installed, on a bare GPU machine."""

import subprocess
import sys

import pytest

# tqdm draws the fit loop's progress bars
ALLOWED = {
    "learning": ["torch", "torchvision", "lightning-fabric", "numpy", "safetensors", "tqdm"],
    "evaluation": ["torch", "numpy", "scipy", "pandas", "scikit-learn"],
}

# Imports every module of a package while whatever the allowed distributions do not require cannot be found, as if it
# were not installed.
IMPORT_WITH_THE_REST_BLOCKED = '''
import importlib, pkgutil, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

package, *wanted = sys.argv[1:]
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
modules = [importlib.import_module(package)]
modules += [importlib.import_module(m.name) for m in pkgutil.walk_packages(modules[0].__path__, package + ".")]
print(len(modules))
'''


def import_with_the_rest_blocked(package: str, allowed: list[str]) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", IMPORT_WITH_THE_REST_BLOCKED, f"cloome_kedro.{package}", *allowed]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_with_its_own_libraries_alone(package):
    done = import_with_the_rest_blocked(package, ALLOWED[package])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1


def test_the_block_blocks():
    """`chemistry` needs RDKit, so it cannot be imported where `evaluation` can."""
    done = import_with_the_rest_blocked("chemistry", ALLOWED["evaluation"])
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'rdkit'" in done.stderr
