import importlib
import subprocess
import sys

import pytest

from evoscope import torchvision_compat
from evoscope.torchvision_compat import MISSING_OPERATOR, import_torchvision, torchvision


def test_models_weights_datasets_and_transforms_are_usable():
    from torchvision.transforms import v2

    assert torchvision.models.get_model("squeezenet1_1", num_classes=3) is not None
    assert torchvision.models.get_model_weights("vgg19").IMAGENET1K_V1.meta["categories"][0] == "tench"
    assert callable(torchvision.datasets.ImageFolder)
    assert callable(v2.Resize)


def test_the_shim_works_in_a_fresh_process_and_survives_a_second_import():
    code = (
        "from evoscope.torchvision_compat import import_torchvision, torchvision;"
        "import torchvision as plain;"
        "assert import_torchvision() is torchvision is plain"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_job_imports_it_without_the_compiler_which_answers_all_the_same():
    code = (
        "import sys; from experiments import jobs; jobs._import_torchvision();"
        "assert not any(name.startswith('torch._dynamo') for name in sys.modules);"
        "import torchvision.ops; asked = sys.modules['torchvision.ops.roi_align'].is_compile_supported('cpu');"
        "from torch._dynamo.utils import is_compile_supported; assert asked == is_compile_supported('cpu')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("error", [RuntimeError("another failure"), ImportError("no torchvision")])
def test_any_other_failure_is_passed_on(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(type(error), match=str(error)):
        import_torchvision()


def test_the_exact_failure_declares_the_operators_and_imports_again(monkeypatch):
    calls = []

    def fail_once(name):
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError(MISSING_OPERATOR)
        return torchvision

    declared, forgotten = [], []
    monkeypatch.setattr(importlib, "import_module", fail_once)
    monkeypatch.setattr(torchvision_compat, "_declare_operators", lambda: declared.append(True))
    monkeypatch.setattr(torchvision_compat, "_forget_torchvision", lambda: forgotten.append(True))
    assert import_torchvision() is torchvision
    assert calls == ["torchvision", "torchvision"]
    assert declared == forgotten == [True]


def test_forgetting_leaves_similar_names_alone(monkeypatch):
    monkeypatch.setattr(sys, "modules", {"torchvision": 1, "torchvision.ops": 2, "torchvision_extra": 3})
    torchvision_compat._forget_torchvision()
    assert sys.modules == {"torchvision_extra": 3}
