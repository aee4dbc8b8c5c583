"""YAML and JSON that were written to harm: one sentence each, in a moment."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray import config
from vss_ray.documents import DEEPEST, MOST_YAML_BYTES, read_json, read_mapping, read_yaml
from vss_ray.errors import ConfigError, StorageError
from vss_ray.labels import taxonomy
from vss_ray.run import RUN, Run
from vss_ray.training import recipes

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "laughs": (LAUGHS, "an alias; write the value out"),
    "twice": ("a: 1\nb: 2\na: 3", "the key 'a' stands twice"),
    "twice in another spelling": ("1: a\n0x1: b", "a key stands twice"),
    "deep": ("[" * 1000, f"nested beyond {DEEPEST} levels"),
    "deep blocks": ("- " * 1000 + "x", f"nested beyond {DEEPEST} levels"),
    "long": ("#" * (MOST_YAML_BYTES + 1), "the limit is 262,144"),
    "object": ("!!python/object/apply:os.system [exit]", "could not determine a constructor"),
    "name": ("!!python/name:os.system", "could not determine a constructor"),
    "empty integer": ("a: !!int ''", "none of its kind"),
    "no boolean": ("a: !!bool maybe", "none of its kind"),
    "no time": ("a: !!timestamp now", "none of its kind"),
    "no key": ("? [a]\n: b", "unhashable key"),
    "bell": ("a: \a", "special characters are not allowed"),
}
JSON = {
    "deep": ("[" * 200_000, "nested beyond"),
    "deep, but not for the parser": ("[" * 200 + "]" * 200, "nested beyond"),
    "twice": ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
    "twice inside": ('{"x": [{"a": 1, "a": 1}]}', "the key 'a' stands twice"),
    "digits": ("9" * 10_000, "Exceeds the limit"),
    "nothing": ("", "Expecting value"),
    "bytes": (b"\xff\xfe\xfa", "decode"),
}


@pytest.mark.parametrize("kind", YAML)
def test_yaml(kind: str, tmp_path: Path, refusal) -> None:
    text, reason = YAML[kind]
    path, began = tmp_path / "x.yaml", time.monotonic()
    path.write_text(text)
    assert reason in refusal(ValueError, read_yaml, text)
    for load in (config.load, recipes.load, taxonomy.load):
        assert reason in refusal(ConfigError, load, str(path))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", JSON)
def test_json(kind: str, finished: Run, refusal) -> None:
    text, reason = JSON[kind]
    assert reason in refusal(ValueError, read_json, text)
    finished.location.write(RUN, text.encode() if isinstance(text, str) else text)
    said = refusal(StorageError, Run.open, finished.location)
    assert "run.json does not describe a run" in said
    assert "give another OUT" in said


def test_json_of_another_kind_is_no_run(finished: Run, refusal) -> None:
    good = json.loads(finished.location.read(RUN))
    wrong = [[], 3, "x", {}, good | {"taxonomy": []}, good | {"taxonomy": {"name": "x", "classes": 3}}]
    wrong += [good | {"source": 3}, {key: value for key, value in good.items() if key != "fingerprint"}]
    for content in wrong:
        finished.location.write(RUN, json.dumps(content).encode())
        assert "does not describe a run" in refusal(StorageError, Run.open, finished.location)
    finished.location.write(RUN, json.dumps(good).encode())
    assert Run.open(finished.location).fingerprint == finished.fingerprint


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="[]{}:-?&*!|>%@`'\"#,\n ab01.e~<=+"), st.binary(max_size=64)))
def test_any_text_is_a_value_or_one_sentence(text: str | bytes) -> None:
    for read in (read_yaml, read_json, read_mapping):
        said = ""
        try:
            read(text)
        except ValueError as error:
            said = str(error)
        assert "\n" not in said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="ascii")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_plain_values_come_through(value: object) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_yaml(yaml.safe_dump(value)) == yaml.safe_load(yaml.safe_dump(value))
