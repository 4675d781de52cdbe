import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import CheckpointPattern, RunFolder, checkpoint_name
from evoscope.models.weight_files import read_state
from evoscope.models.weights import load_file

PRETRAINED = Path(os.environ.get("EVOSCOPE_DATA", "../shared/data")) / "pretrained"


def make(value=None):
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    if value is not None:
        for parameter in module.parameters():
            nn.init.constant_(parameter, value)
    return module


@pytest.fixture
def run(tmp_path):
    """A run of ours whose weights are the epoch's number."""
    for epoch in (-1, 0, 2, 11):
        save_file(make(epoch).state_dict(), tmp_path / checkpoint_name(epoch))
    return tmp_path


def value(module):
    return module[0].weight.unique().tolist()


def test_a_run_folder_knows_its_epochs_and_loads_them(run):
    checkpoints = RunFolder(run)
    assert checkpoints.epochs == (-1, 0, 2, 11)
    module = make()
    for epoch in checkpoints.epochs:
        checkpoints.load(module, epoch)
        assert value(module) == [epoch]


def test_a_missing_epoch_names_those_that_exist(run, tmp_path):
    with pytest.raises(EvoscopeError, match="no checkpoint of epoch 1: choose from -1, 0, 2, 11"):
        RunFolder(run).load(make(), 1)
    with pytest.raises(EvoscopeError, match="no checkpoints at all"):
        RunFolder(tmp_path / "nowhere").load(make(), 0)
    with pytest.raises(EvoscopeError, match="no checkpoint of epoch 5: choose from 0, 2, 11"):
        CheckpointPattern(f"{run}/epoch-{{epoch}}.safetensors").load(make(), 5)


def test_fingerprints_follow_the_content(run):
    checkpoints = RunFolder(run)
    before = checkpoints.fingerprint(0)
    assert before != checkpoints.fingerprint(2)
    save_file(make(5).state_dict(), run / checkpoint_name(0))
    changed = checkpoints.fingerprint(0)
    assert changed not in (before, checkpoints.fingerprint(2))
    save_file(make(0).state_dict(), run / checkpoint_name(0))
    os.utime(run / checkpoint_name(0))
    assert checkpoints.fingerprint(0) == before


def test_fingerprints_follow_how_names_are_read(run):
    pattern = f"{run}/epoch-{{epoch}}.safetensors"
    assert CheckpointPattern(pattern).fingerprint(2) != CheckpointPattern(pattern, "net.").fingerprint(2)


@pytest.mark.parametrize(
    ("pattern", "names", "epochs"),
    [
        ("ep{epoch}.pt", ["ep0.pt", "ep12.pt", "ep-1.pt", "epoch3.pt", "ep4.pt.bak", "ep.pt"], (-1, 0, 12)),
        ("ep{epoch:03d}.pt", ["ep000.pt", "ep012.pt"], (0, 12)),
        ("e{epoch}/m-{epoch}.pt", ["e1/m-1.pt", "e2/m-2.pt", "e3/m-4.pt"], (1, 2)),
        ("[a]*/ep{epoch}.pt", ["[a]*/ep7.pt", "ab/ep8.pt"], (7,)),
    ],
)
def test_patterns_find_the_epochs(tmp_path, pattern, names, epochs):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(make(3).state_dict(), tmp_path / name)
    checkpoints = CheckpointPattern(str(tmp_path / pattern))
    assert checkpoints.epochs == epochs
    module = make()
    checkpoints.load(module, epochs[-1])
    assert value(module) == [3]


def test_relative_patterns_work(tmp_path, monkeypatch):
    torch.save(make(1).state_dict(), tmp_path / "ep1.pt")
    monkeypatch.chdir(tmp_path)
    assert CheckpointPattern("ep{epoch}.pt").epochs == (1,)
    assert CheckpointPattern("./ep{epoch}.pt").epochs == (1,)


def test_patterns_must_have_the_epoch_and_one_file_for_it(tmp_path):
    with pytest.raises(EvoscopeError, match="does not say where the epoch is"):
        CheckpointPattern("run/last.pt")
    for name in ("ep3.pt", "ep03.pt"):
        torch.save(make().state_dict(), tmp_path / name)
    with pytest.raises(EvoscopeError, match="both claim epoch 3"):
        _ = CheckpointPattern(f"{tmp_path}/ep{{epoch}}.pt").epochs


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_usual_entries_are_found(tmp_path, key):
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, key: make(4).state_dict()}, tmp_path / "a.pt")
    module = make()
    load_file(module, tmp_path / "a.pt")
    assert value(module) == [4]


