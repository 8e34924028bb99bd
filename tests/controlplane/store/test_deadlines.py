"""Waits of the same length share a timer, and each ends in time."""

import asyncio
from itertools import pairwise

import pytest

from controlplane.store import UnavailableError
from controlplane.store.deadlines import Deadlines

LIMIT_S = 0.1


async def test_what_is_not_done_in_time_fails_and_what_is_does_not() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines(LIMIT_S)
    began_s = loop.time()
    done, late = loop.create_future(), loop.create_future()
    deadlines.add(late)
    deadlines.add(done)
    done.set_result(1)
    with pytest.raises(UnavailableError, match=r"within 0\.1 s"):
        await late
    assert loop.time() - began_s >= LIMIT_S
    assert await done == 1


async def test_each_has_its_whole_time_whatever_came_before_it() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines(LIMIT_S)
    ended_s: list[float] = []
    for _ in range(3):
        future = loop.create_future()
        future.add_done_callback(lambda _: ended_s.append(loop.time()))
        deadlines.add(future)
        await asyncio.sleep(LIMIT_S / 2)
    with pytest.raises(UnavailableError):
        await future
    gaps = [after - before for before, after in pairwise(ended_s)]
    assert all(gap > LIMIT_S / 4 for gap in gaps)
    again = loop.create_future()
    deadlines.add(again)  # the timer had ended
    with pytest.raises(UnavailableError):
        await again


async def test_what_is_left_at_the_end_fails_then() -> None:
    loop, deadlines = asyncio.get_running_loop(), Deadlines(LIMIT_S)
    done, left = loop.create_future(), loop.create_future()
    deadlines.add(left)
    deadlines.add(done)
    done.set_result(1)
    deadlines.stop()
    with pytest.raises(UnavailableError, match="before the end"):
        left.result()
    await asyncio.sleep(2 * LIMIT_S)
    assert await done == 1
