"""What a round is to be: where it runs, where it writes, who is killed when. All of it follows from seed and number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Arrangement = Literal["alone", "two nodes"]
"""``vss segment`` starts Ray itself; or it joins a cluster of two nodes that outlives it."""
Storage = Literal["disk", "s3"]

VICTIMS = ("driver", "worker", "actor", "raylet", "node")
"""Five rounds in a row kill each of them: ``vss segment`` itself; any worker process of Ray, whatever it does; the
actor that is in the middle of a clip; the raylet of the second node; all processes of the second node."""
ELSEWHERE = ("raylet", "node")
"""These need a second node."""
SERVER = "s3 server"
"""Killed as well, and started again, where the round writes to one; in one round of five it certainly is."""

POISONED = 0.2
"""Share of rounds with a poisoned clip."""
START_SECONDS = 6.0
"""About how long it takes until clips are made."""


@dataclass(frozen=True)
class Fault:
    """One SIGKILL."""

    victim: str
    share: float
    """Share of the clips that are done when it strikes; 0: counted from the start of the command."""
    seconds: float
    """So much later."""

    def __str__(self) -> str:
        return f"{self.victim} at {self.share:.0%} + {self.seconds:.1f} s"


@dataclass(frozen=True)
class Poison:
    """A clip whose worker dies of it, see ``tests.chaos.poison``."""

    share: float
    """Where it stands among all clips."""
    stage: str

    def __str__(self) -> str:
        return f"poison at {self.share:.0%} in {self.stage}"


@dataclass(frozen=True)
class Plan:
    """A round."""

    seed: int
    """Of what is drawn while it is played."""
    number: int
    arrangement: Arrangement
    storage: Storage
    """Of OUT."""
    source: Storage
    storm: float
    """Share of requests to the S3 server that go wrong on the way."""
    faults: tuple[Fault, ...]
    """In the order in which they strike."""
    poison: Poison | None = None

    def __str__(self) -> str:
        storm = f" in a storm of {self.storm:.0%}" if self.storm else ""
        what = ", ".join(map(str, (*self.faults, *filter(None, [self.poison]))))
        return f"{self.number:3} {self.arrangement}, {self.source} to {self.storage}{storm}: {what}"


CALM = Plan(0, -1, "two nodes", "disk", "disk", 0.0, ())
"""Nobody disturbs it."""


def plan(seed: int, number: int) -> Plan:
    """Round ``number`` of ``seed``."""
    hand, place = divmod(number, len(VICTIMS))
    dealer = random.Random(f"{seed} hand {hand}")
    dealt = dealer.sample(VICTIMS, len(VICTIMS))
    is_server_dealt = place == dealer.randrange(len(VICTIMS))
    chance = random.Random(f"{seed} round {number}")
    alone = dealt[place] not in ELSEWHERE and chance.random() < 0.3
    storage: Storage = "s3" if chance.random() < 0.4 or is_server_dealt else "disk"
    storm = chance.choice((0.0, 0.05, 0.1)) if storage == "s3" else 0.0
    others = [*VICTIMS] if not alone else [victim for victim in VICTIMS if victim not in ELSEWHERE]
    others += [SERVER] if storage == "s3" else []
    victims = [dealt[place], *[SERVER] * is_server_dealt, *chance.choices(others, k=chance.choice((0, 0, 1, 2)))]
    faults = sorted((_fault(victim, chance) for victim in victims), key=lambda fault: (fault.share, fault.seconds))
    poison = Poison(chance.random(), chance.choice(("prepare", "finish"))) if chance.random() < POISONED else None
    where: Arrangement = "alone" if alone else "two nodes"
    source: Storage = "s3" if chance.random() < 0.5 else "disk"
    return Plan(chance.getrandbits(32), number, where, storage, source, storm, tuple(faults), poison)


def _fault(victim: str, chance: random.Random) -> Fault:
    """Two of ten while the run starts, one when all clips are done and tables are written, else in between."""
    when = chance.random()
    if victim in ("driver", "worker") and when < 0.2:
        return Fault(victim, 0.0, chance.uniform(0.2, START_SECONDS))
    if victim == "driver" and when > 0.9:
        return Fault(victim, 1.0, chance.uniform(0.0, 0.3))
    return Fault(victim, chance.uniform(0.01, 0.9), chance.uniform(0.0, 0.3))