def test_an_unusual_entry_can_be_named(tmp_path):
    torch.save({"epoch": 3, "mine": make(4).state_dict(), "model": make(5).state_dict()}, tmp_path / "a.pt")
    module = make()
    load_file(module, tmp_path / "a.pt", state_dict_key="mine")
    assert value(module) == [4]
    with pytest.raises(EvoscopeError, match=r"no state dict under 'yours': it holds 'epoch' .int., 'mine'"):
        load_file(module, tmp_path / "a.pt", state_dict_key="yours")


@pytest.mark.parametrize(
    ("written", "given"), [("module.", ""), ("_orig_mod.", ""), ("module._orig_mod.", ""), ("model.", "model.")]
)
def test_prefixes_are_stripped(tmp_path, written, given):
    state = {written + name: tensor for name, tensor in make(6).state_dict().items()}
    torch.save(state, tmp_path / "a.pt")
    module = make()
    load_file(module, tmp_path / "a.pt", given)
    assert value(module) == [6]


def test_a_module_whose_own_names_start_so_keeps_them(tmp_path):
    module = nn.ModuleDict({"module": nn.Linear(2, 2)})
    torch.save(module.state_dict(), tmp_path / "a.pt")
    load_file(nn.ModuleDict({"module": nn.Linear(2, 2)}), tmp_path / "a.pt")


def test_a_mismatch_is_one_sentence_with_names_and_shapes(tmp_path):
    state = make().state_dict()
    state["0.weight"] = torch.zeros(4, 3, 1, 1)
    state["extra"] = torch.zeros(1)
    del state["1.bias"]
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(EvoscopeError) as caught:
        load_file(make(), tmp_path / "a.safetensors")
    message = str(caught.value)
    assert "missing 1: 1.bias" in message
    assert "unexpected 1: extra" in message
    assert "0.weight is [4, 3, 1, 1] in the file, [2, 3, 1, 1] in the network" in message
    assert "\n" not in message


def test_a_mismatch_changes_nothing(tmp_path):
    module = make(1)
    state = {name: tensor + 1 for name, tensor in module.state_dict().items() if name != "1.bias"}
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(EvoscopeError):
        load_file(module, tmp_path / "a.safetensors")
    assert value(module) == [1]


def test_old_files_without_batch_counters_load(tmp_path):
    state = {name: t for name, t in make(2).state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "a.pt")
    module = make()
    load_file(module, tmp_path / "a.pt")
    assert value(module) == [2]


class Opens:
    """Would leave a file behind if it were ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_files_that_could_run_code_are_refused_and_not_run(tmp_path):
    torch.save({"state_dict": make().state_dict(), "extra": Opens(tmp_path / "ran")}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Opens(tmp_path / "ran")))
    torch.save(make(), tmp_path / "whole_module.pt")
    for name in ("a.pt", "b.pt", "whole_module.pt"):
        with pytest.raises(EvoscopeError, match=f"{name}.*save only the weights"):
            read_state(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_damaged_files_are_named(tmp_path, name, damage):
    path = tmp_path / name
    torch.save(make().state_dict(), path) if name == "a.pt" else save_file(make().state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": b"not a checkpoint"}[damage])
    with pytest.raises(EvoscopeError, match=name):
        read_state(path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {}, {"a": 1}, {"epoch": 1, "state_dict": {}}])
def test_files_without_a_state_dict_say_what_they_hold(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(EvoscopeError, match="has no state dict: it holds"):
        read_state(tmp_path / "a.pt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EvoscopeError, match=r"no checkpoint file .*a\.pt"):
        read_state(tmp_path / "a.pt")


@pytest.mark.realdata
@pytest.mark.skipif(not PRETRAINED.is_dir(), reason=f"no pretrained networks in {PRETRAINED}")
def test_real_files_load():
    from evoscope.models.zoo import ModelSpec, build_module

    squeezenet = PRETRAINED / "squeezenet1_0_imagenet_deepcomp.pt"
    module = build_module(ModelSpec("squeezenet1_0", weights=str(squeezenet)), 1000, 0)
    state = read_state(squeezenet)
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in state.items())
    resnet = read_state(PRETRAINED / "cifar10_resnet20-12fca82f.th")
    assert resnet["module.conv1.weight"].shape == (16, 3, 3, 3)
    stem = nn.Module()
    stem.conv1 = nn.Conv2d(3, 16, 3, bias=False)
    with pytest.raises(EvoscopeError, match=r"unexpected \d+: bn1.weight, .* and \d+ more"):
        load_file(stem, PRETRAINED / "cifar10_resnet20-12fca82f.th")
