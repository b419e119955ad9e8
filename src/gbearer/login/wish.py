"""What is wanted of a sign-in, and what came of it."""

TIMEOUT = 300
"""Seconds that a person has to sign in."""


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


class Signed:
    """A login that was made: whose, its scopes, its file, the keyring's name if that has it, the ADC file if any."""

    __slots__ = ("account", "adc", "file", "keyring", "scopes")

    def __init__(self, account: str, scopes: tuple[str, ...], file: str, keyring: str, adc: str) -> None:
        self.account = account
        self.scopes = scopes
        self.file = file
        self.keyring = keyring
        self.adc = adc
