import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import RunFolder
from evoscope.models.network import Network, Preprocessing
from evoscope.seeds import derive
from evoscope.training import loop
from evoscope.training.epochs import scored_images, seeded
from evoscope.training.loop import STATE_FILE, disk_bytes, read_metrics, train

SCRIPT = Path(__file__).with_name("tiny_run.py")
spec = importlib.util.spec_from_file_location("tiny_run", SCRIPT)
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_leaves_a_checkpoint_per_epoch_and_its_metrics(tmp_path):
    net = tiny.run(tmp_path)
    checkpoints = RunFolder(tmp_path)
    assert checkpoints.epochs == (-1, 0, 1, 2, 3)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".safetensors"} == {
        "metrics.parquet",
        "identity.json",
    }
    metrics = read_metrics(tmp_path)
    assert metrics["epoch"].tolist() == [-1, 0, 1, 2, 3]
    assert not metrics["diverged"].any()
    assert metrics["test_top1"].iloc[-1] > 0.8 > metrics["test_top1"].iloc[0]
    assert not net.module.training
    initial, other = tiny.network(), tiny.network(seed=1)
    checkpoints.load(other.module, -1)
    assert all(torch.equal(a, b) for a, b in zip(initial.module.parameters(), other.module.parameters(), strict=True))
    checkpoints.load(other.module, 3)
    assert torch.equal(other.module[0].weight, net.module[0].weight)


