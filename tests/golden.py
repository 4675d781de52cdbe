"""Golden results: digests of everything that the smoke jobs draw, recorded from one commit, compared with another.

``python -m tests.golden record REV`` runs the jobs of a commit's own code in a worktree and writes
``tests/golden.json``; ``python -m tests.golden check`` runs them with the code at hand and exits 1 where a digest
differs. Digests are of the text of tables and captions and of the decoded pixels of pictures, because a PNG also
carries commit and key. Bits of UMAP and of matrix products may differ between machines: record and check on one
machine. All jobs run on one thread.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden.json"
JOBS = {
    "results": ["experiment=results"],
    "outlier_discovery": ["experiment=outlier_discovery"],
    "tabular_concepts": ["experiment=tabular_concepts"],
    "quickstart": ["experiment=quickstart"],
    "as_released": ["experiment=evolution_importance", "protocol=as_released", "model=vgg16"],
}
# What names a commit, a key or a folder in a text, and so differs between two commits with equal results.
VARYING = (
    (re.compile(r"Commit=[^;]*;"), "Commit;"),
    (re.compile(r"Key=[^;]*;"), "Key;"),
    (re.compile(r"commit [0-9a-f]{7,40}\+?|commit unknown"), "commit"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "key"),
    (re.compile(r"-[0-9a-f]{8}(?=[\s/.`)\"',]|$)"), "-key"),
    # What proves that somebody finished a study is drawn anew for every folder, so that nobody can work it out.
    (re.compile(r"[0-9A-F]{8}(,\S*cc=)[0-9A-F]{8}"), r"code\1code"),
    (re.compile(r'"code": "[0-9A-F]{8}"'), '"code"'),
)


def main(arguments: list[str] | None = None) -> int:
    """Record or check; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("record", "check"))
    parser.add_argument("revision", nargs="?", default="HEAD")
    parser.add_argument("--only", nargs="*", choices=tuple(JOBS), default=tuple(JOBS))
    parser.add_argument("--folder", type=Path, help="store and outputs are kept here (default: a temporary folder)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        if asked.action == "record":
            return record(asked.revision, folder, asked.only)
        return check(folder, asked.only)


def record(revision: str, folder: Path, names: list[str]) -> int:
    """Digests of a commit's results, run in a worktree of it."""
    with tempfile.TemporaryDirectory() as parent:
        tree = Path(parent) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", tree, revision], cwd=ROOT, check=True)
        try:
            commit = _output(["git", "rev-parse", "HEAD"], tree)
            digests = {name: digests_of(tree, name, folder) for name in names}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
    GOLDEN.write_text(json.dumps({"commit": commit, "jobs": digests}, indent=1, sort_keys=True) + "\n")
    print(f"{sum(map(len, digests.values()))} files of {commit[:10]} recorded in {GOLDEN.name}")  # noqa: T201
    return 0


def check(folder: Path, names: list[str]) -> int:
    """Compare the results of the code at hand with the recorded ones."""
    golden = json.loads(GOLDEN.read_text())
    problems = []
    for name in names:
        found, expected = digests_of(ROOT, name, folder), golden["jobs"][name]
        problems += [f"{name}: {file} differs" for file in expected if found.get(file, "") != expected[file]]
        problems += [f"{name}: {file} is new" for file in found if file not in expected]
    print("\n".join(problems) or f"equal to {golden['commit'][:10]}: {', '.join(names)}")  # noqa: T201
    return 1 if problems else 0


def digests_of(tree: Path, name: str, folder: Path) -> dict[str, str]:
    """Digest of each file that a job leaves, by its path below the job's folder."""
    outputs = folder / "outputs" / name
    shutil.rmtree(outputs, ignore_errors=True)
    command = [sys.executable, "run.py", *JOBS[name], "scale=smoke", "progress=false", "threads=1"]
    command += ["stale=recompute"] if tree == ROOT else []
    command += [f"store={folder / 'store'}", f"outputs={outputs}"]
    single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "NUMBA", "MKL")}
    environment = {**os.environ, **single, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}"}
    subprocess.run(command, cwd=tree, env=environment, check=True, stdout=sys.stderr)
    (job,) = (path for path in (outputs / JOBS[name][0].partition("=")[2]).iterdir() if path.is_dir())
    files = sorted(path for path in job.rglob("*") if path.suffix in (".csv", ".md", ".png", ".json"))
    kept = [path for path in files if path.name not in ("status.json", "drawn.json")]
    return _grouped({path.relative_to(job).as_posix(): _digest(path) for path in kept})


def _grouped(digests: dict[str, str]) -> dict[str, str]:
    """The digests of the files beside one another as they are, and one digest of each folder (a study) whole."""
    folders: dict[str, list[str]] = {}
    for path, digest in digests.items():
        folder, below, _ = path.partition("/")
        folders.setdefault(folder + below, []).append(f"{path} {digest}" if below else digest)
    return {
        name: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() if name.endswith("/") else lines[0]
        for name, lines in folders.items()
    }


def _digest(path: Path) -> str:
    if path.suffix == ".png":
        with Image.open(path) as image:
            pixels = image.convert("RGBA")
            return hashlib.sha256(repr(pixels.size).encode() + pixels.tobytes()).hexdigest()
    text = path.read_text(encoding="utf-8")
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return hashlib.sha256(text.encode()).hexdigest()


def _output(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
