"""Async callers: what is held comes at once, the rest once for all who wait; who is cancelled hurts nobody else."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import gbearer
from client.conftest import tokens_made
from gbearer import aio
from gbearer.emulator import Emulator


def test_a_thousand_coroutines_make_one_request(env: dict[str, str], em: Emulator) -> None:
    async def work() -> set[str]:
        client = aio.Client(env=env)
        return {each["Authorization"] for each in await asyncio.gather(*(client.header() for _ in range(1000)))}

    assert len(asyncio.run(work())) == 1
    assert tokens_made(em) == 1


@pytest.mark.usefixtures("default")
def test_the_functions_do_what_the_sync_ones_do(em: Emulator) -> None:
    aio.reset()

    async def work() -> None:
        token = await aio.token()
        assert await aio.header() == {"Authorization": f"Bearer {token.value}"}
        identity = await aio.id_token("https://f.example")
        assert (await aio.header(audience="https://f.example"))["Authorization"] == f"Bearer {identity.value}"
        assert await aio.project() == "emulator-project"
        response = await aio.request("POST", f"{em.url}/functions/f", json={"a": 1})
        assert (response.status, response.json()["json"]) == (200, {"a": 1})

    asyncio.run(work())
    assert gbearer.token().kind == "access"


def test_what_is_held_comes_without_a_thread(env: dict[str, str]) -> None:
    async def work() -> None:
        client = aio.Client(env=env)
        first = await client.header()
        closed = ThreadPoolExecutor()
        closed.shutdown()
        asyncio.get_running_loop().set_default_executor(closed)
        assert await client.header() == first
        with pytest.raises(RuntimeError, match="after shutdown"):
            await client.token(refresh=True)

    asyncio.run(work())


def test_one_who_is_cancelled_does_not_take_the_others_with_him(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "delay": 0.5})

    async def work() -> None:
        client = aio.Client(env=env)
        first = asyncio.create_task(client.token())
        others = [asyncio.create_task(client.token()) for _ in range(10)]
        await asyncio.sleep(0.2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len({token.value for token in await asyncio.gather(*others)}) == 1

    asyncio.run(work())
    assert tokens_made(em) == 1


def test_when_all_have_left_the_token_is_there_for_the_next(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "delay": 0.3})

    async def work() -> None:
        client = aio.Client(env=env)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.token(), 0.1)
        await client.token()

    asyncio.run(work())
    assert tokens_made(em) == 1


def test_the_loop_runs_on_while_a_token_is_made(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "delay": 0.5})

    async def work() -> int:
        task = asyncio.create_task(aio.Client(env=env).token())
        ticks = 0
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(work()) > 20


def test_all_who_wait_get_the_error_and_it_is_not_kept(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "garbage": True})

    async def work() -> None:
        client = aio.Client(env=env)
        ends = await asyncio.gather(*(client.token() for _ in range(20)), return_exceptions=True)
        assert {type(end) for end in ends} == {gbearer.Unreachable}
        assert len({id(end) for end in ends}) == 20
        assert (await client.token()).kind == "access"

    asyncio.run(work())


def test_one_client_in_several_loops(env: dict[str, str], em: Emulator) -> None:
    client = aio.Client(env=env)
    tokens = [asyncio.run(client.token(refresh=refresh)) for refresh in (False, False, True)]
    assert tokens[0] is tokens[1]
    assert tokens[2] != tokens[0]
    assert tokens_made(em) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_after_a_fork_the_child_fetches_for_itself(env: dict[str, str], em: Emulator) -> None:
    client = aio.Client(env=env)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if asyncio.run(client.token()).value else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert asyncio.run(client.token()).value
    assert tokens_made(em) == 1  # the child left it in the cache


def test_wrong_questions_are_usage_errors(env: dict[str, str]) -> None:
    async def work() -> None:
        with pytest.raises(gbearer.UsageError):
            await aio.Client(env=env).id_token()

    begun = time.monotonic()
    asyncio.run(work())
    assert time.monotonic() - begun < 5
