"""What is wanted of a sign-in, and what came of it."""

LOGIN = "gbearer login"
"""How a fix begins that is to sign in again; `Wish.complete` says the rest."""
TIMEOUT = 300
"""Seconds that a person has to sign in."""
_SCOPE = "https://www.googleapis.com/auth/"


class Wish:
    """What is wanted of a sign-in.

    client_file, login_config   paths; without them those of the login that there is are taken
    account     who shall sign in; None for anybody
    scopes      whole names; () for what the login had, or the usual ones
    port        of the loopback address, 0 for a free one
    browser     whether to open one
    timeout     seconds
    adc         whether gcloud's application default credentials are written as well
    keyring     whether the refresh token goes into the system's keyring; None for as it was, at first a file
    """

    __slots__ = (
        "account", "adc", "browser", "client_file", "keyring", "login_config", "port", "quota_project", "scopes",
        "timeout",
    )  # fmt: skip

    def __init__(
        self,
        *,
        client_file: str | None = None,
        login_config: str | None = None,
        account: str | None = None,
        scopes: tuple[str, ...] = (),
        port: int = 0,
        browser: bool = True,
        timeout: float = TIMEOUT,
        adc: bool = False,
        keyring: bool | None = None,
        quota_project: str | None = None,
    ) -> None:
        self.client_file = client_file
        self.login_config = login_config
        self.account = account
        self.scopes = scopes
        self.port = port
        self.browser = browser
        self.timeout = timeout
        self.adc = adc
        self.keyring = keyring
        self.quota_project = quota_project

    def command(self, account: str | None = None, besides: str = "") -> str:
        """The command line with which this is tried again, as `account` if one is given.

        An option that the text `besides` names is left out.
        """
        import shlex

        valued = (
            ("--client-file", self.client_file),
            ("--login-config", self.login_config),
            ("--account", account or self.account),
            ("--scope", ",".join(scope.removeprefix(_SCOPE) for scope in self.scopes)),
            ("--quota-project", self.quota_project),
            ("--port", str(self.port or "")),
        )
        flags = (
            ("--no-browser", not self.browser),
            ("--adc", self.adc),
            ("--keyring", self.keyring is True),
            ("--no-keyring", self.keyring is False),
        )
        named = besides.replace(";", " ").replace(",", " ").split()
        words = [word for name, value in valued if value and name not in named for word in (name, value)]
        return shlex.join([*LOGIN.split(), *words, *(name for name, on in flags if on and name not in named)])

    def complete(self, fix: str) -> str:
        """A fix that begins with `gbearer login`, with what was asked for this time; any other as it is."""
        return self.command(besides=fix) + fix.removeprefix(LOGIN) if fix.startswith(LOGIN) else fix


class Signed:
    """A login that was made: whose, its scopes, its file, the keyring's name if that has it, the ADC file if any."""

    __slots__ = ("account", "adc", "file", "keyring", "scopes")

    def __init__(self, account: str, scopes: tuple[str, ...], file: str, keyring: str, adc: str) -> None:
        self.account = account
        self.scopes = scopes
        self.file = file
        self.keyring = keyring
        self.adc = adc
