"""The lease as a small machine whose every run can be gone through: who is in, who believes to be, who writes tables.

A command goes through the calls of ``vss_ray.storage.lease``, one a step:

    create -> it was free: in
           -> it was not: read who has it, watch (ends only if that one is dead, or stands still), read again,
              write the own name over it if it is the same -> settle -> read: in, if the name is still its own
    in: beat (read; write, or notice that it was displaced), check (read) -> tables -> give back

Between any two steps another command may step. A command may be killed at any step, then its name stays in the lock.
One that is in may stand still, such as a laptop that sleeps: who watches it takes it for dead; later it may go on.

``timely`` says that who has judged an owner dead writes its name before another one that did the same has settled: the
second between the two calls is what ``SETTLE_SECONDS`` is for. ``deletes`` is the mistaken order of before: the lock is
deleted, then created.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

FREE = -1
DEAD = 9
"""An owner of before, whose process is gone."""


@dataclass(frozen=True)
class Command:
    """One that wants in."""

    at: str = "create"
    """create, read, watch, reread, take, settle, look, in, checked, out, refused, dead; delete, again if ``deletes``"""
    found: int = FREE
    """Whose name it read."""
    stands: bool = False
    """It stands still."""
    noticed: bool = False
    """That another one is in its place."""


@dataclass(frozen=True)
class State:
    """The lock, and who does what."""

    lock: int
    """Whose name is in it."""
    commands: tuple[Command, ...]
    tables: tuple[int, ...] = ()
    """Who has written tables, in order."""


def steps(
    state: State, *, may_stand: bool, may_die: bool, timely: bool = True, deletes: bool = False
) -> Iterator[State]:
    """All states that can follow."""
    for me, command in enumerate(state.commands):
        if command.at in ("out", "refused", "dead"):
            continue
        if may_die:
            yield _with(state, me, replace(command, at="dead"))
        if command.stands:
            yield _with(state, me, replace(command, stands=False))
            continue
        if command.at == "in" and may_stand:
            yield _with(state, me, replace(command, stands=True))
        yield from _step(state, me, command, timely, "delete" if deletes else "take")


def _step(state: State, me: int, command: Command, timely: bool, seize: str) -> Iterator[State]:
    match command.at:
        case "create" | "again":
            if state.lock == FREE:
                yield _with(state, me, replace(command, at="in" if command.at == "create" else "settle"), lock=me)
            else:
                yield _with(state, me, replace(command, at="read"))
        case "read":
            yield _with(state, me, replace(command, at="watch", found=state.lock))
        case "watch":
            yield from _watch(state, me, command)
        case "reread":
            is_same = state.lock == command.found != FREE
            yield _with(state, me, replace(command, at=seize if is_same else "create"))
        case "take":
            yield _with(state, me, replace(command, at="settle"), lock=me)
        case "delete":
            yield _with(state, me, replace(command, at="again"), lock=FREE)
        case "settle":
            if not timely or not any(each.at == seize for each in state.commands):
                yield _with(state, me, replace(command, at="look"))
        case "look":
            yield _with(state, me, replace(command, at="in" if state.lock == me else "create"))
        case "in":
            yield _with(state, me, replace(command, noticed=state.lock not in (me, FREE)))  # a beat
            is_mine = state.lock in (me, FREE) and not command.noticed
            yield _with(state, me, replace(command, at="checked" if is_mine else "out"))
        case "checked":
            lock = FREE if state.lock == me else state.lock
            after = _with(state, me, replace(command, at="out"), lock=lock)
            yield replace(after, tables=(*state.tables, me))


def _watch(state: State, me: int, command: Command) -> Iterator[State]:
    if command.found == FREE or state.lock != command.found:
        yield _with(state, me, replace(command, at="create"))
    elif command.found == DEAD or _seems_dead(state.commands[command.found]):
        yield _with(state, me, replace(command, at="reread"))
    else:
        yield _with(state, me, replace(command, at="refused"))


def _seems_dead(owner: Command) -> bool:
    return owner.stands or owner.at in ("dead", "out", "refused")


def reachable(lock: int, commands: int, **rules: bool) -> dict[State, list[State]]:
    """Every state that can come about, with those that follow."""
    begun = State(lock, (Command(),) * commands)
    found: dict[State, list[State]] = {}
    waiting = deque([begun])
    while waiting:
        state = waiting.popleft()
        if state not in found:
            found[state] = list(dict.fromkeys(steps(state, **rules)))
            waiting.extend(found[state])
    return found


def believers(state: State) -> list[int]:
    """Who works, and has not noticed that another one does."""
    return [me for me, each in enumerate(state.commands) if each.at in ("in", "checked") and not each.noticed]


def _with(state: State, me: int, command: Command, lock: int | None = None) -> State:
    commands = tuple(command if place == me else each for place, each in enumerate(state.commands))
    return replace(state, commands=commands, lock=state.lock if lock is None else lock)
