import math
import sys
import textwrap

import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.models.zoo import ModelSpec, build, build_module, find_function, validate
from evoscope.torchvision_compat import torchvision

LAPTOP = [
    ModelSpec("vgg16", width=0.25, pixels=48),
    ModelSpec("vgg19_bn", width=0.125, pixels=64),
    ModelSpec("inception_v3", width=0.125, pixels=75),
    ModelSpec("convnext_tiny", width=40 / 96, pixels=48, depths=(2, 2, 6, 2), layer_scale=1.0),
    ModelSpec("resnet50", width=0.25, pixels=48),
]


def in_meta(spec: ModelSpec) -> nn.Module:
    with torch.device("meta"):
        return build_module(spec, 1000, 0)


def same_state(left: nn.Module, right: nn.Module) -> bool:
    mine, theirs = left.state_dict(), right.state_dict()
    return list(mine) == list(theirs) and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("spec", LAPTOP, ids=lambda spec: spec.name)
def test_every_width_is_torchvisions_own_class_and_classifies(spec):
    network = build(spec, n_classes=7, seed=3)
    full = {"vgg": torchvision.models.VGG, "inc": torchvision.models.Inception3}
    full |= {"con": torchvision.models.ConvNeXt, "res": torchvision.models.ResNet}
    assert type(network.module) is full[spec.name[:3]]
    assert not network.module.training
    logits = network.module(torch.randn(2, 3, spec.pixels, spec.pixels))
    assert logits.shape == (2, 7)
    assert network.preprocessing.pixels == spec.pixels
    network.module.train()(torch.randn(2, 3, spec.pixels, spec.pixels)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.module.parameters())


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("vgg16", {}),
        ("vgg19_bn", {}),
        ("inception_v3", {"aux_logits": False, "init_weights": True}),
        ("convnext_tiny", {}),
        ("resnet50", {}),
    ],
)
def test_at_full_width_names_and_shapes_are_those_of_torchvision(name, extra):
    ours = in_meta(ModelSpec(name, pixels=299)).state_dict()
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, num_classes=1000, **extra).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "convnext_tiny"])
def test_at_full_width_a_seed_gives_torchvisions_own_network(name):
    from evoscope.seeds import derive

    ours = build_module(ModelSpec(name, pixels=64), 5, seed=11).eval()
    with torch.random.fork_rng():
        torch.manual_seed(derive(11, "start"))
        theirs = torchvision.models.get_model(name, num_classes=5).eval()
    images = torch.randn(2, 3, 64, 64)
    assert same_state(ours, theirs)
    assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize(
    ("spec", "full"),
    [
        (ModelSpec("vgg16", width=0.25), "vgg16"),
        (ModelSpec("inception_v3", width=0.25), "inception_v3"),
        (ModelSpec("convnext_tiny", width=0.25), "convnext_tiny"),
    ],
)
def test_width_scales_every_channel_count(spec, full):
    narrow, wide = in_meta(spec).state_dict(), in_meta(ModelSpec(full)).state_dict()
    assert list(narrow) == list(wide)
    for name, value in wide.items():
        scaled = [side // 4 if side >= 16 and side not in (1000,) else side for side in value.shape]
        assert list(narrow[name].shape) == scaled, name


@pytest.mark.parametrize(("pixels", "grid"), [(32, 1), (48, 1), (64, 2), (128, 4), (224, 7), (300, 7)])
def test_vggs_average_pool_is_the_identity_on_its_last_map(pixels, grid):
    module = build_module(ModelSpec("vgg16", width=0.0625, pixels=pixels), 3, 0).eval()
    module = module.eval()
    features = module.features(torch.randn(1, 3, pixels, pixels))
    pooled = module.avgpool(features)
    assert pooled.shape[-1] == grid
    if pixels // 32 <= 7:
        assert torch.equal(pooled, features) or features.shape[-1] != grid


def test_a_narrow_vgg_starts_with_the_signal_of_the_full_one():
    """Oracle: the spread of torchvision's own start, times the growth of 1/sqrt(fan-in)."""
    module = build_module(ModelSpec("vgg16", width=0.25, pixels=64), 9, 0)
    linears = [layer for layer in module.classifier if isinstance(layer, nn.Linear)]
    full = [layer for layer in in_meta(ModelSpec("vgg16")).classifier if isinstance(layer, nn.Linear)]
    for narrow, wide in zip(linears, full, strict=True):
        expected = 0.01 * math.sqrt(wide.in_features / narrow.in_features)
        assert narrow.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert not narrow.bias.any()


def test_dropout_is_kept_or_replaced():
    def rates(spec):
        return [layer.p for layer in in_meta(spec).modules() if isinstance(layer, nn.Dropout)]

    assert rates(ModelSpec("vgg16", width=0.25, pixels=48)) == [0.5, 0.5]
    assert rates(ModelSpec("vgg16", width=0.25, pixels=48, dropout=0.0)) == [0.0, 0.0]
    assert rates(ModelSpec("vgg16", dropout=0.0)) == [0.0, 0.0]
    assert rates(ModelSpec("inception_v3", width=0.25, pixels=75, dropout=0.1)) == [0.1]


def test_convnext_takes_depths_and_layer_scale():
    module = build_module(ModelSpec("convnext_tiny", width=40 / 96, depths=(2, 2, 6, 2), layer_scale=0.5), 4, 0)
    scales = [value for name, value in module.named_parameters() if name.endswith("layer_scale")]
    assert [len(value) for value in scales] == [40] * 2 + [80] * 2 + [160] * 6 + [320] * 2
    assert all(bool((value == 0.5).all()) for value in scales)


def test_resnet_narrows_inside_its_blocks():
    module = in_meta(ModelSpec("resnet50", width=0.25))
    assert module.layer1[0].conv2.weight.shape == (16, 16, 3, 3)


def test_equal_seeds_give_equal_networks_and_leave_the_global_state_alone():
    spec = ModelSpec("vgg16", width=0.125, pixels=32)
    before = torch.get_rng_state()
    first, same, other = (build_module(spec, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert same_state(first, same)
    assert not same_state(first, other)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ModelSpec("vgg61"), r"closest for model\.name are .*'vgg16'"),
        (ModelSpec("convnext"), "convnext_tiny"),
        (ModelSpec("inception_v3", pixels=74), "74 pixels.*75 or more"),
        (ModelSpec("vgg16", pixels=16), "32 or more"),
        (ModelSpec("inception_v3", width=0.3, pixels=75), "multiple of 1/16"),
        (ModelSpec("vgg16", width=0.0), "width 0.0"),
        (ModelSpec("vgg16", depths=(1, 1)), "only ConvNeXt"),
        (ModelSpec("convnext_tiny", depths=(1, 0)), "depths"),
        (ModelSpec("vgg16", pixels=0), "pixels"),
        (ModelSpec("vgg16", weights="IMAGENET1K_V9"), "IMAGENET1K_V1"),
        (ModelSpec("vgg16", weights="IMAGENET1K_V1", width=0.5), "model.width=1"),
    ],
)
def test_what_cannot_be_built_is_refused_before_any_work(spec, words):
    with pytest.raises(EvoscopeError, match=words):
        validate(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ModelSpec("resnet18", width=0.5), "only one width"),
        (ModelSpec("resnet18", dropout=0.5), "dropout"),
        (ModelSpec("squeezenet1_1", layers=("features.33",)), "closest are 'features.3"),
        (ModelSpec("squeezenet1_1", layers=("features.3", "features.3")), "given 2 times"),
    ],
)
def test_what_an_architecture_lacks_is_an_error(spec, words):
    with pytest.raises(EvoscopeError, match=words):
        build(spec, 5, 0)


