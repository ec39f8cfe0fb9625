"""Requests that come together share a call, and each gets its own rows."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_inpaint.serving.batching import Batcher


class Network:
    """Adds one to each row; notes the rows of each call."""

    def __init__(self, seconds=0.0):
        self.calls = []
        self.seconds = seconds

    def __call__(self, arrays):
        self.calls.append(len(arrays["x"]))
        time.sleep(self.seconds)
        if (arrays["x"] < 0).any():
            raise ValueError("negative")
        return {"y": arrays["x"] + 1}


def run(scenario, **options):
    """Run a coroutine function that takes a batcher."""

    async def main():
        with ThreadPoolExecutor(options.pop("threads", 1)) as executor:
            return await scenario(Batcher(executor, **options))

    return asyncio.run(main())


def rows(*values):
    return {"x": np.array(values, np.float32)[:, None]}


def test_requests_of_one_size_share_calls_and_get_their_rows():
    network = Network(0.02)

    async def scenario(batcher):
        work = [batcher.submit("key", rows(i, i + 0.5), network) for i in range(12)]
        return await asyncio.gather(*work)

    answers = run(scenario, max_batch_size=8, window_seconds=0.02)
    for i, answer in enumerate(answers):
        np.testing.assert_array_equal(answer["y"][:, 0], [i + 1, i + 1.5])
    assert network.calls == [8, 8, 8]


def test_the_first_waits_no_longer_than_the_window():
    network = Network()

    async def scenario(batcher):
        began = time.monotonic()
        await batcher.submit("key", rows(1), network)
        return time.monotonic() - began

    assert 0.05 <= run(scenario, max_batch_size=8, window_seconds=0.05) < 2
    assert network.calls == [1]


def test_other_keys_do_not_mix():
    one, two = Network(), Network()

    async def scenario(batcher):
        work = [batcher.submit("a", rows(i), one) for i in range(3)]
        work += [batcher.submit("b", rows(10 + i), two) for i in range(3)]
        return await asyncio.gather(*work)

    answers = run(scenario, max_batch_size=8, window_seconds=0.01)
    assert [float(a["y"][0, 0]) for a in answers] == [1, 2, 3, 11, 12, 13]
    assert one.calls == [3] and two.calls == [3]


def test_a_batch_size_of_one_joins_nothing():
    network = Network()

    async def scenario(batcher):
        return await asyncio.gather(*(batcher.submit("k", rows(i), network) for i in range(5)))

    run(scenario, max_batch_size=1)
    assert network.calls == [1] * 5


def test_a_large_request_runs_alone_and_whole():
    network = Network()

    async def scenario(batcher):
        return await asyncio.gather(
            batcher.submit("k", rows(*range(20)), network), batcher.submit("k", rows(7), network)
        )

    large, small = run(scenario, max_batch_size=8, window_seconds=0.01)
    assert len(large["y"]) == 20 and float(small["y"][0, 0]) == 8
    assert sorted(network.calls) == [1, 20]


def test_a_group_may_have_a_tighter_limit():
    network = Network()

    async def scenario(batcher):
        work = (batcher.submit("k", rows(i), network, max_rows=2) for i in range(6))
        return await asyncio.gather(*work)

    run(scenario, max_batch_size=8, window_seconds=0.01)
    assert network.calls == [2, 2, 2]


def test_a_bad_request_does_not_fail_its_neighbours():
    network = Network()

    async def scenario(batcher):
        work = [batcher.submit("k", rows(value), network) for value in (1, -5, 3)]
        return await asyncio.gather(*work, return_exceptions=True)

    good, bad, other = run(scenario, max_batch_size=8, window_seconds=0.01)
    assert float(good["y"][0, 0]) == 2 and float(other["y"][0, 0]) == 4
    assert isinstance(bad, ValueError)
    assert network.calls == [3, 1, 1, 1]


def test_who_has_gone_is_not_computed():
    network = Network(0.1)

    async def scenario(batcher):
        first = asyncio.ensure_future(batcher.submit("k", rows(1), network))
        await asyncio.sleep(0.05)  # it runs now
        gone = asyncio.ensure_future(batcher.submit("k", rows(2), network))
        last = asyncio.ensure_future(batcher.submit("k", rows(3), network))
        await asyncio.sleep(0.01)
        gone.cancel()
        await first
        await last
        return batcher.waiting

    assert run(scenario, max_batch_size=8, window_seconds=0) == 0
    assert network.calls == [1, 1]


def test_as_many_calls_at_a_time_as_slots_and_no_more():
    now, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(2, timeout=60)  # breaks unless two are at work

    def network(arrays):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1
        return {"y": arrays["x"]}

    async def scenario(batcher):
        await asyncio.gather(*(batcher.submit(i, rows(i), network) for i in range(8)))

    run(scenario, slots=2, threads=4, max_batch_size=4, window_seconds=0)
    assert most == 2


def test_what_is_left_over_by_a_full_batch_does_not_wait_for_ever():
    network = Network()

    async def scenario(batcher):
        work = []
        for number in range(3):  # two fill a batch; the third has the window to itself
            work.append(asyncio.ensure_future(batcher.submit("k", rows(number), network)))
            await asyncio.sleep(0.02)
        return await asyncio.wait_for(asyncio.gather(*work), 30)

    answers = run(scenario, max_batch_size=2, window_seconds=0.2)
    assert [float(answer["y"][0, 0]) for answer in answers] == [1, 2, 3]
    assert network.calls == [2, 1]


def test_what_is_left_over_after_a_busy_time_does_not_wait_for_ever():
    slow, network = Network(0.5), Network()

    async def scenario(batcher):
        def send(key, value, run):
            return asyncio.ensure_future(batcher.submit(key, rows(value), run))

        work = [send("slow", 0, slow)]
        await asyncio.sleep(0.25)  # it runs now
        work.append(send("k", 1, network))
        await asyncio.sleep(0.3)  # its window ends while the slow call is under way
        work += [send("k", 2, network), send("k", 3, network)]
        return await asyncio.wait_for(asyncio.gather(*work), 30)

    answers = run(scenario, max_batch_size=2, window_seconds=0.2)
    assert [float(answer["y"][0, 0]) for answer in answers] == [1, 2, 3, 4]


def test_a_batch_does_not_keep_its_neighbours_results_alive():
    async def scenario(batcher):
        network = Network()
        return await asyncio.gather(*(batcher.submit("k", rows(i), network) for i in range(4)))

    for answer in run(scenario, max_batch_size=4, window_seconds=0.01):
        assert answer["y"].base is None


def test_who_came_first_goes_first_whatever_the_group():
    order = []

    def network(arrays):
        order.append(int(arrays["x"][0, 0]))
        time.sleep(0.005)
        return {"y": arrays["x"]}

    async def scenario(batcher):
        work = []
        for number in range(12):  # every third in a group of its own, the others share one
            key = f"alone {number}" if number % 3 == 0 else "shared"
            work.append(
                asyncio.ensure_future(batcher.submit(key, rows(number), network, max_rows=1))
            )
            await asyncio.sleep(0.001)
        await asyncio.gather(*work)

    run(scenario, max_batch_size=8, window_seconds=0.001)
    assert order == sorted(order)


def test_a_stopped_executor_answers_with_an_error():
    async def main():
        executor = ThreadPoolExecutor(1)
        executor.shutdown()
        batcher = Batcher(executor, window_seconds=0)
        with pytest.raises(RuntimeError):
            await batcher.submit("k", rows(1), Network())

    asyncio.run(main())
