"""How token, id-token and header end: the broker is asked, the text printed, and the answer remembered after that."""

import os
import time

from gbearer import log, output
from gbearer.cli import options
from gbearer.errors import Error
from gbearer.sources.look import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.broker import Answer, Broker
    from gbearer.cli.world import World
    from gbearer.model import Ask
    from gbearer.profiles import Chosen


def give(args: "argparse.Namespace", world: "World", kind: str, audience: str | None) -> int:
    """Print the token that the options ask for, in the format that they name."""
    options.start(args, world)
    look = Look(world.env)
    given = options.Given(args, world, look)
    ask = given.ask(kind, audience)

    from gbearer.broker import Broker

    broker = Broker(world.env, began=world.began)
    answer = asked(broker, ask, look, given.profile)
    text = output.render(answer.token, args.format, now=time.time())
    world.write(text)
    # JSON tells how many seconds are left, so it is never the same twice; the others are.
    if args.format != "json" and not args.verbose and world.env is os.environ:
        broker.remember(answer, world.argv, text)
    return 0


def asked(broker: "Broker", ask: "Ask", look: Look, profile: "Chosen") -> "Answer":
    """The broker's answer; with -v the chain is told, also when there is none. An error tells which profile counts."""
    try:
        answer = broker.answer(ask, look)
    except Error as error:
        error.why = "; ".join(part for part in (error.why, profile.told()) if part)
        raise
    finally:
        tell(look)
    log.debug(f"{answer.how}: {answer.token!r} from {answer.source.where}")
    return answer


def tell(look: Look) -> None:
    """The chain as it was walked, on stderr with -v."""
    if log.level:
        for step in look.steps:
            log.debug(f"{'found' if step.found else 'absent'}: {step.place}: {step.reason}")
