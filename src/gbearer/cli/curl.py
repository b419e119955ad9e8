"""`gbearer curl`: run the real curl with the token handed over in a pipe: not in its arguments, not on its stdin."""

import os
import sys

from gbearer import endpoints, log, output
from gbearer.cli import calling, curl_args, options
from gbearer.cli.curl_args import CONFIG, Known, Read
from gbearer.client import target
from gbearer.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from gbearer.cli.world import World
    from gbearer.endpoints import URL

USAGE = "[options] -- CURL-ARGS"
MORE = """\
Everything after -- is curl's own, its stdin and its exit code too. Before it runs, its URLs are checked: https or this
machine, one host. ~/.curlrc is not read, as it could name other hosts.

  gbearer curl -- -sS https://storage.googleapis.com/storage/v1/b/BUCKET
  echo '{}' | gbearer curl -- https://f-abc.run.app -H 'Content-Type: application/json' -d @-
"""
_DIVERTING = (
    "proxy", "proxy1.0", "preproxy", "socks4", "socks4a", "socks5", "socks5-hostname", "noproxy", "connect-to",
    "resolve", "doh-url", "dns-servers",
)  # fmt: skip
_SHOWING = ("verbose", "trace", "trace-ascii", "libcurl")
_ENOUGH = 1 << 14
"""Bytes that a pipe takes on every system before anybody reads it."""


def add(parser: "options.Parser") -> None:
    """The options of this command; curl's are not argparse's affair."""
    _check_dashes(parser.world.argv)
    parser.add_argument("--all-hosts", action="store_true", help="send the token to every host that is named, not one")
    calling.add_auth(parser)
    options.add_ask(parser)
    parser.add_argument("words", metavar="-- CURL-ARGS", nargs="*", help="what curl gets, after --")


def run(args: "argparse.Namespace", world: "World") -> int:
    """Check, get the token, and become curl."""
    options.start(args, world)
    words = world.argv[world.argv.index("--") + 1 :]
    if sys.platform == "win32":
        raise UsageError("gbearer curl does not run on Windows yet", fix="gbearer request METHOD URL")
    if args.credentials == "-":
        raise UsageError("--credentials - and curl both want stdin", fix="name a credential file")
    program = _find(world.env)
    read = curl_args.read(words, Known(_printed([program, "--help", "all"])))
    urls = _urls(read, all_hosts=args.all_hosts)
    problems = options.Problems()
    tokens = problems.of(calling.Tokens, args, world)
    wanted = problems.of(_wanted, urls, args, world.env, None if tokens is None else tokens.universe)
    if tokens is not None and wanted is not None:
        problems.of(tokens.ask, *wanted)
        problems.of(_check, read, urls, program, all_hosts=args.all_hosts)
    problems.end()
    config = ""
    if tokens is not None and wanted is not None:
        placed = tokens.place(*wanted)[1]
        for url in urls:
            target.check_universe(url, tokens.universe(*wanted), world.env, bound=args.audience is not None)
        config = output.curl_config(placed) + _no_proxy(urls, world.env)
    command = [program, "-q"]
    for word in read.args:
        if word != CONFIG:
            command.append(word)
        elif config:
            command += ["--config", f"/dev/fd/{_pipe(config)}"]
    for stream in (world.stdout, world.stderr):
        if stream is not None:
            stream.flush()
    os.execve(program, command, dict(world.env))  # noqa: S606 (no shell is wanted)


def _check_dashes(argv: list[str]) -> None:
    """UsageError, with the line as it should be, where nothing tells our options from curl's."""
    if "--" not in argv and not {"-h", "--help"}.intersection(argv):
        import shlex

        typed = log.redact(shlex.join(argv[1:])) if argv[1:] else "https://HOST/PATH"
        raise UsageError("curl's arguments come after --", fix=f"gbearer curl -- {typed}")


def _find(env: "Mapping[str, str]") -> str:
    from shutil import which

    program = which("curl", path=env.get("PATH"))
    if program is None:
        raise UsageError("curl is not installed", why="there is none on PATH", fix="install it, or use gbearer request")
    return program


