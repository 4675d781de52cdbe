"""Files of the user's, damaged: refused by name in one sentence, or read as if nothing had happened."""

import functools
import io
import json
import random

import numpy as np
import pytest
import torch
import yaml
from hydra import initialize_config_dir
from PIL import Image
from torch import nn

from evoscope.data.folder import open_folder
from evoscope.data.labels import read_labels
from evoscope.errors import EvoscopeError
from evoscope.models.weights import load_file
from experiments import CONF
from experiments.composed import composed
from experiments.runs import selected_runs
from experiments.schema import register
from human_eval.__main__ import main as human_eval
from run import prepared
from tests.experiments.damage import changed, changed_table, spoilt

SEEDS = (21, 22, 23)


def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 99, 3), nn.BatchNorm2d(99), nn.Flatten(), nn.Linear(99, 2))


def renamed(state, draw):
    name = draw.choice(list(state))
    state[name + "x"] = state.pop(name)


STATES = {
    "lost": lambda state, draw: state.pop(draw.choice(list(state))),
    "renamed": renamed,
    "shape": lambda state, draw: state.update({draw.choice(list(state)): torch.zeros(7, 2)}),
    "complex": lambda state, draw: state.update({"0.weight": state["0.weight"].to(torch.complex64)}),
    "whole numbers": lambda state, draw: state.update({"0.weight": state["0.weight"].to(torch.int8)}),
    "sparse": lambda state, draw: state.update({"3.weight": state["3.weight"].to_sparse()}),
    "quantised": lambda state, draw: state.update(
        {"3.weight": torch.quantize_per_tensor(state["3.weight"], 0.1, 0, torch.qint8)}
    ),
    "no storage": lambda state, draw: state.update({"3.weight": state["3.weight"].to("meta")}),
    "a number": lambda state, draw: state.update({draw.choice(list(state)): 1.5}),
    "a name that is none": lambda state, draw: state.update({3: torch.zeros(1)}),
    "nothing": lambda state, draw: state.clear(),
}
NOTHING_HAPPENED = {
    "prefix": lambda state, draw: {f"{draw.choice(['net', 'module', 'a.b'])}.{k}": v for k, v in state.items()},
    "more": lambda state, draw: {**state, "train_acc.total": torch.zeros(3)},
    "wrapped": lambda state, draw: {draw.choice(["model", "state_dict", "net"]): state, "epoch": 3},
    "double": lambda state, draw: {k: v.double() if v.is_floating_point() else v for k, v in state.items()},
    "strided": lambda state, draw: {k: v.clone().T.contiguous().T if v.ndim == 2 else v for k, v in state.items()},
}


def checkpoint(draw, folder):
    """A state dict, wrong in its tensors or its bytes."""
    path, state, kind = folder / "ep1.pt", module().state_dict(), draw.choice(["bytes", "state", "same"])
    kept = io.BytesIO()
    if kind == "state":
        what = draw.choice(sorted(STATES))
        STATES[what](state, draw)
    elif kind == "same":
        what = draw.choice(sorted(NOTHING_HAPPENED))
        state = NOTHING_HAPPENED[what](dict(state), random.Random(draw.random() if what != "prefix" else 1))
    torch.save(state, kept)
    content = kept.getvalue()
    if kind == "bytes":
        what, content = spoilt(content, draw)
    path.write_bytes(content)
    clean, read = module().state_dict(), module()
    with torch.no_grad():
        for value in read.state_dict().values():
            value.fill_(0)

    def answer():
        load_file(read, path)
        assert all(torch.equal(value, clean[name]) for name, value in read.state_dict().items()), "other weights"

    return f"checkpoint, {kind}: {what}", "ep1.pt", answer


