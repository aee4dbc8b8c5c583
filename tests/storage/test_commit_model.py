"""Every run of the model: two commands, three clips, kills at any step; mistaken protocols must be caught."""

from __future__ import annotations

import pytest

from tests.storage.commit_model import COARSE, FULL, Protocol, explore

NO_MASK = "a clip is done and its mask is not there"
NAMED = "the tables name a mask that is not there"
BACK = "the tables go from full to coarse"
STALE = "at the end the tables are not the records"


@pytest.mark.parametrize(
    ("passes", "states"), [((FULL, FULL), 2457), ((COARSE, FULL), 16127), ((COARSE, COARSE), 2457)]
)
def test_the_protocol_holds_in_every_state(passes, states):
    """How many states there are is part of the claim: were it a few, nothing would have been looked at."""
    assert explore(Protocol(), *passes, kills=1, clips=3) == (states, set())


@pytest.mark.parametrize(
    ("mistaken", "found"),
    [
        (Protocol(clip=("record", "mask")), {NO_MASK, NAMED}),
        (Protocol(end=("look", "drop", "compact", "give")), {NAMED}),
        # Looked at once more before deleting, a worker that outlived its command may have come in between.
        (Protocol(end=("look", "compact", "look", "drop", "give")), {NAMED}),
        (Protocol(best=COARSE), {NAMED, BACK, STALE}),
    ],
    ids=["record before mask", "drop before tables", "drop more than the tables name", "coarse wins"],
)
def test_a_mistaken_protocol_is_caught(mistaken, found):
    assert explore(mistaken, COARSE, FULL, kills=1, clips=1)[1] == found


def test_without_the_lease_only_the_tables_can_be_behind():
    """Should both commands believe that they have it: what is done stays done, every clip once, masks and all."""
    assert explore(Protocol(start=(("list", 0),)), COARSE, FULL, kills=1, clips=1)[1] == {NAMED, BACK, STALE}
