"""A store whose files were damaged: what depends on them is computed again, and the tables are the clean ones."""

import json
import random
import shutil

import pytest
from PIL import Image

from evoscope.store.hashing import files_under
from tests.experiments.damage import changed, spoilt

JOB = ("experiment=scenes", "scale=smoke", "data.train_images=60", "data.test_images=30")
DEEP = ("experiment=tabular_concepts", "scale=smoke")
SEEDS = (31, 32, 33)


def damage(store, draw):
    """Spoil a file of an artefact, or its manifest entry by entry."""
    path = store / draw.choice([name for name in files_under(store) if "/." not in name])
    if path.suffix == ".json" and draw.random() < 0.5:
        what, document = changed(json.loads(path.read_text()), draw)
        path.write_text(json.dumps(document, sort_keys=draw.random() < 0.5))
    elif draw.random() < 0.2:
        what = "gone"
        path.unlink()
    else:
        what, content = spoilt(path.read_bytes() or b"-", draw)
        path.write_bytes(content)
    return f"{path.relative_to(store)} {what}"


def tables(folder):
    drawn = (path for path in folder.rglob("*_*.*") if path.suffix in (".csv", ".png"))
    # A picture's text names what it was drawn from, damaged or not: its pixels count.
    return {
        path.relative_to(folder): path.read_bytes() if path.suffix == ".csv" else Image.open(path).tobytes()
        for path in drawn
    }


def faults(job, seeds, run_py, tmp_path):
    assert run_py(*job, store=tmp_path / "clean").returncode == 0
    clean, found = tables(tmp_path / "outputs"), []
    assert clean
    for seed in seeds:
        store = tmp_path / "store"
        shutil.rmtree(tmp_path / "outputs")
        shutil.copytree(tmp_path / "clean", store)
        what = damage(store, random.Random(seed))
        done = run_py(*job, store=store)
        said = done.stdout + done.stderr
        if done.returncode or "Traceback" in said or "bug of ours" in said:
            found.append(f"{seed} {what}: {said[-300:]}")
        elif tables(tmp_path / "outputs") != clean:
            found.append(f"{seed} {what}: other tables")
        shutil.rmtree(store)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_a_few_damaged_artefacts(run_py, tmp_path):
    faults(JOB, range(2), run_py, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_many_damaged_artefacts(seed, run_py, tmp_path):
    faults(DEEP, range(1000 * seed, 1000 * seed + 200), run_py, tmp_path)
