"""The Speed section is made anew from a document, and nothing else of the README changes."""

from __future__ import annotations

import pytest

from vss_ray.cluster.benchmark import readme
from vss_ray.errors import ConfigError


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n\n## Speed\n\n{readme.BEGIN}\nold figures\n{readme.END}\n\n## Next\n")
    return path


def test_command_machine_goals_and_tables_stand_between_the_comments(page, made):
    readme.write(page, made())
    text = page.read_text()
    assert text.startswith(f"# Title\n\n## Speed\n\n{readme.BEGIN}\n")
    assert text.endswith(f"{readme.END}\n\n## Next\n")
    assert "old figures" not in text
    assert "2026-01-31, 2 cores of Some CPU (AVX512-BF16), 16 GB; Python 3.11.7, vss-ray 0.1, ray 2.60." in text
    assert "`vss benchmark sides`" in text
    assert "at least 30 x | **32.0 ± 1.0 x** |" in text
    assert "at least 90 % | 85.0 %, missed |" in text
    assert "| | speed, frames/s | over user |" in text
    assert "- evs ran on all." in text
    readme.write(page, made())
    assert page.read_text() == text


def test_a_page_without_comments_is_refused(tmp_path, made):
    path = tmp_path / "README.md"
    path.write_text("# Title\n")
    with pytest.raises(ConfigError, match="wanted a line '<!-- speed"):
        readme.write(path, made())
    assert path.read_text() == "# Title\n"


def test_smoke_runs_are_not_quoted(page, made):
    with pytest.raises(ConfigError, match="came from --smoke"):
        readme.write(page, made(smoke=True))
    assert "old figures" in page.read_text()
