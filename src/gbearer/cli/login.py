"""`gbearer login`: sign in with a browser; see who is signed in, and choose whose login is used."""

from gbearer import grammar
from gbearer.cli import options, say
from gbearer.errors import CredentialsNotFound, UsageError
from gbearer.model import Ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World
    from gbearer.login.wish import Signed, Wish
    from gbearer.sources import Look

MORE = """\
The first sign-in names the JSON of an OAuth client of your own (application type Desktop app); later ones
remember it. Several accounts may be signed in side by side: the latest sign-in is the active one, --use chooses
another, and --account of every other command names one for a single call.

Exit codes: 2 a wrong option, or the port is taken; 4 a client file or login config that cannot be used;
5 cancelled, not every scope allowed, or another account than --account; 6 no client, nobody signed in in time,
or neither browser nor terminal; 7 the network, or an answer that is not understood.
"""
FORMATS = ("text", "json")
_OF_PROFILE = ("client-file", "login-config", "account", "scope", "quota-project", "port")
_FLAGS_OF_PROFILE = ("no-browser", "keyring")
"""The options that a profile may give as well."""


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    add = parser.add_argument_group("who signs in, and for what").add_argument
    add("--client-file", metavar="FILE", help="your OAuth client, as Google's console lets you download it")
    add("--login-config", metavar="FILE", help="sign in to a workforce pool: the config that gcloud makes for it")
    add("--account", metavar="A", help="who shall sign in; anybody else is refused")
    add("--scope", metavar="S", action="append", help="instead of cloud-platform (repeatable)")
    add("--quota-project", metavar="P", help="the project to charge, kept with the login")
    options.add_profile(parser, add)
    add = parser.add_argument_group("how").add_argument
    add("--no-browser", action="store_true", help="print the URL; the answer comes back, or is pasted")
    add("--port", metavar="N", help="the port on 127.0.0.1 that the browser is sent back to (default: a free one)")
    add("--timeout", metavar="D", default="5m", help="how long to wait for the person (default: 5m)")
    add = parser.add_argument_group("where it is kept").add_argument
    add("--keyring", action="store_true", help="the refresh token in the system's keyring; in a file where it fails")
    add("--no-keyring", action="store_true", help="in a file (0600) again")
    add("--adc", action="store_true", help="write gcloud's application default credentials as well")
    add = parser.add_argument_group("instead of signing in").add_argument
    add("--list", action="store_true", help="show who is signed in; * is the active one")
    add("--use", metavar="A", help="make this account's login the active one")
    add("--format", metavar="F", default="text", help="of --list: text (default) or json")
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Sign in, list, or choose."""
    options.start(args, world)

    from gbearer.sources import Look

    look = Look(world.env)
    wish = _wish(args, look)
    if args.list:
        listed = _listed(look, args.format)
        world.write(listed)
        if not listed:
            say.note("nobody is signed in with gbearer\n", world.stderr)
        return 0
    if args.use is not None:
        world.write(say.plain(_used(args.use, look)))
        return 0

    from gbearer.login.sign_in import sign_in
    from gbearer.login.wait import Person

    person = Person(world.env, world.stdin, world.stderr, lambda text: say.note(f"{text}\n", world.stderr))
    signed = sign_in(wish, look, person)
    world.write(say.plain(f"signed in as {signed.account}\n"))
    say.note(_where(signed), world.stderr)
    return 0


def _wish(args: "argparse.Namespace", look: "Look") -> "Wish":
    """What the options ask for, and the profile where they are silent; UsageError for all that is wrong at once."""
    from gbearer import profiles
    from gbearer.login.wish import Wish
    from gbearer.profiles.keys import flag

    problems = options.Problems()
    problems.of(options.check_format, args.format, FORMATS)
    problems.of(_check, args)
    profile = {} if args.list or args.use is not None else profiles.options(look, args.profile).values
    told = {name: flag(profile[name]) for name in _FLAGS_OF_PROFILE if name in profile}
    typed = {name: getattr(args, name.replace("-", "_")) for name in _OF_PROFILE}
    chosen = {name: profile.get(name) if value is None else value for name, value in typed.items()}
    scopes = grammar.scopes(chosen["scope"] or ())
    problems.of(Ask, scopes=scopes, account=chosen["account"] or None, quota_project=chosen["quota-project"])
    port = problems.of(_port, chosen["port"]) or 0
    timeout = problems.of(_timeout, args.timeout) or 0
    problems.end()
    return Wish(
        client_file=chosen["client-file"],
        login_config=chosen["login-config"],
        account=chosen["account"],
        scopes=scopes,
        port=port,
        browser=not (args.no_browser or told.get("no-browser", False)),
        timeout=timeout,
        adc=args.adc,
        keyring=True if args.keyring else False if args.no_keyring else told.get("keyring"),
        quota_project=chosen["quota-project"],
    )


def _check(args: "argparse.Namespace") -> None:
    if args.keyring and args.no_keyring:
        raise UsageError("--keyring and --no-keyring contradict each other", fix="drop one of them")
    if args.list and args.use is not None:
        raise UsageError("--list and --use are two commands", fix="drop one of them")
    for name in ("client_file", "login_config", "account", "use"):
        if getattr(args, name) == "":
            raise UsageError(f"--{name.replace('_', '-')} is empty", fix="give it a value, or leave it out")


def _port(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise UsageError(f"--port {text!r} is no port", fix="give a number up to 65535, 8085 say; 0 takes a free one")
    return int(text)


def _timeout(text: str) -> int:
    seconds = grammar.seconds(text, "--timeout")
    if seconds < 1:
        raise UsageError("--timeout 0 leaves nobody time to sign in", fix="give --timeout 5m, say")
    return seconds


def _where(signed: "Signed") -> str:
    lines = [f"kept in {f'the keyring ({signed.keyring})' if signed.keyring else signed.file}"]
    if signed.adc:
        lines.append(f"written as well: {signed.adc}, which Google's libraries read")
    lines.append("this login is used from now on; `gbearer whoami` shows it, `gbearer logout` ends it")
    return "".join(f"{line}\n" for line in lines)


def _listed(look: "Look", form: str) -> str:
    """Who is signed in."""
    from gbearer.sources import disk, logins

    folder = logins.folder(look)
    disk.sweep(folder)
    active = logins.chosen(look, folder)
    rows = []
    for account, info in logins.all_in(folder):
        noted = logins.mark(info or {})
        rows.append({
            "account": account,
            "active": account == active,
            "kind": "broken" if info is None else "workforce" if noted.get("login_config") else "user",
            "kept": "keyring" if noted.get("keyring") is True else "file",
            "signed_in": noted.get("made"),
            "scopes": noted.get("scopes") or [],
        })  # fmt: skip
    if form == "json":
        import json

        return json.dumps(rows) + "\n"
    width = max((len(str(row["account"])) for row in rows), default=0)
    return "".join(
        say.plain(f"{'*' if row['active'] else ' '} {row['account']:<{width}}  {row['kind']:<9}  {row['kept']:<7}  ")
        + say.plain(f"{row['signed_in'] or 'unknown'}\n")
        for row in rows
    )


def _used(account: str, look: "Look") -> str:
    """Make the login of `account` the active one."""
    from gbearer.sources import logins

    folder = logins.folder(look)
    info = logins.read(logins.path(folder, account))
    if info is None:
        from difflib import get_close_matches

        there = [name for name, _ in logins.all_in(folder)]
        near = get_close_matches(account, there, 1)
        raise CredentialsNotFound(
            f"{account} is not signed in with gbearer",
            why=f"signed in are {', '.join(there)}" if there else f"there is no login in {folder}",
            fix=(f"gbearer login --use {near[0]}, or sign in: " if near else "") + logins.sign_in(account),
        )
    name = str(info.get("account"))
    with logins.alone(folder):
        logins.activate(folder, name)
    return f"{name} is used from now on\n"
