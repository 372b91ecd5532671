"""The package's borders: `learning` and `evaluation` run where little else is installed, on a bare GPU machine."""

import subprocess
import sys

import pytest

from blocked_imports import run_with_the_rest_blocked

# tqdm draws progress bars
ALLOWED = {
    "learning": ["torch", "torchvision", "lightning-fabric", "numpy", "safetensors", "tqdm"],
    "evaluation": ["torch", "numpy", "scipy", "pandas", "scikit-learn", "tqdm"],
}

IMPORT_EVERY_MODULE = """
import importlib, pkgutil
package = sys.argv[1]
modules = [importlib.import_module(package)]
modules += [importlib.import_module(m.name) for m in pkgutil.walk_packages(modules[0].__path__, package + ".")]
print(len(modules))
"""


def import_with_the_rest_blocked(package: str, allowed: list[str]) -> subprocess.CompletedProcess:
    return run_with_the_rest_blocked(IMPORT_EVERY_MODULE, allowed, f"cloome_kedro.{package}")


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


@pytest.mark.parametrize("registry", ["views:VIEWS", "encoders:ENCODERS", "objectives:OBJECTIVES", "config:FitConfig"])
def test_names_and_settings_of_the_fit_need_the_standard_library_alone(registry):
    """So names in a configuration can be listed and checked without loading torch."""
    module, name = registry.split(":")
    code = f"import sys; before = set(sys.modules); from cloome_kedro.learning.{module} import {name}\n"
    if name != "FitConfig":
        code += f"assert list({name}) and all({name}.facts(entry) is not None for entry in {name})\n"
    code += "print(*{module.partition('.')[0] for module in set(sys.modules) - before} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cloome_kedro"]
