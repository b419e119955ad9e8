"""Subject tokens that a program prints (https://google.aip.dev/auth/4117, executable-sourced credentials)."""

import os
import time
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import log
from gbearer.errors import BadCredentials, Denied, Error
from gbearer.sources import program
from gbearer.sources.external.federation import ID_TOKEN, JWT, SAML
from gbearer.sources.external.subject import broken, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gbearer.sources.external.federation import Federation
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
_PREFIX = "GOOGLE_EXTERNAL_ACCOUNT_"
_USUAL, _LEAST, _MOST = 30_000, 5_000, 120_000
_VERSION = 1
_RESTLESS = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES", "WINDOWID", "SSH_TTY", "GPG_TTY"})
"""Variables that differ between two shells of the same person, and that no such program answers differently for."""


class Program:
    """What `credential_source.executable` says: the command as a list, seconds it may take, its output file or ""."""

    __slots__ = ("argv", "output", "seconds")

    def __init__(self, argv: list[str], seconds: float, output: str) -> None:
        self.argv = argv
        self.seconds = seconds
        self.output = output


def read(found: "Federation") -> Program:
    """The program that a file names; BadCredentials for what is wrong with it."""
    told = found.credential_source.get("executable")
    if not isinstance(told, dict):
        raise broken(found, "credential_source.executable is no object")
    command, output = told.get("command"), told.get("output_file")
    if not isinstance(command, str) or not command.strip():
        raise broken(found, "credential_source.executable.command is missing")
    if output is not None and (not isinstance(output, str) or not output):
        raise broken(found, "credential_source.executable.output_file is no path")
    millis = told.get("timeout_millis", _USUAL) or _USUAL
    if isinstance(millis, bool) or not isinstance(millis, int) or not _LEAST <= millis <= _MOST:
        raise broken(found, f"credential_source.executable.timeout_millis is outside {_LEAST} to {_MOST}")
    import shlex

    try:
        argv = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise broken(found, f"credential_source.executable.command cannot be split: {error}") from None
    return Program(argv, millis / 1000, output or "")


def allowed(found: "Federation", what: Program, env: "Mapping[str, str]") -> None:
    """Denied unless the user has said, in the environment, that files may name programs to run."""
    if env.get(ALLOW) == "1":
        return
    raise Denied(
        f"{found.where} names a program to run, and that is not allowed",
        why=f"it would run {log.redact(what.argv[0])[:100]!r}; {ALLOW} is not 1, and nothing was run",
        fix=f"look at the command in the file, and if you trust it: export {ALLOW}=1",
    )


def at_command(found: "Federation", what: Program, look: "Look") -> "Callable[[Transport], str]":
    """What gets the subject token: from the output file while that holds one, else by running the program."""

    def obtain(transport: "Transport") -> str:
        kept = _from_output(found, what)
        if kept is not None:
            return kept
        begun = time.monotonic()
        ended = _run(found, what, look.env)
        transport.allow(time.monotonic() - begun)
        return _answer(found, what, ended)

    return obtain


def pin(what: Program, look: "Look") -> str:
    """A digest of what the program may depend on, as far as we can see it: its environment, folder and user."""
    try:
        folder = os.getcwd()
    except OSError:
        folder = ""
    kept = sorted(f"{name}={value}" for name, value in look.env.items() if name not in _RESTLESS)
    text = "\0".join(["\0".join(what.argv), what.output, folder, *kept])
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()


def _run(found: "Federation", what: Program, env: "Mapping[str, str]") -> program.Ended:
    told = {
        f"{_PREFIX}AUDIENCE": found.audience,
        f"{_PREFIX}TOKEN_TYPE": found.subject_type,
        f"{_PREFIX}ID": found.impersonate,
        f"{_PREFIX}INTERACTIVE": "0",
        f"{_PREFIX}REVOKE": "0",
    }
    if found.impersonate:
        told[f"{_PREFIX}IMPERSONATED_EMAIL"] = found.impersonate
    if what.output:
        told[f"{_PREFIX}OUTPUT_FILE"] = what.output
    log.debug(f"running {what.argv[0]} for a subject token")
    try:
        return program.run(what.argv, {**env, **told}, what.seconds)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadCredentials(
            f"the program {what.argv[0]} cannot be run",
            why=f"{reason.lower()}; credential_source.executable.command in {found.where} names it",
            fix="correct the command (an absolute path is best), or install the program",
        ) from None


