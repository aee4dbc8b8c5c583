"""YAML and JSON of files that anybody may have written, read within limits.

PyYAML keeps the last of two equal keys without a word, lets a page of aliases stand for gigabytes, and raises whatever
its converters run into; both parsers follow brackets as deep as they go. Here each of these is one ``ValueError``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

MOST_BYTES = 64 * 2**20
"""Of a JSON document. Lists of labels of large datasets have tens of megabytes."""
MOST_YAML_BYTES = 2**18
"""PyYAML takes seconds for so much."""
DEEPEST = 64
"""Brackets inside brackets."""
UNUSUAL = (ValueError, LookupError, AttributeError, TypeError, OverflowError)
"""What PyYAML's converters raise of values such as ``!!int ''``."""


def read_yaml(content: str | bytes) -> Any:
    """The value of a YAML document.

    Raises:
        ValueError: It is too long or too deep, is no YAML, holds an alias or one key twice; one sentence.
    """
    _check_size(content, MOST_YAML_BYTES)
    try:
        return yaml.load(content, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except UNUSUAL as error:
        raise ValueError(f"a value is none of its kind: {error}") from error


def read_json(content: str | bytes, most_bytes: int = MOST_BYTES) -> Any:
    """The value of a JSON document.

    Raises:
        ValueError: It is too long or too deep, is no JSON, or holds one key twice; one sentence.
    """
    _check_size(content, most_bytes)
    try:
        value = json.loads(content, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"it is nested beyond {DEEPEST} levels") from None
    _check_depth(value)
    return value


def read_mapping(content: str | bytes, keys: Iterable[str] = ()) -> dict[str, Any]:
    """The object of a JSON document.

    Args:
        content: The document.
        keys: Must be there.

    Raises:
        ValueError: As ``read_json``; or it is no object, or lacks a key.
    """
    value = read_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"got a {type(value).__name__}, wanted an object")
    if missing := [key for key in keys if key not in value]:
        raise ValueError(f"lacks {', '.join(missing)}")
    return value


def _check_size(content: str | bytes, most: int) -> None:
    if len(content) > most:
        raise ValueError(f"it has {len(content):,} bytes, the limit is {most:,}")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            raise ValueError(f"it is nested beyond {DEEPEST} levels")
        nodes = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in nodes for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key!r} stands twice")
    return content


class _Loader(yaml.SafeLoader):
    """Plain values alone, each key once, and no aliases."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ComposerError(None, None, "an alias; write the value out", self.peek_event().start_mark)
        if self._depth > DEEPEST:
            raise ComposerError(None, None, f"it is nested beyond {DEEPEST} levels")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # Values are compared as they are written, too: a key that cannot be one is told by PyYAML below.
        written = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        seen = set()
        for key in written:
            if key in seen:
                raise ConstructorError(None, None, f"the key {key[1]!r} stands twice", node.start_mark)
            seen.add(key)
        content = super().construct_mapping(node, deep)
        if len(content) < len(node.value):
            raise ConstructorError(None, None, "a key stands twice", node.start_mark)
        return content