def test_weights_may_be_a_file_and_auxiliary_heads_in_it_are_ignored(tmp_path):
    spec = ModelSpec("inception_v3", pixels=75, width=1.0)
    with torch.device("meta"):
        donor = torchvision.models.inception_v3(weights=None, init_weights=True, num_classes=3)
    state = {name: torch.zeros_like(value, device="cpu") for name, value in donor.state_dict().items()}
    state["fc.bias"] = torch.tensor([1.0, 2.0, 3.0])
    assert any(name.startswith("AuxLogits.") for name in state)
    torch.save(state, tmp_path / "inception.pt")
    module = build_module(ModelSpec(spec.name, pixels=75, weights=str(tmp_path / "inception.pt")), 3, 0)
    assert module.fc.bias.tolist() == [1.0, 2.0, 3.0]
    assert module.AuxLogits is None


def test_published_weights_load_into_the_unchanged_model(monkeypatch):
    """The download is replaced by torchvision's own random network; the rest is the real path."""
    weights = torchvision.models.get_model_weights("squeezenet1_1").IMAGENET1K_V1
    donor = torchvision.models.squeezenet1_1()
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, **options: donor.state_dict())
    network = build(ModelSpec("squeezenet1_1", weights="IMAGENET1K_V1"), n_classes=5, seed=0)
    assert same_state(network.module, donor)
    assert network.module(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_published_networks_with_auxiliary_heads_load_without_them(monkeypatch, tmp_path, name):
    """By the name of the weights, and from torchvision's own file; both transform their input as they were trained."""
    donor = torchvision.models.get_model(name, weights=None, init_weights=False).eval()
    member = next(iter(torchvision.models.get_model_weights(name)))
    monkeypatch.setattr(type(member), "get_state_dict", lambda *a, **k: donor.state_dict())
    donor.transform_input = True
    path = tmp_path / member.url.rpartition("/")[2]
    torch.save(donor.state_dict(), path)
    pixels = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    for weights in (member.name, str(path)):
        module = build_module(ModelSpec(name, pixels=96, weights=weights), 1000, 0).eval()
        assert module.transform_input
        assert not [key for key in module.state_dict() if key.startswith(("Aux", "aux"))]
        with torch.no_grad():
            assert torch.equal(module(pixels), donor(pixels))
    torch.save(donor.state_dict(), tmp_path / "mine.pth")
    mine = build_module(ModelSpec(name, pixels=96, weights=str(tmp_path / "mine.pth")), 1000, 0)
    assert not mine.transform_input


def test_weights_that_cannot_be_fetched_say_where_to_put_them(monkeypatch):
    weights = torchvision.models.get_model_weights("squeezenet1_1").IMAGENET1K_V1

    def offline(self, **options):
        raise OSError("no network")

    monkeypatch.setattr(type(weights), "get_state_dict", offline)
    with pytest.raises(EvoscopeError, match=r"download https://.*\.pth and put it into .*checkpoints"):
        build(ModelSpec("squeezenet1_1", weights="IMAGENET1K_V1"), 5, 0)


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "googlenet"])
def test_any_torchvision_classifier_works_by_name(name):
    network = build(ModelSpec(name, pixels=96), n_classes=4, seed=0)
    assert network.layers
    assert network.module(torch.zeros(1, 3, 96, 96)).shape == (1, 4)


