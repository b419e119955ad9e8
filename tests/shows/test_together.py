"""Many at once: one request, equal answers; and where the endpoint is dead, all end together."""

import asyncio
import subprocess
import threading
import time

import pytest

import gbearer
from gbearer.emulator import Emulator
from gbearer.transport import TOTAL
from shows.conftest import GBEARER, tokens_made

MANY = 50


def processes(env: dict[str, str], *args: str) -> tuple[list[tuple[int, str, str]], float]:
    """50 cold processes started at once: (exit code, stdout, stderr) of each, and the seconds until the last ended."""
    begun = time.monotonic()
    children = [
        subprocess.Popen(
            [GBEARER, *args],
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(MANY)
    ]
    ends = [(*child.communicate(timeout=120), child.returncode) for child in children]
    return [(code, out, err) for out, err, code in ends], time.monotonic() - begun


def test_fifty_cold_processes_make_one_request(em: Emulator, env: dict[str, str]) -> None:
    ends, _ = processes(env, "token")
    assert {code for code, _, _ in ends} == {0}, ends[0]
    assert len({out for _, out, _ in ends}) == 1
    assert ends[0][1].startswith("ya29.")
    assert tokens_made(em) == 1


def test_fifty_processes_with_an_endpoint_that_fails_twice(em: Emulator, env: dict[str, str]) -> None:
    em.fault({"count": 2, "match": {"path": "/token"}, "status": 503})
    ends, _ = processes(env, "token")
    assert {code for code, _, _ in ends} == {0}
    assert len({out for _, out, _ in ends}) == 1
    assert [line["status"] for line in em.log() if line["path"] == "/token"] == [503, 503, 200]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [{"drop": True}, {"hang": True}], ids=["drops", "hangs"])
def test_fifty_processes_with_a_dead_endpoint_end_together(
    em: Emulator, env: dict[str, str], fault: dict[str, object]
) -> None:
    em.fault({"count": 10_000, "match": {"path": "/token"}, **fault})
    ends, took = processes(env, "token")
    assert {code for code, _, _ in ends} == {7}
    assert {out for _, out, _ in ends} == {""}
    assert took < TOTAL + 10, "one total time for all, plus starting fifty interpreters"
    assert tokens_made(em) < MANY, "they did not each try"


def test_fifty_threads_make_one_request(em: Emulator, env: dict[str, str]) -> None:
    client = gbearer.Client(env=env)
    answers: list[str] = []
    ready = threading.Barrier(MANY)

    def ask() -> None:
        ready.wait()
        answers.append(client.token().value)

    threads = [threading.Thread(target=ask) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == MANY
    assert len(set(answers)) == 1
    assert tokens_made(em) == 1


def test_fifty_threads_share_one_failure(em: Emulator, env: dict[str, str]) -> None:
    em.fault({"count": 1000, "match": {"path": "/token"}, "oauth_error": {"error": "invalid_grant"}, "delay": 0.5})
    client = gbearer.Client(env=env)
    errors: list[gbearer.Error] = []
    ready = threading.Barrier(MANY)

    def ask() -> None:
        ready.wait()
        try:
            client.token()
        except gbearer.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {type(error) for error in errors} == {gbearer.BadCredentials}
    assert len(errors) == MANY
    assert len({id(error) for error in errors}) == MANY, "each thread has an exception of its own"
    assert tokens_made(em) <= 2


def test_a_thousand_coroutines_make_one_request(em: Emulator, env: dict[str, str]) -> None:
    async def all_of_them() -> set[str]:
        client = gbearer.aio.Client(env=env)
        tokens = await asyncio.gather(*(client.token() for _ in range(1000)))
        return {token.value for token in tokens}

    assert len(asyncio.run(all_of_them())) == 1
    assert tokens_made(em) == 1


def test_a_cancelled_waiter_takes_nobody_with_it(em: Emulator, env: dict[str, str]) -> None:
    em.fault({"match": {"path": "/token"}, "delay": 0.5})

    async def cancel_the_first() -> str:
        client = gbearer.aio.Client(env=env)
        first, second = asyncio.create_task(client.token()), asyncio.create_task(client.token())
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return (await second).value

    assert asyncio.run(cancel_the_first()).startswith("ya29.")
    assert tokens_made(em) == 1


def test_ten_audiences_through_one_impersonation_need_one_base_token(em: Emulator, env: dict[str, str]) -> None:
    client = gbearer.Client(env=env, impersonate="target@emulator-project.iam.gserviceaccount.com")
    tokens = {client.id_token(f"https://service-{n}.run.app").value for n in range(10)}
    assert len(tokens) == 10
    assert tokens_made(em) == 1
    assert sum(1 for line in em.log() if line["path"].endswith(":generateIdToken")) == 10
