"""What request and curl share: --auth and --audience, and the tokens that their options make."""

from gbearer import output
from gbearer.cli import answer, options
from gbearer.sources.look import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.broker import Broker
    from gbearer.cli.world import World
    from gbearer.model import Ask, Token


def add_auth(parser: "argparse.ArgumentParser") -> None:
    """Which token the call carries."""
    add = parser.add_argument_group("which token the call carries").add_argument
    add("--auth", metavar="A", help="auto (default: what the host wants), access, id, none")
    add("--audience", metavar="AUD", help="an ID token for this audience, to any host")


class Tokens:
    """Places tokens for one command line: asked for by kind and audience, as the URL wants them."""

    def __init__(self, args: "argparse.Namespace", world: "World") -> None:
        typed, args.auth = args.auth, args.auth or "auto"
        self._given = options.Given(args, world, Look(world.env))
        said = self._given.profile.values
        if typed is None and args.audience is None:
            args.auth = said.get("auth", "auto")
        self._given.ask()
        if args.audience is None and args.auth in ("auto", "id"):
            args.audience = said.get("audience")
        self._world = world
        self._made: Broker | None = None

    @property
    def _broker(self) -> "Broker":
        if self._made is None:
            from gbearer.broker import Broker

            self._made = Broker(self._world.env, began=self._world.began)
        return self._made

    def ask(self, kind: str, audience: str | None) -> "Ask":
        """The question for a token of this kind; UsageError where an option does not go with it."""
        return self._given.ask(kind, audience)

    def place(self, kind: str, audience: str | None) -> "tuple[Token, dict[str, str]]":
        """The token and its headers."""
        look, profile = Look(self._world.env), self._given.profile
        token = answer.asked(self._broker, self.ask(kind, audience), look, profile).token
        return token, output.headers(token)

    def universe(self, kind: str = "access", audience: str | None = None) -> str:
        """The universe of the credential behind these tokens."""
        return self._broker.universe(self.ask(kind, audience))

    def renew(self, kind: str, audience: str | None, refused: "Token") -> "tuple[Token, dict[str, str]] | None":
        """Another token after a 401; None where there is no other."""
        self._broker.drop(self.ask(kind, audience), refused)
        token, headers = self.place(kind, audience)
        return None if token == refused else (token, headers)