def _printed(command: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError("curl does not run", why=type(error).__name__, fix="try `curl --version`") from None
    return done.stdout.decode("utf-8", "replace")


def _urls(read: Read, *, all_hosts: bool) -> "list[URL]":
    """The URLs that curl would call, each read by the one strict parser; UsageError for anything doubtful."""
    if read.has("config"):
        raise UsageError(
            "curl's --config is not read here", why="such a file can name other URLs", fix="write its options out"
        )
    if not read.urls:
        raise UsageError("curl is given no URL", fix="gbearer curl -- https://HOST/PATH")
    urls = [endpoints.parse(url) for url in read.urls]
    origins = list(dict.fromkeys(url.origin for url in urls))
    if len(origins) > 1 and not all_hosts:
        raise UsageError(
            f"one token, and {len(origins)} hosts: {', '.join(origins)}",
            why="each of them could use it as its own",
            fix="call them one by one, or add --all-hosts",
        )
    return urls


def _wanted(
    urls: "list[URL]", args: "argparse.Namespace", env: "Mapping[str, str]", universe: "Callable[[], str] | None"
) -> tuple[str, str | None] | None:
    """The one token that all URLs want."""
    found = []
    for url in urls:
        wanted = target.choose(url, args.auth, args.audience, env, universe)
        target.check(url, env, bearer=wanted is not None)
        if endpoints.emulator(env) is not None and not endpoints.is_loopback(url.host):
            raise UsageError(
                f"curl cannot be led to the emulator for {url.origin}",
                why=f"{endpoints.EMULATOR_VARIABLE} is set, and curl would call the real host",
                fix="use gbearer request, which is led there, or call the emulator's own address",
            )
        path = (wanted[1] or "").partition("://")[2].partition("/")[2] if wanted else ""
        if args.audience is None and any(each in path for each in "{}[]"):
            raise UsageError(
                f"{url} names several services",
                why="an ID token is for one",
                fix="call them one by one, or add --audience",
            )
        found.append(wanted)
    if any(each != found[0] for each in found):
        raise UsageError(
            "these URLs want different tokens", fix="call them one by one, or add --auth access or --audience URL"
        )
    return found[0]


def _check(read: Read, urls: "list[URL]", program: str, *, all_hosts: bool) -> None:
    """UsageError for options that would hand the token to somebody else; a warning for those that show it."""
    if read.has("location-trusted"):
        raise UsageError(
            "curl's --location-trusted sends the token wherever the server points",
            fix="use --location: curl keeps the token to its host",
        )
    for name, value in read.options:
        header = value.partition(":")[0].strip().lower()
        if name == "header" and header == "authorization":
            raise UsageError("there is an Authorization header already", fix="drop it, or add --auth none")
        if name == "header" and header == "host" and not all_hosts:
            raise UsageError("a Host header leads the token to another service", fix="call it by its own URL")
    if any(url.scheme == "http" for url in urls):
        diverting = read.has(*_DIVERTING)
        if diverting:
            raise UsageError(
                f"curl's --{diverting} could lead a token in clear text off this machine",
                fix="call it without that option",
            )
    if read.has("location") and _version(program) < (7, 83):
        raise UsageError(
            "this curl is too old for --location with a token",
            why="before 7.83 it sends headers on to other ports and schemes of a host",
            fix="gbearer request --location",
        )
    showing = read.has(*_SHOWING)
    if showing:
        log.warn(f"curl's --{showing} shows the token")
    if read.has("insecure"):
        log.warn("with curl's --insecure nobody knows who gets the token")


def _version(program: str) -> tuple[int, ...]:
    import re

    found = re.match(r"curl (\d+)\.(\d+)", _printed([program, "--version"]))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _no_proxy(urls: "list[URL]", env: "Mapping[str, str]") -> str:
    """Loopback is never called through a proxy; what the environment says stands for the rest."""
    if not any(endpoints.is_loopback(url.host) for url in urls):
        return ""
    known = env.get("no_proxy") or env.get("NO_PROXY") or ""
    everything = all(endpoints.is_loopback(url.host) for url in urls)
    hosts = "*" if everything else ",".join(filter(None, (known, *(url.host for url in urls if url.scheme == "http"))))
    return f"noproxy = {output.curl_word(hosts)}\n"


def _pipe(text: str) -> int:
    """A descriptor that curl inherits and from which it reads `text`, once."""
    data = text.encode()
    if len(data) > _ENOUGH:
        raise Error("the token is too large to be handed to curl", fix="gbearer request METHOD URL")
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    os.set_inheritable(out, True)
    return out
