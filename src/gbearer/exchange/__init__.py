"""From a credential to a token: which exchange a question takes, and errors that say what to do."""

from gbearer import log
from gbearer.errors import Error, Refused, UsageError
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source
    from gbearer.transport import Transport

__all__ = ["base_refused", "needs_base", "token"]


def needs_base(ask: "Ask") -> "Ask | None":
    """The question for the token beneath a boundary or an impersonation, None where there is none.

    Beneath a boundary is the same token without it, which may itself be impersonated: then it has a base in turn.
    `ask.impersonate` is the whole chain, the file's links first. Beneath that, the token is the same for every target,
    audience and scope. So one base serves all boundaries, and one all accounts.
    """
    if ask.boundary:
        return ask.replace(boundary=None, quota_project=None)
    if not ask.impersonate:
        return None
    return ask.replace(
        kind="access",
        scopes=(),
        audience=None,
        impersonate=(),
        subject=None,
        lifetime=None,
        min_ttl=0,
        quota_project=None,
        refresh=False,
    )


def base_refused(ask: "Ask", error: Error) -> bool:
    """Whether `ask` failed because the server does not take its base token: then it is worth a try with a new one."""
    cause = error.__cause__
    if not isinstance(cause, Refused):
        return False
    if not ask.boundary:
        return cause.status == 401
    from gbearer.exchange import downscope, said

    return downscope.refuses_base(said.of(cause))


def token(
    ask: "Ask", source: "Source", transport: "Transport", base: Token | None, clock: "Callable[[], float]"
) -> Token:
    """The token for `ask` from `source`; `base` is the answer to `needs_base`.

    Ends are Unix seconds by `clock`. Raises UsageError, BadCredentials, Denied, LoginRequired or Unreachable; when a
    server refused, the Refused is the `__cause__`.
    """
    from gbearer.exchange.watch import Watch

    _check_lifetime(ask, source)
    watch = Watch(transport)
    try:
        made = _made(ask, source, watch, base, clock)
    except Refused as refused:
        from gbearer.exchange import explain

        raise explain.refused(refused, ask, source, base, transport) from refused
    log.debug(f"made {made!r} from {source.where}")
    return made


def _made(ask: "Ask", source: "Source", watch: "Watch", base: Token | None, clock: "Callable[[], float]") -> Token:
    if (base is None) == bool(ask.boundary or ask.impersonate):
        raise AssertionError("a boundary or an impersonation has a base token, and nothing else has one")
    if base is not None and ask.boundary:
        from gbearer.exchange import downscope

        return downscope.access(ask, source, base, watch, clock)
    if base is not None:
        from gbearer.exchange import impersonate

        exchange = impersonate.identity if ask.kind == "id" else impersonate.access
        return exchange(ask, source, base, watch, clock)
    if source.kind == "token":
        ready = source.credentials(ask, watch.transport)
        return Token(ready.token, "access", 0.0, "", source.where, issued_at=clock())
    if ask.kind == "jwt":
        from gbearer.exchange import signed

        return signed.token(ask, source, watch, clock)
    from gbearer.exchange import direct

    return direct.token(ask, source, watch, clock)


def _check_lifetime(ask: "Ask", source: "Source") -> None:
    if ask.lifetime and ask.kind == "access" and not ask.impersonate:
        raise UsageError(
            "the lifetime of this access token cannot be chosen",
            why=f"Google gives tokens for {source.where} one hour; only impersonation lets one choose",
            fix="drop --lifetime, or add --impersonate SERVICE_ACCOUNT (it may be the account itself)",
        )
