import copy
import random

import pytest

from evoscope.store import Node, Stage
from evoscope.store.node import in_order


def nothing(folder, inputs, progress):
    pass


def node(**changes):
    config = {"model": {"name": "vgg16", "width": 0.25, "depths": [2, 2]}, "epochs": 8, "bf16": False, "path": None}
    values = {"stage": Stage("train", 1), "config": config, "inputs": {}, "build": nothing, "seed": 0} | changes
    return Node(**values)


def leaves(value, path=()):
    if isinstance(value, dict):
        return [leaf for name in value for leaf in leaves(value[name], (*path, name))]
    if isinstance(value, list):
        return [leaf for position, item in enumerate(value) for leaf in leaves(item, (*path, position))]
    return [path]


def changed(config, path):
    config = copy.deepcopy(config)
    place = config
    for name in path[:-1]:
        place = place[name]
    old = place[path[-1]]
    replacements = {bool: not old, int: 7, float: 0.5, str: f"{old}x", type(None): "x"}
    place[path[-1]] = replacements[type(old)]
    return config


def test_every_value_of_the_config_decides_the_key():
    config = node().config
    keys = {node(config=changed(config, path)).key for path in leaves(config)} | {node().key}
    assert len(keys) == len(leaves(config)) + 1


def test_adding_and_removing_values_changes_the_key():
    config = node().config
    fewer = [{name: value for name, value in config.items() if name != gone} for gone in config]
    keys = {node(config=each).key for each in [*fewer, {**config, "new": None}, config]}
    assert len(keys) == len(config) + 2


def test_everything_else_that_decides_the_result_is_in_the_key():
    one, two = node(seed=1), node(seed=2)
    variants = [
        {},
        {"seed": 3},
        {"stage": Stage("train", 2)},
        {"stage": Stage("other", 1)},
        {"inputs": {"a": one}},
        {"inputs": {"b": one}},
        {"inputs": {"a": two}},
        {"inputs": {"a": one, "b": two}},
        {"inputs": {"a": two, "b": one}},
        {"data": {"train": "f1"}},
        {"data": {"test": "f1"}},
        {"data": {"train": "f2"}},
    ]
    assert len({node(**variant).key for variant in variants}) == len(variants)


def test_a_change_far_upstream_changes_every_key_behind_it():
    def last(seed):
        link = node(seed=seed)
        for _ in range(5):
            link = node(inputs={"before": link}, stage=Stage("pass", 1))
        return link.key

    assert last(0) != last(1)


def test_what_does_not_decide_the_result_is_not_in_the_key():
    plain = node()
    decorated = node(label="training", resumable=True, build=print)
    names = list(plain.config)
    random.shuffle(names)
    assert decorated.key == plain.key == node(config={name: plain.config[name] for name in names}).key


def test_a_config_changed_by_its_owner_afterwards_does_not_change_the_node():
    config = {"layers": ["a"]}
    one = node(config=config)
    config["layers"].append("b")
    assert one.config == {"layers": ["a"]}
    assert one.key == node(config={"layers": ["a"]}).key


def test_a_config_without_a_spelling_is_refused_when_the_node_is_made():
    with pytest.raises(TypeError, match=r"config of train\.model"):
        node(config={"model": {1, 2}})


@pytest.mark.parametrize("name", ["", "Train", "a/b", "..", ".hidden", "a b", "é"])
def test_a_stage_has_a_name_that_any_file_system_takes(name):
    with pytest.raises(ValueError, match="cannot name a stage"):
        Stage(name, 1)


def test_nodes_come_in_order_and_once():
    first, again = node(seed=1), node(seed=1)
    second = node(inputs={"a": first}, seed=2)
    third = node(inputs={"a": again, "b": second}, seed=3)
    assert [each.seed for each in in_order([third, second])] == [1, 2, 3]