def _answer(found: "Federation", what: Program, ended: program.Ended) -> str:
    """The subject token that the program printed, else wrote to its output file; our errors for all else."""
    name, said = what.argv[0], _said(ended.err)
    if ended.large:
        raise _bad(found, f"the program {name} printed more than 1 MiB", said)
    if ended.status is None:
        why = f"it was given {what.seconds:.0f} s (timeout_millis)" + (f"; {said}" if said else "")
        fix = "run it by hand with its stdin closed, </dev/null; raise timeout_millis in the file if it needs longer"
        raise BadCredentials(f"the program {name} did not end in time", why=why, fix=fix)
    document = _document(ended.out)
    if ended.status != 0 and not (isinstance(document, dict) and document.get("success") is False):
        raise _bad(found, f"the program {name} failed with status {ended.status}", said or "it said nothing on stderr")
    if document is None and not ended.out.strip() and what.output:
        document = _document(_bytes(what.output))
    if document is None:
        begins = _said(ended.out, 60)
        text = f"it begins {begins!r}" if begins else "it printed nothing"
        raise _bad(found, f"the program {name} printed no JSON", f"{text}; {said}" if said else text)
    return _subject(found, document, f"the program {name}")


def _from_output(found: "Federation", what: Program) -> str | None:
    """The subject token that a run before left in the output file, while it has an end and that is to come."""
    document = _document(_bytes(what.output)) if what.output else None
    if not isinstance(document, dict) or not isinstance(document.get("expiration_time"), (int, float)):
        return None
    try:
        return _subject(found, document, what.output)
    except Error as error:  # of no use any more: the program is run again
        log.debug(f"{what.output}: {error.message}")
        return None


def _subject(found: "Federation", document: object, place: str) -> str:
    """The subject token in a program's answer, after every check that the format asks for."""
    told = document if isinstance(document, dict) else {}
    version, success, ends = told.get("version"), told.get("success"), told.get("expiration_time")
    if version != _VERSION or isinstance(version, bool):
        raise _bad(found, f"{place} answers in version {str(version)[:20]}", f"only version {_VERSION} is known")
    if success is False:
        text = f"code {_said(told.get('code'), 60)!r}, message {_said(told.get('message'))!r}"
        raise _bad(found, f"{place} says that it failed", text)
    if success is not True:
        raise _bad(found, f"{place} does not say whether it succeeded", "the field success is missing")
    if ends is not None and (isinstance(ends, bool) or not isinstance(ends, (int, float))):
        raise _bad(found, f"{place} gives no usable expiration_time", "it is no number of seconds")
    if ends is not None and ends <= time.time():
        raise _bad(found, f"{place} gives a token that has ended", f"its expiration_time is {ends:.0f}")
    kind = told.get("token_type")
    if kind not in (JWT, ID_TOKEN, SAML):
        raise _bad(found, f"{place} gives no token_type that is known", f"it is {str(kind)[:80]!r}")
    if (kind == SAML) != (found.subject_type == SAML):
        raise _bad(found, f"{place} gives another type of token", f"{kind}, where the file says {found.subject_type}")
    field = "saml_response" if kind == SAML else "id_token"
    token = told.get(field)
    if not isinstance(token, str) or not token.strip():
        raise _bad(found, f"{place} gives no token", f"the field {field} is missing or no text")
    return checked(token.strip(), found, place)


def _document(data: bytes) -> object:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _bytes(path: str) -> bytes:
    """What the output file holds; nothing where it is not there or cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return b""
    try:
        return os.read(file, program.LARGEST)
    except OSError:
        return b""
    finally:
        os.close(file)


def _said(value: object, length: int = 200) -> str:
    """A program's words on one line, redacted and cut."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
    text = "".join(c if c.isprintable() else " " for c in text[:4000])
    return log.redact(" ".join(text.split()))[:length]


def _bad(found: "Federation", message: str, why: str) -> BadCredentials:
    return BadCredentials(
        message,
        why=f"{why}; credential_source.executable in {found.where} names it",
        fix="run the command by hand, with its stdin closed, and look at what it prints",
    )
