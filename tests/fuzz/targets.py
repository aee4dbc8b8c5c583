"""Every reader that is fuzzed, by name. A new one is a line in one of the three files."""

from __future__ import annotations

from tests.fuzz import file_targets, mask_targets, text_targets

TARGETS = {each.name: each for each in (*text_targets.TARGETS, *file_targets.TARGETS, *mask_targets.TARGETS)}
