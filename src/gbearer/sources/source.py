"""What a credential is to the rest of the house: where it came from, whose it is, and how google-auth is given it."""

from gbearer.model import CLOUD_PLATFORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.external.federation import Federation
    from gbearer.sources.external.identity import Identity
    from gbearer.sources.turn import Turn
    from gbearer.transport import Transport

    Make = Callable[[Ask, Transport], Any]


class Source:
    """A credential that was found, not yet used: plain facts, and the function that makes google-auth's object of it.

    name          the kind of place: "file", "adc", "metadata", "env", "aws", "github", "gitlab" or "azure"
    kind          the file's type ("service_account", "authorized_user", "external_account",
                  "external_account_authorized_user"), or "metadata" or "token"
    where         the path, or words, for messages
    fingerprint   pins the identity for the disk cache; None for one that is not pinned
    principal     who it is, "" where the file does not say
    project       the project in the file, None where there is none
    quota_project likewise
    impersonate   the chain that the file brings: delegates, then the target
    scopes        what is asked for where the question names no scopes
    base_scopes   the same for the credential beneath, where the file impersonates
    universe      the universe domain
    client_id     the client id in the file, "" where there is none
    gcloud        whether this is gcloud's own file: only then its configuration names the project
    lifetime      seconds that a token of the chain that the file brings shall live, None where it does not say
    federation    provider and pool of a federated credential, None for any other
    patience      seconds that obtaining a subject token may take beyond the usual
    checks_role   whether `expect_role` is checked before anything is exchanged: only AWS has roles
    identify      says whose subject token that is (it may send requests), None for any other
    sign_in       the command with which a person signs in anew, "" for gcloud's default credentials
    rotated       keeps a new refresh token that came with an answer in place of the old one, None where nobody can
    current       the refresh token as it is kept now, asked while `lock` is held; None where it is as it was found
    lock          the path of the file that is locked while such a login is refreshed, "" for none
    introspect    what the login's own server says of an access token of it, None where Google's tokeninfo knows it
    tell_universe asks the metadata server for the universe domain, None where it is known
    """

    __slots__ = (
        "_make", "base_scopes", "checks_role", "client_id", "current", "federation", "fingerprint", "gcloud",
        "identify", "impersonate", "introspect", "kind", "lifetime", "lock", "name", "patience", "principal", "project",
        "quota_project", "rotated", "scopes", "sign_in", "tell_universe", "universe", "where",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        make: "Make",
        *,
        principal: str = "",
        project: str | None = None,
        quota_project: str | None = None,
        scopes: tuple[str, ...] = (CLOUD_PLATFORM,),
        client_id: str = "",
        fingerprint: str | None = None,
        where: str = "",
    ) -> None:
        self._make = make
        self.kind = kind
        self.principal = principal
        self.project = project
        self.quota_project = quota_project
        self.scopes = scopes
        self.base_scopes = scopes
        self.client_id = client_id
        self.fingerprint = fingerprint
        self.where = where
        self.name = ""
        self.impersonate: tuple[str, ...] = ()
        self.universe = "googleapis.com"
        self.gcloud = False
        self.lifetime: int | None = None
        self.patience = 0.0
        self.checks_role = False
        self.federation: Federation | None = None
        self.identify: Callable[[Transport], Identity] | None = None
        self.sign_in = ""
        self.rotated: Callable[[str], None] | None = None
        self.current: Callable[[], str] | None = None
        self.lock = ""
        self.introspect: Callable[[str, Transport], Mapping[str, object]] | None = None
        self.tell_universe: Callable[[Transport], str] | None = None

    @property
    def person(self) -> bool:
        """Whether this is a person's login: only that person can renew it."""
        return self.kind in ("authorized_user", "external_account_authorized_user")

    def default_scopes(self, ask: "Ask") -> tuple[str, ...]:
        """The scopes for `ask` where it names none: cloud-platform, for a user's credential what the file says."""
        if not ask.impersonate:
            return self.base_scopes
        return self.scopes if ask.impersonate == self.impersonate else (CLOUD_PLATFORM,)

    def credentials(self, ask: "Ask", transport: "Transport") -> "Any":
        """A google-auth credential for `ask` (kind access, id or jwt), ready for `.refresh(transport)`.

        Raises UsageError or Denied where this kind cannot answer, BadCredentials where its key cannot be used.
        """
        return self._make(ask, transport)

    def turn(self, seconds: float) -> "Turn":
        """What to hold (`with`) while this credential is refreshed: for at most `seconds` others are waited for."""
        from gbearer.sources.turn import Turn

        return Turn(self.lock, seconds)

    def __repr__(self) -> str:
        return f"<{self.kind} from {self.where}>"
