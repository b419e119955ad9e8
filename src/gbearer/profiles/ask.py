"""From options to a question: what was typed goes before what the profile says, and both become one `Ask`."""

from gbearer import grammar
from gbearer.errors import UsageError
from gbearer.model import Ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ParamSpec, TypeVar

    from gbearer.profiles import Chosen
    from gbearer.sources.look import Look

    P = ParamSpec("P")
    T = TypeVar("T")
    Options = Mapping[str, object]

CREDENTIAL = ("credentials", "source", "account", "provider", "expect-role", "aws-token", "trust-config")
"""The options that together choose a credential: another one, typed, takes the place of the profile's whole choice."""
_BUCKET = ("bucket", "prefix", "role")
_LISTS = ("scope", "delegate")
_FLAGS = ("trust-config", "refresh", "no-cache")
_OF_ACCESS_TOKENS = ("scope", "lifetime")


def merged(typed: "Options", values: "Mapping[str, str]", kind: str = "access") -> dict[str, object]:
    """The options in force: those of the profile as far as the typed ones leave them, then the typed ones.

    A typed credential or another source replaces all that the profile says about its own, its trust included; a typed
    account leaves only that it is looked up at the profile's `login` or `gcloud`. A typed target leaves no delegates,
    a typed boundary no bucket, a typed bucket no boundary. A profile's scopes and lifetime are of access tokens: they
    count for no ID token.
    """
    kept: dict[str, object] = {key: _parsed(key, text) for key, text in values.items()}
    for key in _displaced(typed, values, kind):
        kept.pop(key, None)
    return kept | dict(typed)


def _parsed(key: str, text: str) -> object:
    from gbearer.profiles import keys

    if key in _LISTS:
        return keys.words(text)
    return keys.flag(text) if key in _FLAGS else text


def _displaced(typed: "Options", values: "Mapping[str, str]", kind: str) -> list[str]:
    """What the profile says and what does not count beside the typed options."""
    gone: list[str] = []
    if "credentials" in typed or ("source" in typed and typed["source"] != values.get("source")):
        gone += CREDENTIAL
    elif "account" in typed:
        has_accounts = values.get("source") in grammar.WITH_ACCOUNTS
        gone += [key for key in CREDENTIAL if key != "source" or not has_accounts]
    if "impersonate" in typed:
        gone.append("delegate")
    if "boundary" in typed:
        gone += _BUCKET
    elif "bucket" in typed:
        gone.append("boundary")
    if kind == "id":
        gone += _OF_ACCESS_TOKENS
    elif kind == "jwt" and "audience" in typed:
        gone.append("scope")
    if kind in ("access", "jwt"):
        gone.append("audience")
    return gone


def ask(typed: "Options", profile: "Chosen", look: "Look", kind: str = "access") -> Ask:
    """The question that these options make, with the profile's; `typed` has their names with dashes, None for nothing.

    The kind "header" is an ID token where there is an audience, and an access token otherwise.
    Raises UsageError that says everything wrong with them at once.
    """
    given = {key: value for key, value in typed.items() if value is not None}
    if kind == "header":
        kind = "id" if "audience" in given or "audience" in profile.values else "access"
    options = merged(given, profile.values, kind) if profile.values else given
    problems = Problems()
    lifetime = problems.of(_seconds, options, "lifetime")
    min_ttl = problems.of(_seconds, options, "min-ttl") or 0
    boundary = problems.of(_boundary, options, look)
    problems.of(_check_chain, options)
    target, delegates = options.get("impersonate"), options.get("delegate") or ()

    def make() -> Ask:
        return Ask(
            kind,
            scopes=grammar.scopes(options.get("scope") or ()),  # type: ignore[arg-type]
            source=options.get("source") or "auto",  # type: ignore[arg-type]
            impersonate=tuple(delegates) if target is None else (*delegates, target),  # type: ignore[misc, arg-type]
            lifetime=lifetime,
            boundary=boundary,
            min_ttl=min_ttl,
            **{key.replace("-", "_"): options[key] for key in _PLAIN if key in options},  # type: ignore[arg-type]
        )

    made = problems.of(make)
    problems.end(profile.told())
    assert made is not None  # noqa: S101 (or there was a problem)
    return made


