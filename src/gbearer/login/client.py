"""The OAuth client that signs people in: Google's downloaded file, or that of a login which is there already."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, LoginRequired, UsageError
from gbearer.sources import fields, file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources import Look

CONSOLE = "https://console.cloud.google.com/auth/clients"
_MAKE = f"make one of the type Desktop app at {CONSOLE}, download its JSON, and name that with --client-file"
_OTHERS = {
    "service_account": ("a service account key", "a key needs no sign-in: name it with --credentials"),
    "authorized_user": ("a user credential", "somebody has signed in already: name it with --credentials"),
    "external_account": ("a federation file", "it needs no sign-in: name it with --credentials"),
    "external_account_authorized_user": ("a workforce login", "it needs no sign-in: name it with --credentials"),
    "impersonated_service_account": ("an impersonation file", "it needs no sign-in: name it with --credentials"),
    "external_account_authorized_user_login_config": ("a login config", "name it with --login-config instead"),
}


class Client:
    """An OAuth client: its id, its secret (none at all in a program that people have, RFC 8252 §8.5), and its file."""

    __slots__ = ("id", "secret", "where")

    def __init__(self, id: str, secret: str, where: str) -> None:  # noqa: A002 (the field's own name)
        self.id = id
        self.secret = secret
        self.where = where

    def __repr__(self) -> str:
        return f"<OAuth client {self.id} from {self.where}>"


def read(path: str, look: "Look") -> Client:
    """The client in Google's downloaded file at `path`; BadCredentials saying what the file is when it is another."""
    if file.inline(path) is not None:
        raise UsageError("--client-file holds the client itself, not the path of its file", fix="save it to a file")
    try:
        info, where = file.document(path, "--client-file", look)
    except BadCredentials as error:
        error.message = error.message.replace("the credential file", "the client file", 1)
        error.why = error.why.replace("a credential is", "an OAuth client is", 1)
        error.fix = f"name the JSON of your OAuth client with --client-file; if you have none, {_MAKE}"
        raise
    client = info.get("installed")
    if not isinstance(client, dict):
        raise _another(info, where)
    fields.check(client, where, "OAuth client", ("client_id", "client_secret"), ("auth_uri", "token_uri"))
    _check_urls(client, where, look)
    made = Client(fields.text(client, "client_id"), fields.text(client, "client_secret"), where)
    check(made, look, fields.text(client, "token_uri"))
    return made


def check(client: Client, look: "Look", token_uri: str = "") -> None:
    """BadCredentials for a real client while an emulator is set, and for an emulator's while none is."""
    if endpoints.emulator(look.env) is not None:
        endpoints.made_by_emulator(client.id, "OAuth client", client.where, look.env)
    elif client.id.startswith(endpoints.EMULATOR_MARK):
        try:
            at = endpoints.parse(token_uri).netloc
        except UsageError:
            at = "127.0.0.1:PORT"
        raise BadCredentials(
            f"{client.where} is an emulator's OAuth client, and {endpoints.EMULATOR_VARIABLE} is not set",
            why="Google does not know it",
            fix=f"export {endpoints.EMULATOR_VARIABLE}={at}",
        )


def none(login_config: str | None = None) -> LoginRequired:
    """The error where there is no client, for Google or for the pool of a login config; none is borrowed."""
    if login_config is not None:
        return LoginRequired(
            "signing in to a workforce pool needs an OAuth client of your own",
            why="gbearer borrows none from other programs",
            fix="one of these:\n"
            f"- `gcloud auth login --login-config={login_config}` signs in with gcloud's own; then --source gcloud\n"
            "- `gcloud iam oauth-clients create` makes one; put its id and secret into a file of the form\n"
            '  {"installed": {"client_id": ..., "client_secret": ...}}, and name that with --client-file',
        )
    return LoginRequired(
        "signing in needs an OAuth client of your own",
        why="Google shows its name to whoever signs in, and gbearer borrows none from other programs",
        fix="one of these:\n"
        "- `gcloud auth application-default login` signs in with gcloud's own, and gbearer uses that\n"
        f"- open {CONSOLE} in a project of yours\n"
        "  (it asks for the consent screen first: a name, your address, and yourself as test user)\n"
        "  Create client, application type Desktop app, Download JSON; then\n"
        "  `gbearer login --client-file FILE`; later sign-ins remember it",
    )


def _check_urls(client: "fields.Info", where: str, look: "Look") -> None:
    """The file may name Google's own addresses, or those of the emulator that is set; they are not what is used."""
    here = endpoints.emulator(look.env)
    for field, hosts in (("auth_uri", ("accounts.google.com",)), ("token_uri", ())):
        text = fields.text(client, field)
        if not text:
            continue
        if field == "token_uri":
            endpoints.check_field(field, text, where, look.env)
            continue
        try:
            url = endpoints.parse(text, f"{field} in {where}")
        except UsageError as error:
            raise BadCredentials(error.message, why=error.why, fix="download the file anew") from None
        if url.scheme == "https" and url.host in hosts:
            continue
        if here is None or url.origin != here.origin:
            raise BadCredentials(
                f"{field} in {where} names {url.origin}",
                why="people would be sent there to give their password, and it is not Google's sign-in page",
                fix=f"if this is the gbearer emulator, export {endpoints.EMULATOR_VARIABLE}={url.host}:{url.port}"
                if endpoints.is_loopback(url.host) and url.scheme == "http"
                else f"download the file anew from {CONSOLE}",
            )


def _another(info: "fields.Info", where: str) -> BadCredentials:
    kind = info.get("type")
    if isinstance(info.get("web"), dict):
        return BadCredentials(
            f"{where} is the OAuth client of a web application",
            why="Google sends the answers of such a client to its website, and none to this machine",
            fix=_MAKE,
        )
    if isinstance(kind, str) and kind in _OTHERS:
        what, instead = _OTHERS[kind]
        fix = instead if "login-config" in instead else f"{instead}; for a client {_MAKE}"
        return BadCredentials(f"{where} is {what}, not an OAuth client", why=f"its type is {kind!r}", fix=fix)
    return BadCredentials(
        f"{where} is no OAuth client",
        why="a client for signing in has one part, called `installed`; this file has none",
        fix=_MAKE,
    )
