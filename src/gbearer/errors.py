"""Every error that gbearer raises: one tree, each leaf with its exit code.

    Error                      1   a bug of ours, and the root that callers catch
    ├── UsageError             2   the question itself is wrong
    ├── CredentialsNotFound    3   nobody home: no credential anywhere that was looked at
    ├── BadCredentials         4   the file, key or configuration is wrong or refused
    ├── Denied                 5   the identity is known and may not
    ├── LoginRequired          6   a person has to sign in again
    ├── Unreachable            7   network, TLS, or an answer that is not understood
    │   └── Refused            7   a server said no and nobody has explained it yet
    └── CacheError             8   `gbearer cache` cannot use the cache

A caller writes:

    try:
        token = gbearer.token()
    except gbearer.LoginRequired as error:
        print(error.fix)
    except gbearer.Error as error:
        print(error)
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Error(Exception):
    """What happened (`message`), its cause (`why`) and the next command to type (`fix`).

    `passing` is whether it may well be over in a moment: until then an old token that is still good serves on.
    """

    code = 1
    passing = False

    def __init__(self, message: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.message]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class UsageError(Error):
    """The question is wrong: an option, an argument or an environment variable."""

    code = 2


class CredentialsNotFound(Error):
    """No credential was found; `why` lists every place that was looked at."""

    code = 3


class BadCredentials(Error):
    """The credential file, key or configuration is broken, or the server refused it."""

    code = 4


class Denied(Error):
    """The identity is known and may not do this; `fix` names the role or the setting."""

    code = 5


class LoginRequired(Error):
    """A person has to sign in again; `fix` is the command."""

    code = 6


class Unreachable(Error):
    """The server could not be reached, or its answer was not understood."""

    code = 7
    passing = True


class Refused(Unreachable):
    """A server answered with a status of 400 or more; `exchange.explain` says what it means."""

    def __init__(self, url: str, status: int, headers: "Mapping[str, str]", body: bytes) -> None:
        super().__init__(f"{url} answered {status}")
        self.url = url
        self.status = status
        self.headers = headers
        self.body = body


class CacheError(Error):
    """The cache directory is unsafe or unusable; only `gbearer cache` ends with it."""

    code = 8


def again(error: Error) -> Error:
    """A fresh copy of `error`, for another thread or process that waited for the same answer."""
    copy = Error.__new__(type(error))
    copy.__dict__.update(error.__dict__)
    copy.args = error.args
    return copy


def by_name(name: str) -> type[Error]:
    """The class called `name`, or `Error`: how a failure noted by another process comes back.

    A `Refused` comes back as Unreachable: the answer that it held is gone.
    """
    leaves = (UsageError, CredentialsNotFound, BadCredentials, Denied, LoginRequired, Unreachable)
    if name == "Refused":
        return Unreachable
    return next((leaf for leaf in leaves if leaf.__name__ == name), Error)
