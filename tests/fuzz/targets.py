"""Every reader that is fuzzed, by name. A new one is a line in one of the four files."""

from __future__ import annotations

from tests.fuzz import file_targets, mask_targets, object_targets, text_targets

MODULES = (text_targets, file_targets, mask_targets, object_targets)
TARGETS = {each.name: each for module in MODULES for each in module.TARGETS}