def photographs(folder):
    draw = np.random.default_rng(0)
    for split, label, number in np.ndindex(2, 2, 4):
        path = folder / ("train", "val")[split] / ("cat", "dog")[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(path)
    return folder


def giant(content, draw):
    """A picture whose head says that it is gigantic."""
    head = bytearray(content)
    head[16:24] = draw.choice([2**31 - 1, 60_000, 0]).to_bytes(4, "big") * 2
    return bytes(head)


def image(draw, folder):
    root = photographs(folder / "photos")
    path = root / "train" / "cat" / "1.png"
    content = path.read_bytes()
    what, spoiled = ("giant", giant(content, draw)) if draw.random() < 0.2 else spoilt(content, draw)
    if draw.random() < 0.3:
        path.unlink()
        path = path.with_suffix(draw.choice([".jpg", ".gif", ".webp", ".tiff", ".bmp"]))
    path.write_bytes(spoiled)

    def answer():
        found = open_folder(root, "train")
        for row in range(len(found)):
            found.read(row, 16)

    return f"image, {what} {path.name}", path.name, answer


def concepts(draw, folder):
    root = photographs(folder / "photos")
    sets = [open_folder(root, split) for split in ("train", "test")]
    lines = ["file,red,blue"] + [f"{name},{n % 2},{n % 3 // 2}" for n, name in enumerate(sets[0].ids + sets[1].ids)]
    clean = "\n".join(lines) + "\n"
    path = folder / "labels.csv"
    path.write_text(clean)
    whole = read_labels(path).of(*sets)
    wanted = [whole.on(each).concepts.present for each in sets]
    what, text = changed_table(clean, draw)
    content = text.encode()
    if draw.random() < 0.3:
        what, content = spoilt(clean.encode(), draw)
    path.write_bytes(content)
    legal = what.startswith(("cell", "column", "head", "turned"))  # another label is a label

    def answer():
        found = read_labels(path).of(*sets)
        given = [found.on(each).concepts.present for each in sets]
        assert legal or all(np.array_equal(a, b) for a, b in zip(given, wanted, strict=True)), "other labels"

    return f"concepts, {what}", "labels.csv", answer


NETWORKS = {
    "mine": {"name": "resnet18", "weights": "IMAGENET1K_V1", "pixels": 32, "layers": ["layer1.0.conv1"]},
    "other": {"name": "mobilenet_v2", "training": {"epochs": 2, "lr": 0.1}, "width": 1, "epochs": [0, 1]},
}


def networks(draw, folder):
    path = folder / "runs.yaml"
    what, document = changed(NETWORKS, draw)
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    if draw.random() < 0.3:
        what, content = spoilt(path.read_bytes(), draw)
        path.write_bytes(content)

    def answer():
        register()
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            selected_runs(composed("unified_space", ["scale=smoke", *prepared([f"runs={path}"])]))

    return f"runs, {what}", ("runs.yaml", "mine", "other"), answer


@functools.cache
def study():
    from human_eval.design import design, synthetic_neurons
    from tests.human_eval.test_imports import SIZES, given_to

    made = design("alignability", synthetic_neurons(0, models=4, side=4), 0, "corrected", SIZES)
    trials, block = made.by_id(), made.blocks[0]
    responses = [
        {"trial": name, "choice": given_to(made, trials[name], n)[0], "option": None, "texts": [], "ms": 900 + n}
        | {"position": given_to(made, trials[name], n)[0]}
        for n, name in enumerate(block.trials)
    ]
    return made, {"participant": "p1", "block": block.id, "responses": responses}


def answers(draw, folder):
    """A page's answers, or the study that they are to."""
    from human_eval.design import save_study

    made, page = study()
    save_study(made, folder / "study")
    path = folder / "p1.json"
    path.write_text(json.dumps(page))
    if draw.random() < 0.3:
        path = folder / "study" / draw.choice(["study.json", "key.json"])
    what, document = changed(json.loads(path.read_text()), draw)
    content = json.dumps(document).encode()
    if draw.random() < 0.3:
        what, content = spoilt(path.read_bytes(), draw)
    path.write_bytes(content)

    def answer():
        if human_eval(["analyse", str(folder / "study"), str(folder / "p1.json"), str(folder / "out")]):
            raise EvoscopeError("the command refused", "see what it said")

    return f"answers, {path.name}: {what}", (path.name, "study'"), answer


KINDS = (checkpoint, image, concepts, networks, answers)


def fault(kind, seed, folder, capfd):
    """What is wrong with the answer to a damaged file."""
    folder.mkdir()
    what, names, answer = kind(random.Random(seed), folder)
    capfd.readouterr()
    try:
        answer()
    except EvoscopeError as refusal:
        said = f"{refusal} {capfd.readouterr().err}"
        if not any(name in said for name in ((names,) if isinstance(names, str) else names)):
            return f"{seed} {what}: not named: {said[-300:]}"
        return f"{seed} {what}: ours: {said}" if "bug of ours" in said else None
    except Exception as error:
        return f"{seed} {what}: {type(error).__name__}: {error}"[:500]
    return None


def faults(kind, seeds, tmp_path, capfd):
    found = [fault(kind, seed, tmp_path / str(seed), capfd) for seed in seeds]
    if any(found):
        pytest.fail("\n".join(each for each in found if each), pytrace=False)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_few_damaged_files(kind, tmp_path, capfd):
    faults(kind, range(12 if kind is not answers else 6), tmp_path, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_many_damaged_files(kind, seed, tmp_path, capfd):
    faults(kind, range(1000 * seed, 1000 * seed + 200), tmp_path, capfd)
