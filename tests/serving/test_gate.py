"""Admission and the budget of pixels."""

import asyncio

import pytest

from keras_inpaint.serving.errors import Busy, NotReady, TimedOut
from keras_inpaint.serving.gate import Gate, PixelBudget


def test_tickets_end_with_work_and_queue():
    async def main():
        gate = Gate(2, 1)
        with gate.ticket(), gate.ticket():
            with gate.ticket():
                with pytest.raises(Busy, match="2 requests are in work and 1 wait") as caught:
                    gate.ticket().__enter__()
                assert caught.value.status == 429 and caught.value.retry_after
            with gate.ticket():
                assert gate.admitted == 3
        assert gate.admitted == 0

    asyncio.run(main())


def test_a_closed_gate_takes_nothing():
    async def main():
        gate = Gate(2, 1)
        gate.closed = True
        with pytest.raises(NotReady):
            gate.ticket().__enter__()

    asyncio.run(main())


def test_no_more_in_work_than_allowed():
    async def main():
        gate, most = Gate(3, 10), 0

        async def work():
            nonlocal most
            most = max(most, gate.in_work)
            await asyncio.sleep(0.005)

        await asyncio.gather(*(gate.run(work()) for _ in range(9)))
        assert most == 3 and gate.in_work == 0

    asyncio.run(main())


def test_work_ends_in_time():
    async def main():
        gate = Gate(1, 1, seconds=0.02)
        with pytest.raises(TimedOut, match=r"0\.02 seconds"):
            await gate.run(asyncio.sleep(5))
        assert gate.in_work == 0
        await gate.run(asyncio.sleep(0))  # the place is free again

    asyncio.run(main())


def test_pixels_are_spent_in_order_and_given_back():
    async def main():
        budget, order = PixelBudget(100), []

        async def photo(name, pixels, seconds):
            async with budget.spend(pixels):
                order.append(name)
                await asyncio.sleep(seconds)

        await asyncio.gather(
            photo("a", 60, 0.02), photo("b", 60, 0.01), photo("c", 30, 0.0), photo("d", 500, 0.0)
        )
        assert order == ["a", "b", "c", "d"]  # c does not overtake b
        async with budget.spend(100):
            pass

    asyncio.run(main())


def test_who_leaves_the_queue_gives_its_place_back():
    async def main():
        budget = PixelBudget(10)
        async with budget.spend(10):
            waiting = asyncio.ensure_future(budget.spend(10).__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await asyncio.wait_for(budget.spend(10).__aenter__(), 1)

    asyncio.run(main())
