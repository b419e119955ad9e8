"""Where a person signs in: at Google, or at a workforce pool as a login config describes it."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, UsageError
from gbearer.model import CLOUD_PLATFORM, Ask
from gbearer.sources import fields, file, universe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources import Look

    Config = dict[str, str]

TYPE = "external_account_authorized_user_login_config"
IDENTITY = ("openid", "https://www.googleapis.com/auth/userinfo.email")
"""What is always asked for at Google: without it nobody could tell whose login it is."""
_HOW = "`gcloud iam workforce-pools create-login-config AUDIENCE --output-file=FILE` makes one"


class Service:
    """A place to sign in: its addresses, what its page is told besides, the usual scopes, and the config it came of."""

    __slots__ = ("auth_url", "config", "more", "name", "scopes", "token_url")

    def __init__(
        self, auth_url: str, token_url: str, scopes: tuple[str, ...], more: "Config", config: "Config"
    ) -> None:
        self.auth_url = auth_url
        self.token_url = token_url
        self.scopes = scopes
        self.more = more
        self.config = config
        self.name = "the workforce pool" if config else "Google"


def google(account: str | None) -> Service:
    """Google's own sign-in. It asks for consent anew each time: only then it gives a refresh token for sure.

    https://developers.google.com/identity/protocols/oauth2/native-app
    """
    more = {"prompt": "consent"} | ({"login_hint": account} if account else {})
    return Service(endpoints.SIGN_IN, endpoints.TOKEN, (*IDENTITY, CLOUD_PLATFORM), more, {})


def read(path: str, look: "Look") -> Service:
    """The workforce pool of the login config at `path`; BadCredentials when it cannot be used."""
    if file.inline(path) is not None:
        raise UsageError("--login-config holds the config itself, not the path of its file", fix="save it to a file")
    try:
        info, where = file.document(path, "--login-config", look)
    except BadCredentials as error:
        error.message = error.message.replace("the credential file", "the login config", 1)
        error.why = error.why.replace("a credential is", "a login config is", 1)
        error.fix = f"name a login config; {_HOW}"
        raise
    if info.get("type") != TYPE:
        what = (
            "an OAuth client (--client-file takes it)" if "installed" in info else f"of the type {info.get('type')!r}"
        )
        raise BadCredentials(f"{where} is no login config", why=f"it is {what}, not {TYPE}", fix=_HOW)
    return workforce(info, where, look)


def workforce(info: "fields.Info", where: str, look: "Look") -> Service:
    """The workforce pool that `info` describes, its addresses checked.

    Follows https://cloud.google.com/iam/docs/workforce-sign-in-cli and what gcloud makes of such a file.
    """
    fields.check(
        info,
        where,
        "login config",
        ("audience", "token_url", "token_info_url"),
        ("revoke_url", "universe_domain"),
    )
    named = universe.of_file(info, where, Ask(), look)
    texts = {name: fields.text(info, name) for name in ("audience", "auth_url", "token_url", "token_info_url")}
    texts["revoke_url"] = fields.text(info, "revoke_url") or texts["token_url"].replace("/oauthtoken", "/revoke")
    for name in ("token_url", "token_info_url", "revoke_url"):
        endpoints.check_field(name, texts[name], where, look.env, universe=named)
    _check_page(texts["auth_url"], fields.text(info, "universe_cloud_web_domain"), where, named, look)
    provider = texts["audience"].partition("iam.googleapis.com/")[2] or texts["audience"].partition("/locations/")[2]
    if "/workforcePools/" not in texts["audience"] or "/providers/" not in provider:
        raise BadCredentials(
            f"{where} is no usable login config",
            why=f"its audience {texts['audience'][:120]!r} names no provider of a workforce pool",
            fix=_HOW,
        )
    if not provider.startswith("locations/"):
        provider = f"locations/{provider}"
    config = {**texts, "type": TYPE, "universe_domain": named}
    if fields.text(info, "universe_cloud_web_domain"):
        config["universe_cloud_web_domain"] = fields.text(info, "universe_cloud_web_domain")
    return Service(texts["auth_url"], texts["token_url"], (CLOUD_PLATFORM,), {"provider_name": provider}, config)


def _check_page(text: str, web: str, where: str, named: str, look: "Look") -> None:
    """The page on which people give their password: Google's own, that of the universe in use, or the emulator's."""
    try:
        url = endpoints.parse(text, f"auth_url in {where}")
    except UsageError as error:
        raise BadCredentials(error.message, why=error.why, fix=_HOW) from None
    if named == endpoints.UNIVERSE:
        hosts = {"auth.cloud.google"}
    else:  # the user has named that universe; what the file says of its web domain nobody has vouched for
        inside = web == named or web.endswith(f".{named}")
        hosts = {f"auth.{named}", f"auth.cloud.{named}"} | ({f"auth.{web}"} if inside else set())
    if url.scheme == "https" and url.port == 443 and url.host in hosts:
        return
    here = endpoints.emulator(look.env)
    if here is not None and url.origin == here.origin:
        return
    emulated = endpoints.is_loopback(url.host) and url.scheme == "http"
    if named != endpoints.UNIVERSE and web and url.host == f"auth.{web}":
        raise BadCredentials(
            f"auth_url in {where} names {url.origin}",
            why=f"people would be sent there to give their password, and that {web} belongs to the universe {named} "
            "the file alone says (universe_cloud_web_domain)",
            fix="if it does, sign in with gcloud: `gcloud auth login --login-config=FILE`, and use --source gcloud",
        )
    raise BadCredentials(
        f"auth_url in {where} names {url.origin}",
        why="people would be sent there to sign in, and it is no sign-in page of Google's",
        fix=f"if this is the gbearer emulator, export {endpoints.EMULATOR_VARIABLE}={url.host}:{url.port}"
        if emulated
        else _HOW,
    )


def page(url: str, look: "Look") -> str:
    """Where the browser is sent for `url`, an address of a sign-in page: to the emulator, when that is set."""
    here = endpoints.emulator(look.env)
    asked = endpoints.parse(url)
    return str(asked if here is None else asked.to(here))