def test_metrics_are_those_of_the_checkpoints(tmp_path):
    """Oracle: accuracy by hand, in float64, of the network that each checkpoint restores."""
    tiny.run(tmp_path)
    test = tiny.images("test", 40)
    pixels = (np.stack([test.read(i, 8) for i in range(40)]) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    net, metrics = tiny.network().module.double(), read_metrics(tmp_path)
    for _, measured in metrics.iterrows():
        RunFolder(tmp_path).load(net, int(measured["epoch"]))
        logits = net(torch.from_numpy(pixels).permute(0, 3, 1, 2)).detach()
        labels = torch.from_numpy(test.labels)
        assert measured["test_top1"] == (logits.argmax(1) == labels).double().mean()
        assert measured["test_top5"] == 1.0
        assert measured["test_loss"] == pytest.approx(functional.cross_entropy(logits, labels).item(), abs=1e-5)


def test_the_updates_equal_a_plain_loop(tmp_path):
    """Oracle: the same shuffles and dropout in a loop written out here."""
    tiny.run(tmp_path, seed=5, epochs=2, optimizer="sgd", lr=0.05, channels_last=False)
    net = tiny.network()
    loader = Loader(tiny.images("train", 97), net.preprocessing, batch_size=16)
    optimizer = torch.optim.SGD(net.module.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        net.module.train()
        torch.manual_seed(derive(5, "dropout", epoch))
        for batch in list(loader.shuffled(derive(5, "order", epoch)))[:-1]:
            optimizer.zero_grad()
            functional.cross_entropy(net.module(batch.pixels), batch.labels).backward()
            optimizer.step()
    restored = tiny.network(seed=9)
    RunFolder(tmp_path).load(restored.module, 1)
    for mine, theirs in zip(net.module.state_dict().values(), restored.module.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(tmp_path, optimizer):
    state = torch.get_rng_state()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        tiny.run(tmp_path / name, seed=seed, optimizer=optimizer, epochs=2)
    first, same, other = (contents(tmp_path / name) for name in "abc")
    assert first == same
    assert first["epoch-init.safetensors"] == other["epoch-init.safetensors"]
    assert first["epoch-0000.safetensors"] != other["epoch-0000.safetensors"]
    assert torch.equal(torch.get_rng_state(), state)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("place", ["save_module", "save_state", "save_table"])
@pytest.mark.parametrize("nth", [0, 2])
@pytest.mark.parametrize("after", [False, True])
def test_interrupted_at_any_write_it_goes_on_with_the_same_bytes(tmp_path, monkeypatch, optimizer, place, nth, after):
    tiny.run(tmp_path / "whole", optimizer=optimizer)
    original, calls = getattr(loop, place), []

    def interrupted(*arguments):
        calls.append(place)
        if after:
            original(*arguments)
        if len(calls) > nth or place == "save_table":
            raise Killed
        if not after:
            original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, place, interrupted)
        with pytest.raises(Killed):
            tiny.run(tmp_path / "cut", optimizer=optimizer)
    net = tiny.run(tmp_path / "cut", optimizer=optimizer, net=tiny.network())
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert not net.module.training


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("adamw", marks=pytest.mark.slow)])
def test_killed_by_the_system_it_goes_on_with_the_same_bytes(tmp_path, optimizer):
    command = [sys.executable, str(SCRIPT), str(tmp_path / "cut"), optimizer, "0.003", "60"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    chance = random.Random(optimizer)
    for epochs in (3, 20) if optimizer == "adamw" else (12,):
        process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 60
        while not (tmp_path / "cut" / f"epoch-{epochs:04d}.safetensors").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert (tmp_path / "cut" / STATE_FILE).exists()
    subprocess.run(command, env=environment, check=True)
    tiny.run(tmp_path / "whole", optimizer=optimizer, epochs=60)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", [b"", b"half a file"])
def test_a_damaged_resume_file_is_not_trusted(tmp_path, monkeypatch, damage):
    tiny.run(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_table", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            tiny.run(tmp_path / "cut")
    (tmp_path / "cut" / STATE_FILE).write_bytes(damage)
    (tmp_path / "cut" / "epoch-0001.safetensors.partial").write_bytes(b"half")
    tiny.run(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_finished_run_is_not_repeated(tmp_path, monkeypatch):
    first = tiny.run(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(loop, "prepare", lambda *_: pytest.fail("trained again"))
    again = tiny.run(tmp_path)
    assert contents(tmp_path) == before
    assert torch.equal(first.module[0].weight, again.module[0].weight)


@pytest.mark.parametrize(
    ("changes", "what"), [({"lr": 0.1}, "recipe"), ({"seed": 3}, "seed"), ({"net": tiny.network(outputs=9)}, "shapes")]
)
def test_another_run_does_not_mix_with_this_one(tmp_path, changes, what):
    tiny.run(tmp_path)
    with pytest.raises(EvoscopeError, match=f"differs in: {what}"):
        tiny.run(tmp_path, **changes)


@pytest.mark.parametrize(("policy", "epochs"), [("continue", (-1, 0, 1, 2, 3)), ("stop", (-1, 0))])
def test_divergence_is_recorded_and_handled_as_asked(tmp_path, policy, epochs):
    tiny.run(tmp_path, optimizer="sgd", lr=1e30, on_divergence=policy)
    metrics = read_metrics(tmp_path)
    assert tuple(metrics["epoch"]) == RunFolder(tmp_path).epochs == epochs
    assert metrics["diverged"].tolist() == [False] + [True] * (len(epochs) - 1)
    assert metrics["test_top1"].iloc[-1] == 0
    tiny.run(tmp_path, optimizer="sgd", lr=1e30, on_divergence=policy)
    assert tuple(read_metrics(tmp_path)["epoch"]) == epochs


def test_only_the_epochs_asked_for_are_kept(tmp_path):
    tiny.run(tmp_path, keep=(1,))
    assert RunFolder(tmp_path).epochs == (-1, 1, 3)
    assert read_metrics(tmp_path)["epoch"].tolist() == [-1, 0, 1, 2, 3]


def test_the_disk_that_is_announced_covers_the_run(tmp_path, monkeypatch):
    most = 0
    original = loop.save_state

    def measured(folder, *arguments):
        nonlocal most
        original(folder, *arguments)
        most = max(most, sum(path.stat().st_size for path in folder.glob("*.safetensors")))

    monkeypatch.setattr(loop, "save_state", measured)
    net = tiny.run(tmp_path)
    headers = 6 * 2000
    assert most - headers <= disk_bytes(net.module, tiny.recipe()) <= 2 * most


def test_bf16_and_memory_layout_train_as_well(tmp_path):
    for name, changes in (("bf16", {"precision": "bf16"}), ("plain", {"channels_last": False})):
        net = tiny.run(tmp_path / name, **changes)
        assert read_metrics(tmp_path / name)["test_top1"].iloc[-1] > 0.8
        assert all(parameter.dtype == torch.float32 for parameter in net.module.parameters())
        assert net.module[0].weight.is_contiguous()


def test_progress_counts_training_images(tmp_path):
    seen = []

    def watch(items, *, total, what, unit="it", size=1):
        seen.append((total, what, unit, size))
        yield from items

    net = tiny.network()
    train(net, tiny.images("train", 97), tiny.images("test", 40), tiny.recipe(epochs=2), tmp_path, 0, watch)
    assert [call for call in seen if call[1].startswith("training")] == [
        (97, "training tiny, epoch 1 of 2", "image", 16),
        (97, "training tiny, epoch 2 of 2", "image", 16),
    ]


class Pair(nn.Linear):
    def forward(self, images):
        return super().forward(images.flatten(1)), None


@pytest.mark.parametrize("module", [nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), Pair(192, 4), nn.Conv2d(3, 4, 1)])
def test_a_network_without_an_output_per_class_is_refused(tmp_path, module):
    net = Network("odd", module, (), Preprocessing(8))
    with pytest.raises(EvoscopeError, match="there are 4 classes"):
        tiny.run(tmp_path, net=net)


def test_metrics_of_an_unfinished_run_are_refused(tmp_path):
    with pytest.raises(EvoscopeError, match="no finished training run"):
        read_metrics(tmp_path)


def test_scored_images_are_a_fixed_share_of_the_training_images():
    train_images = tiny.images("train", 97)
    assert scored_images(train_images, 0) is scored_images(train_images, 97) is train_images
    some = scored_images(train_images, 30)
    assert len(set(some.ids)) == 30
    assert some.ids == scored_images(train_images, 30).ids
    assert set(some.ids) < set(train_images.ids)


def test_seeding_ends_with_its_context():
    before = torch.get_rng_state()
    with seeded(3, torch.device("cpu")):
        drawn = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(3, torch.device("cpu")):
        assert torch.equal(torch.rand(4), drawn)