_PLAIN = (
    "audience", "credentials", "account", "provider", "subject", "quota-project", "expect-role", "aws-token",
    "trust-config", "refresh", "no-cache",
)  # fmt: skip


def _seconds(options: "Options", name: str) -> int | None:
    value = options.get(name)
    return None if value is None else grammar.seconds(value, f"--{name}")  # type: ignore[arg-type]


def _check_chain(options: "Options") -> None:
    if options.get("delegate") and options.get("impersonate") is None:
        raise UsageError("--delegate needs a target", fix="add --impersonate SA for the end of the chain")


def _boundary(options: "Options", look: "Look") -> str | None:
    """What --boundary, or --bucket with --role and --prefix, holds the token down to, in canonical form."""
    named, bucket, prefix, role = (options.get(key) for key in ("boundary", *_BUCKET))
    if named is None and bucket is None:
        if prefix is not None or role is not None:
            option = "--prefix" if prefix is not None else "--role"
            raise UsageError(f"{option} needs a bucket", fix="add --bucket BUCKET")
        return None
    from gbearer import boundary

    if named is not None:
        if bucket is not None or prefix is not None or role is not None:
            raise UsageError(
                "--boundary and --bucket contradict each other",
                why="each is the whole boundary",
                fix="drop --bucket, --prefix and --role, or write a rule for the bucket into the boundary",
            )
        return boundary.canonical(*_read(str(named), look))
    if role is None:
        raise UsageError(
            "--bucket needs a role", why="a boundary says what is left", fix="add --role objectViewer, say"
        )
    return boundary.for_bucket(str(bucket), None if prefix is None else str(prefix), str(role))


def _read(named: str, look: "Look") -> tuple[str, str]:
    """(text, where) of a boundary: the JSON itself, or the file of that name, noted in `look`."""
    if named.lstrip("\ufeff \t\r\n").startswith("{"):
        return named, "--boundary"
    from gbearer.errors import BadCredentials

    path = _expanded(named, look)
    try:
        data = look.read(path)
    except BadCredentials as error:
        message = error.message.removeprefix("the credential file ")
        raise UsageError(f"the boundary {message}", why=error.why, fix="name another file with --boundary") from None
    if data is None:
        raise UsageError(f"there is no file {path[:300]}", why="--boundary names it", fix="correct --boundary")
    try:
        return data.decode("utf-8"), path
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the boundary {path[:300]} is no text in UTF-8",
            why=f"its byte {error.start} is not; another reading could leave more than was meant",
            fix="save it as UTF-8",
        ) from None


def _expanded(path: str, look: "Look") -> str:
    import os

    from gbearer.sources import wellknown

    return os.path.join(wellknown.home(look), path[2:]) if path.startswith("~/") else path


class Problems:
    """Usage errors gathered while options are read, so that all of them are said at once."""

    def __init__(self) -> None:
        self._found: list[UsageError] = []

    def of(self, read: "Callable[P, T]", *args: "P.args", **named: "P.kwargs") -> "T | None":
        """What `read` returns; None, and a problem more, when it raises UsageError."""
        try:
            return read(*args, **named)
        except UsageError as error:
            self._found.append(error)
            return None

    def end(self, note: str = "") -> None:
        """Raise one UsageError that says all there were, if there were any; `note` is added to its causes."""
        if self._found:
            message, why, fix = (
                "; ".join(dict.fromkeys(getattr(error, part) for error in self._found if getattr(error, part)))
                for part in ("message", "why", "fix")
            )
            why = "; ".join(part for part in (why, note) if part)
            raise UsageError(message, why=why, fix=fix)
