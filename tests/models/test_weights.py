"""Files of weights as people have them: what training scripts, wrappers and hubs write."""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import CheckpointPattern
from evoscope.models.weight_files import read_state
from evoscope.models.weights import load_file


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Net()


def holds(path: Path, net: nn.Module, **options) -> tuple[str, ...]:
    """Loads the file into a fresh module and compares every weight; the remarks."""
    fresh = Net()
    remarks = load_file(fresh, path, **options)
    for name, value in net.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name
    return remarks


class Settings:
    """Somebody's own configuration class."""

    lr = 0.1


BESIDE = {
    "namespace": argparse.Namespace(lr=0.1, path=Path("/data"), classes=[1, 2]),
    "numpy": {"best": np.float64(0.7), "step": np.int64(3), "curve": np.arange(3), "name": np.str_("a")},
    "omegaconf": OmegaConf.create({"model": {"name": "net", "sizes": [1, 2]}, "lr": 0.1}),
    "containers": defaultdict(list, {"a": [1]}),
    "times": timedelta(seconds=3),
    "optimizer": {"state": {}, "param_groups": [{"lr": np.float32(0.1)}]},
    "dtype": np.dtype("float32"),
    "version": torch.torch_version.TorchVersion("2.6.0"),
}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kind", BESIDE)
def test_settings_beside_the_weights_are_left_alone(net, tmp_path, kind, old):
    content = {"model": net.state_dict(), "epoch": 3, "args": BESIDE[kind]}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    holds(tmp_path / "a.pth", net)


@pytest.mark.parametrize("content", ["settings", "module"])
def test_what_could_run_code_is_named_with_a_line_that_mends_it(net, tmp_path, content, monkeypatch):
    held = {"state_dict": net.state_dict(), "settings": Settings()} if content == "settings" else {"model": net}
    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(EvoscopeError) as caught:
        read_state(tmp_path / "a.pth")
    message = str(caught.value)
    assert ("test_weights.Settings" if content == "settings" else "whole pickled module") in message
    assert "test_weights.Net" in message or content == "settings"
    (line,) = re.findall(r'python -c "(.*)"', message)
    env = {"PYTHONPATH": ":".join([str(Path(__file__).parent), *filter(None, sys.path)])}
    subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=True, env=env)
    holds(tmp_path / "weights.pt", net)


def test_programs_are_refused_by_name(tmp_path):
    torch.jit.script(nn.Sequential(nn.Linear(2, 2))).save(tmp_path / "a.pt")
    with pytest.raises(EvoscopeError, match=r"TorchScript program.*torch\.jit\.load"):
        read_state(tmp_path / "a.pt")
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(EvoscopeError, match="a network of ONNX"):
        read_state(tmp_path / "a.onnx")


PREFIXES = [
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "model.",
    "model._orig_mod.",
    "module.model.",
    "network.backbone.",
    "_forward_module.model._fsdp_wrapped_module.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrappers_are_taken_off_in_any_order(net, tmp_path, prefix):
    torch.save({prefix + name: value for name, value in net.state_dict().items()}, tmp_path / "a.pt")
    holds(tmp_path / "a.pt", net)


@pytest.mark.parametrize("where", ["body.", "body.0.", "head."])
def test_a_wrapped_submodule_is_unwrapped(net, tmp_path, where):
    state = {name.replace(where, f"{where}_orig_mod.module."): v for name, v in net.state_dict().items()}
    torch.save(state, tmp_path / "a.pt")
    holds(tmp_path / "a.pt", net)


def test_a_module_that_is_called_module_keeps_its_name(tmp_path):
    both = nn.ModuleDict({"module": nn.Linear(2, 2), "other": nn.ModuleDict({"model": nn.Linear(2, 2)})})
    for prefix in ("", "module.", "_orig_mod."):
        torch.save({prefix + name: value for name, value in both.state_dict().items()}, tmp_path / "a.pt")
        fresh = nn.ModuleDict({"module": nn.Linear(2, 2), "other": nn.ModuleDict({"model": nn.Linear(2, 2)})})
        load_file(fresh, tmp_path / "a.pt")
        for name, value in both.state_dict().items():
            assert torch.equal(value, fresh.state_dict()[name])


@pytest.mark.parametrize("key", ["model_ema", "ema.weights"])
def test_averaged_weights_are_read(net, tmp_path, key):
    averaged = AveragedModel(net)
    averaged.update_parameters(net)
    other, head, *rest = Net().state_dict(), *key.split(".")
    content = {"model": other, head: {rest[0]: averaged.state_dict()} if rest else averaged.state_dict()}
    torch.save(content, tmp_path / "a.pt")
    assert holds(tmp_path / "a.pt", net, state_dict_key=key) == ()
    (remark,) = load_file(Net(), tmp_path / "a.pt")
    assert f"averaged weights too: model.state_dict_key={head}" in remark


def test_what_is_not_the_network_s_is_left_alone_and_said(net, tmp_path):
    state = {f"model.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": {**state, "criterion.pos_weight": torch.ones(2)}}, tmp_path / "a.ckpt")
    for prefix in ("model.", "model", ""):
        (remark,) = holds(tmp_path / "a.ckpt", net, strip_prefix=prefix)
        assert "1 entries are not the network's and left alone: criterion.pos_weight" in remark
    torch.save({**net.state_dict(), "body.7.weight": torch.ones(2)}, tmp_path / "b.pt")
    with pytest.raises(EvoscopeError, match=r"unexpected 1: body\.7\.weight"):
        load_file(Net(), tmp_path / "b.pt")


