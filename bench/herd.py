"""Asks for one token from many threads or coroutines of one process at once; prints how many different answers came.

Takes `threads` or `coroutines`, the key file and how many.
"""

import asyncio
import sys
import threading

import gbearer


def threads(key_file: str, count: int) -> set[str]:
    """Start `count` threads behind one barrier; give the different tokens they got."""
    client = gbearer.Client(credentials=key_file)
    gate = threading.Barrier(count)
    answers: list[str] = []

    def ask() -> None:
        gate.wait()
        answers.append(client.token().value)

    crowd = [threading.Thread(target=ask) for _ in range(count)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    if len(answers) != count:
        raise SystemExit(f"error: {count - len(answers)} threads got no token")
    return set(answers)


async def coroutines(key_file: str, count: int) -> set[str]:
    """Await `count` coroutines together; give the different tokens they got."""
    import gbearer.aio

    client = gbearer.aio.Client(credentials=key_file)
    answers = await asyncio.gather(*(client.token() for _ in range(count)))
    return {answer.value for answer in answers}


if __name__ == "__main__":
    kind, key, number = sys.argv[1:]
    found = threads(key, int(number)) if kind == "threads" else asyncio.run(coroutines(key, int(number)))
    print(len(found))
