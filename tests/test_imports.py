"""Importing the library is cheap: what takes long to import waits for its first use."""

import subprocess
import sys
from pathlib import Path

import evoscope

SLOW = ("matplotlib", "numba", "scipy.optimize", "scipy.sparse", "scipy.stats", "sklearn", "umap")
# They cannot do without: compiled loops, sparse matrices in signatures, pictures.
EXCEPTED = ("evoscope.space.kernels", "evoscope.space.image_embedding", "evoscope.space.baselines", "evoscope.viz")


def test_modules_do_not_import_what_only_a_function_needs():
    root = Path(evoscope.__file__).parent
    files = (path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py"))
    names = sorted({".".join(path.parts).removesuffix(".__init__") for path in files})
    wanted = [name for name in names if not name.startswith(EXCEPTED)]
    assert len(wanted) > 60
    code = f"import importlib, sys; [importlib.import_module(name) for name in {wanted}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) & set(SLOW) == set()