def test_two_copies_of_the_network_are_asked_about(net, tmp_path):
    state = {f"{who}.{name}": value for who in ("student", "teacher") for name, value in net.state_dict().items()}
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(EvoscopeError, match=r"2 times, under 'student\.', 'teacher\.': .*strip_prefix=student\."):
        load_file(Net(), tmp_path / "a.pt")
    assert "left alone" in holds(tmp_path / "a.pt", net, strip_prefix="teacher")[0]


def test_a_prefix_that_is_nowhere_is_refused(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "a.pt")
    with pytest.raises(EvoscopeError, match=r"no name .* begins with model\.strip_prefix='modle\.'.*body\.0\.weight"):
        load_file(Net(), tmp_path / "a.pt", "modle.")


def test_weights_of_another_type_and_spoilt_ones(net, tmp_path):
    state = net.state_dict()
    torch.save({**state, "head.weight": (state["head.weight"] * 9).to(torch.int8)}, tmp_path / "a.pt")
    with pytest.raises(EvoscopeError, match=r"of other type 1: head\.weight is int8 in the file, float32 in the"):
        load_file(Net(), tmp_path / "a.pt")
    torch.save({**state, "head.bias": torch.full((2,), float("nan"))}, tmp_path / "b.pt")
    (remark,) = load_file(Net(), tmp_path / "b.pt")
    assert "NaN or infinite weights in head.bias" in remark


@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin", "shards"])
def test_folders_of_a_hub(net, tmp_path, kind):
    folder = tmp_path / "checkpoint-7"
    folder.mkdir()
    state = net.state_dict()
    if kind == "shards":
        save_file({n: v for n, v in state.items() if n.startswith("body")}, folder / "model-1.safetensors")
        save_file({n: v for n, v in state.items() if n.startswith("head")}, folder / "model-2.safetensors")
        places = {name: f"model-{1 if name.startswith('body') else 2}.safetensors" for name in state}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    else:
        (save_file if kind.endswith("safetensors") else torch.save)(state, folder / kind)
    (folder / "config.json").write_text("{}")
    holds(folder, net)
    for pattern in (tmp_path / "checkpoint-{epoch}", tmp_path):
        checkpoints = CheckpointPattern(str(pattern))
        assert checkpoints.epochs == (7,)
        checkpoints.load(Net(), 7)
        assert len(checkpoints.fingerprint(7)) == 64


@pytest.mark.parametrize(
    ("pattern", "names", "epochs"),
    [
        ("epoch={epoch}-step=*.ckpt", ["epoch=0-step=375.ckpt", "epoch=11-step=750.ckpt", "last.ckpt"], (0, 11)),
        ("epoch={epoch}-step={step}.ckpt", ["epoch=0-step=375.ckpt", "epoch=1-step=750.ckpt"], (0, 1)),
        ("e{epoch}-{loss}.pt", ["e0-0.31.pt", "e1-0.25.pt"], (0, 1)),
        ("*/m-{epoch}.pt", ["v1/m-1.pt", "v2/m-2.pt"], (1, 2)),
        ("", ["epoch=0-step=375.ckpt", "epoch=1-step=750.ckpt", "last.ckpt"], (0, 1)),
        ("", ["model_0.pth", "model_10.pth", "best.pth", "log.txt"], (0, 10)),
        ("", ["ep0.pt", "ep5.pt"], (0, 5)),
    ],
)
def test_names_as_trainers_give_them(net, tmp_path, pattern, names, epochs):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(net.state_dict(), tmp_path / name)
    assert CheckpointPattern(str(tmp_path / pattern)).epochs == epochs


def test_the_home_folder_is_meant(net, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(net.state_dict(), tmp_path / "ep1.pt")
    assert CheckpointPattern("~/ep{epoch}.pt").epochs == (1,)
    holds(Path("~/ep1.pt"), net)


def test_a_step_that_is_left_open_does_not_hide_a_second_file(net, tmp_path):
    for step in (100, 200):
        torch.save(net.state_dict(), tmp_path / f"epoch=0-step={step}.ckpt")
    with pytest.raises(EvoscopeError, match="both claim epoch 0"):
        _ = CheckpointPattern(str(tmp_path / "epoch={epoch}-*.ckpt")).epochs
