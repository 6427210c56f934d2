"""Slipway's edits of long values files in the style of public charts."""

from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from slipway.catalog.documents import MAX_BYTES, read_document
from slipway.catalog.documents.paths import join_path
from slipway.errors import DocumentRefused

from tests.property.documents.readers import (
    agrees,
    changed,
    libyaml,
    only_adds,
    paths,
    pyyaml,
    trees,
    yaml_1_2,
)
from tests.property.documents.values_files import make_values_file

WANTED: list[tuple[tuple[str, ...], Any]] = [(("replicas",), 2), (("image", "tag"), "1.10")]


@pytest.mark.parametrize("seed", range(6))
def test_long_file_keeps_every_line_when_created(seed: int) -> None:
    text = make_values_file(seed, 40).text
    expected = trees(text, [libyaml, pyyaml, yaml_1_2])
    document = read_document(text, "yaml")

    for keys, value in WANTED:
        document = document.add_missing(join_path(keys), value)
        expected = {r: changed(tree, "set", keys, value) for r, tree in expected.items()}

    assert only_adds(text, document.text)
    for reader, tree in expected.items():
        assert agrees(tree, reader(document.text)), reader.__name__


@pytest.mark.parametrize("seed", range(6))
def test_edit_of_any_key_of_a_long_file_changes_nothing_else(seed: int) -> None:
    text, random = make_values_file(seed, 80).text, Random(seed)
    document, tree = read_document(text, "yaml"), libyaml(text)

    edited = 0
    for keys, _ in random.sample(paths(tree), 40):
        try:
            after = document.set(join_path(keys), 7).text
        except DocumentRefused:
            continue
        edited += 1
        assert agrees(changed(tree, "set", keys, 7), libyaml(after)), keys

    assert edited >= 30


def test_edit_of_200_kib_parses_the_text_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    text = make_values_file(1, 2700).text
    parser = Mock(wraps=yaml.parse)
    monkeypatch.setattr(yaml, "parse", parser)

    document = read_document(text, "yaml").set("image.tag", "1.10")

    assert 200 * 1024 < len(text.encode()) < MAX_BYTES
    assert parser.call_count == 2
    expected = changed(libyaml(text), "set", ("image", "tag"), "1.10")
    assert agrees(expected, libyaml(document.text))