@pytest.mark.slow
def test_full_vgg16_equals_torchvisions_under_the_same_seed():
    from evoscope.seeds import derive

    ours = build_module(ModelSpec("vgg16"), 1000, seed=2).eval()
    with torch.random.fork_rng():
        torch.manual_seed(derive(2, "start"))
        theirs = torchvision.models.vgg16().eval()
    assert same_state(ours, theirs)


SOURCE = """
    from torch import nn

    def build(n_classes, channels=4):
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes))
        return nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), *head)

    def torch_style(num_classes=10):
        return build(num_classes)

    def fixed():
        return build(2)

    def nothing():
        return 3

    def breaks():
        raise ValueError("inside the user's own code")
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "their_models.py").write_text(textwrap.dedent(SOURCE))
    (tmp_path / "their_typo.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "their_bug.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "their_models"
    for name in ("their_models", "their_typo", "their_bug"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("function", "kwargs", "classes", "channels"),
    [("build", {}, 6, 4), ("build", {"channels": 7}, 6, 7), ("torch_style", {}, 6, 4), ("fixed", {}, 2, 4)],
)
def test_a_users_function_gives_a_network(library, function, kwargs, classes, channels):
    spec = ModelSpec("mine", pixels=20, factory=f"{library}:{function}", kwargs=kwargs)
    network = build(spec, n_classes=6, seed=0)
    assert network.layers == ("1",)
    assert network.module[0].out_channels == channels
    assert network.module(torch.zeros(2, 3, 20, 20)).shape == (2, classes)


def test_a_users_function_draws_from_the_seed(library):
    spec = ModelSpec("mine", pixels=20, factory=f"{library}:build")
    first, same, other = (build(spec, 6, seed).module[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("factory", "kwargs", "words"),
    [
        ("their_models", {}, "package.module:function"),
        (":build", {}, "package.module:function"),
        ("their_models:biuld", {}, "closest names are 'build'"),
        ("nowhere_at_all:build", {}, "'nowhere_at_all'.*PYTHONPATH"),
        ("their_typo:build", {}, "'not_installed_anywhere'"),
        ("their_bug:build", {}, "ZeroDivisionError"),
        ("their_models:build", {"depth": 3}, "refuses its arguments.*depth"),
        ("their_models:nothing", {}, "returned a int"),
    ],
)
def test_mistakes_are_named(library, factory, kwargs, words):
    with pytest.raises(EvoscopeError, match=words):
        build(ModelSpec("mine", pixels=20, factory=factory, kwargs=kwargs), 6, 0)


def test_errors_inside_the_users_function_name_their_line(library):
    with pytest.raises(EvoscopeError, match=r"inside the user's own code.*line \d+, in breaks") as refusal:
        build(ModelSpec("mine", factory=f"{library}:breaks"), 6, 0)
    assert isinstance(refusal.value.__cause__, ValueError)


def test_find_function_returns_the_very_function(library):
    import importlib

    assert find_function(f"{library}:build") is importlib.import_module(library).build


def test_an_image_size_the_module_cannot_take_is_named(library):
    with pytest.raises(EvoscopeError, match="2 x 2 pixels"):
        build(ModelSpec("mine", pixels=2, factory=f"{library}:build"), 6, 0)
