"""The command line: any path can be typed, and what cannot be read is refused in one sentence with close names."""

import logging
import re
import subprocess
import sys
import time

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from evoscope.errors import EvoscopeError
from experiments import experiment_names
from experiments.command import CONF, closest_keys, taken_apart
from run import prepared
from tests.experiments.test_configuration import composed

PATHS = [
    "runs/seed=0,lr=0.1",
    "a b/c  d",
    "[old]/(new)/{x}",
    "50%/#1/@home/~tmp/$dollar",
    "Fotos/Größe übung",
    'it\'s "quoted"',
    "1e3",
    "007",
    "true",
    "a\\b",
    "ends\\",
    "semi;colon&and!bang?*",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["data.root", "model.weights", "store"])
@pytest.mark.parametrize("mode", [[], ["-m"]])
def test_a_path_arrives_as_it_was_typed(path, key, mode, tmp_path, monkeypatch):
    """In a sweep a path with a comma is one path where there is such a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / path).mkdir(parents=True)
    prepared_ones = [each for each in prepared([*mode, "experiment=train", f"{key}={path}"]) if each[0] != "-"]
    config = composed(*[each for each in prepared_ones if not each.startswith("hydra.")])
    found = {"data.root": config.data.root, "model.weights": config.model.weights, "store": config.store}
    assert found[key] == path


def test_texts_of_a_list_stay_texts():
    config = composed(*prepared(["experiment=train", "discovery.classes=[007, 1e3, Kühe, a=b]"]))
    assert config.discovery.classes == ["007", "1e3", "Kühe", "a=b"]


def test_quotes_escapes_interpolations_and_null_mean_what_they_mean_to_hydra():
    arguments = ["store='a b'", r"outputs=a\=b", "model.width=${scale.width}", "model.weights=null"]
    assert prepared(arguments) == arguments


def test_commas_make_a_sweep_of_texts():
    (argument,) = [each for each in prepared(["-m", "data.root=a=1,b=2"]) if each.startswith("data")]
    assert list(OverridesParser.create().parse_override(argument).sweep_string_iterator()) == ["'a=1'", "'b=2'"]


def test_flags_and_settings_may_be_typed_in_any_order():
    found = taken_apart(["experiment=train", "-m", "seed=0,1", "--cfg", "job"])
    assert (found.flags, found.overrides, found.sweep) == (
        ["-m", "--cfg", "job"],
        ["experiment=train", "seed=0,1"],
        True,
    )


def test_a_sweep_has_a_short_folder_of_its_own_and_the_same_again():
    long = [f"training.lr={n / 1000}" for n in range(200)]
    names = {
        prepared(["-m", "experiment=train,unified_space", *more, *places])[-1]
        for more in ([], long[:1], long)
        for places in ([], ["store=elsewhere"])
    }
    assert len(names) == 3
    assert all(re.fullmatch(r"hydra\.sweep\.dir='\$\{outputs\}/sweeps/[\w-]{1,50}'", name) for name in names)


@pytest.mark.parametrize(
    ("arguments", "clues"),
    [
        (["experiment=trian"], ["'train'"]),
        (["unified_space"], ["experiment=unified_space"]),
        (["--experiment=train"], ["without dashes"]),
        (["experiment=train", "lr=0.1"], ["training.lr"]),
        (["model.pixel=3"], ["model.pixels"]),
        (["protocol.space.kk=3"], ["protocol.space.k"]),
        (["seed=0,1"], ["-m"]),
        (["seed=["], ["quote"]),
        (["model=vgg17"], ["vgg16"]),
        (["-m", "data=cifar10,imagenete"], ["imagenette"]),
        (["+foo=1"], ["foo"]),
        (["--cfg"], ["--cfg"]),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_closest_names(arguments, clues):
    with pytest.raises(EvoscopeError) as refusal:
        prepared(arguments)
    assert all(clue in str(refusal.value) for clue in clues)


def test_keys_that_end_alike_are_the_closest():
    assert "training.lr" in closest_keys("lr")


@pytest.fixture
def _quiet_hydra():
    """``--info`` sends Hydra's log to the stream of this test, which later tests do not have."""
    roots = [logging.getLogger(), logging.getLogger("hydra")]
    before = [(root, list(root.handlers), root.level) for root in roots]
    yield
    for root, handlers, level in before:
        root.handlers, root.level = handlers, level


WRONG = {
    "a word for a number": ("training.lr=fast", "training.lr cannot be fast: give a number"),
    "a fraction for a whole number": ("seed=1.5", "seed cannot be 1.5: give a whole number"),
    "no option": ("data.on_error=maybe", "raise, skip"),
    "no list": ("epochs=3", "as in [0,1]"),
    "no such run": ("runs.vgg99.epochs=[1]", "there is no setting runs.vgg99"),
    "no such variable": ("model.weights=${oc.env:NO_SUCH_VARIABLE}", "NO_SUCH_VARIABLE"),
    "no such setting": ("model.weights=${nope}", "nope"),
    "no value": ("hydra.nope=1", "hydra.nope"),
}


@pytest.mark.usefixtures("_quiet_hydra")
@pytest.mark.parametrize("mode", [[], ["-m"], ["--cfg", "job", "--resolve"], ["--info", "config"]])
@pytest.mark.parametrize("case", WRONG)
def test_hydras_errors_are_one_sentence_in_every_mode(case, mode, run_py, tmp_path):
    argument, clue = WRONG[case]
    done = run_py(*mode, "experiment=train", "scale=smoke", argument, store=tmp_path)
    if "${" in argument and mode[:1] == ["--info"]:
        return
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line]
    assert len(said) == 1, done.stderr
    assert clue in said[0]
    assert said[0].startswith("evoscope: ")


def test_help_is_one_screen_of_experiments_and_examples_and_takes_no_time(run_py_apart):
    times = []
    for _ in range(3):  # other tests may hold the processor
        began = time.perf_counter()
        done = run_py_apart("--help")
        times.append(time.perf_counter() - began)
    assert min(times) < 2.5
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(experiment_names())
    told = subprocess.run([sys.executable, "run.py", "--hydra-help"], cwd=CONF.parent, capture_output=True)
    assert told.stdout.startswith(b"Hydra (")
