"""The small Google that the emulator plays: one project, its accounts and keys, and who may act as whom."""

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gbearer.emulator import bindings, certificates, jose, scopes
from gbearer.emulator.grants import Grant, Grants
from gbearer.emulator.kept import Secrets
from gbearer.emulator.sts.account import Key as AwsKey
from gbearer.emulator.sts.pools import Federation, Provider
from gbearer.emulator.universe import GOOGLE, OTHER

PROJECT_ID = "emulator-project"
PROJECT_NUMBER = 123456789012
ORGANIZATION_NUMBER = 987654321098
DENIED_QUOTA_PROJECT = "emulator-denied"
"""The one project that nobody here may bill: it shows what USER_PROJECT_DENIED looks like."""
OTHER_CLIENT = ("emulator-other.apps.googleusercontent.com", "emulator-secret-other")
"""A second OAuth client, id and secret, to which no refresh token belongs."""
GCLOUD_CLIENT = ("32555940559.apps.googleusercontent.com", "ZmssLNjJy2998hD4CTg2ejr2")
"""The OAuth client, id and secret, that every copy of gcloud carries; nothing about it is secret."""
GCLOUD_ADC_CLIENT = ("764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com",
                     "d-FL95Q19q7MQmFpd7hHD0Ty")  # fmt: skip
"""The same for `gcloud auth application-default login`."""
WORKFORCE_POOL = "locations/global/workforcePools/emulator-workforce"
IDENTITY_PROVIDER = "emulator-idp"
"""The workforce pool, and the provider in it through which people sign in with a browser."""
REFRESH_MARK = f"{jose.KEY_MARK}1//0"
"""What every refresh token of ours begins with."""
PASSWORD = "emulator"
"""What everybody here answers when asked for a password."""
DOMAIN = f"{PROJECT_ID}.iam.gserviceaccount.com"
ROBOT = f"robot@{DOMAIN}"
TARGET = f"target@{DOMAIN}"
MIDDLE = f"middle@{DOMAIN}"
TARGET2 = f"target2@{DOMAIN}"
LONG = f"long@{DOMAIN}"
DEFAULT = f"default@{DOMAIN}"
OTHER_DOMAIN = f"{PROJECT_ID}.emulator-universe.iam.gserviceaccount.com"
OTHER_ROBOT = f"robot@{OTHER_DOMAIN}"
OTHER_TARGET = f"target@{OTHER_DOMAIN}"
"""The service accounts of the other universe."""
ADA = "ada@example.com"
AWS_ACCOUNT = "123456789012"
"""The account number that moto plays, too."""
USER_SCOPES = (
    scopes.OPENID,
    scopes.EMAIL,
    scopes.PROFILE,
    scopes.CLOUD_PLATFORM,
    *(
        scopes.PREFIX + name
        for name in (
            "accounts.reauth",
            "appengine.admin",
            "cloud-platform.read-only",
            "compute",
            "devstorage.read_only",
            "sqlservice.login",
        )
    ),
)
DELEGATED_SCOPES = frozenset(
    {
        scopes.OPENID,
        scopes.EMAIL,
        scopes.PROFILE,
        scopes.CLOUD_PLATFORM,
        *(
            scopes.PREFIX + name
            for name in (
                "admin.directory.user.readonly",
                "calendar",
                "calendar.readonly",
                "drive",
                "drive.readonly",
                "gmail.readonly",
                "spreadsheets",
            )
        ),
    }
)
_FIRST_BINDINGS = (
    *((f"serviceAccount:{ROBOT}", target) for target in (ROBOT, TARGET, MIDDLE, LONG)),
    *((f"user:{ADA}", target) for target in (TARGET, MIDDLE, LONG)),
    (f"serviceAccount:{MIDDLE}", TARGET2),
    *((f"serviceAccount:{DEFAULT}", target) for target in (TARGET, DEFAULT)),
    *((f"serviceAccount:{OTHER_ROBOT}", target) for target in (OTHER_ROBOT, OTHER_TARGET)),
)


class Clock:
    """The emulator's clock: this machine's, shifted by `skew` seconds while that fault is on."""

    def __init__(self) -> None:
        self.skew = 0.0

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time() + self.skew


@dataclass
class ServiceAccount:
    """A service account; `user_key` is the one in key.json, `system_key` the one signBlob and signJwt use."""

    email: str
    user_key: jose.Key | None = None
    system_key: jose.Key | None = None
    extended_lifetime: bool = False
    delegated_scopes: frozenset[str] = frozenset()
    universe: str = GOOGLE

    @property
    def unique_id(self) -> str:
        """The 21-digit id, the same in every run."""
        return numeric_id(self.email)

    @property
    def keys(self) -> tuple[jose.Key, ...]:
        """Every key that may have signed for this account."""
        return tuple(key for key in (self.user_key, self.system_key) if key is not None)


@dataclass
class User:
    """A person; `managed` says that the domain's administrator lets service accounts act for them."""

    email: str
    name: str
    managed: bool = True

    @property
    def unique_id(self) -> str:
        """The 21-digit id, the same in every run."""
        return numeric_id(self.email)


class World:
    """Accounts, users, clients, grants, pools and bindings. Pure state: no HTTP.

    `federation` is what pools.json says; changes made to it later are undone by `restore`.
    """

    def __init__(
        self, kept: Secrets, clock: Clock, federation: Federation | None = None, grants: Grants | None = None
    ) -> None:
        self.kept = kept
        self._pools = federation or Federation()
        self.clock = clock
        self.google_key = kept.key("google")
        self.accounts = {
            email: ServiceAccount(email, system_key=kept.keys.get(f"system {email}"))
            for email in (ROBOT, TARGET, MIDDLE, TARGET2, LONG, DEFAULT)
        }
        self.accounts[ROBOT].user_key = kept.key(f"user {ROBOT}")
        self.accounts[ROBOT].delegated_scopes = DELEGATED_SCOPES
        self.accounts[LONG].extended_lifetime = True
        for email in (OTHER_ROBOT, OTHER_TARGET):
            key = kept.keys.get(f"system {email}")
            self.accounts[email] = ServiceAccount(email, system_key=key, universe=OTHER)
        self.accounts[OTHER_ROBOT].user_key = kept.key(f"user {OTHER_ROBOT}")
        self.users = {
            user.email: user
            for user in (
                User(ADA, "Ada Lovelace"),
                User("grace@example.com", "Grace Hopper"),
                User("eve@elsewhere.example", "Eve Outside", managed=False),
            )
        }
        kept.client_id = kept.client_id or f"{jose.KEY_MARK}{secrets.token_hex(8)}.apps.googleusercontent.com"
        kept.client_secret = kept.client_secret or "emulator-secret-" + secrets.token_urlsafe(18)
        kept.refresh_token = kept.refresh_token or f"{REFRESH_MARK}{secrets.token_urlsafe(48)}"
        self.clients = dict([(kept.client_id, kept.client_secret), OTHER_CLIENT, GCLOUD_CLIENT, GCLOUD_ADC_CLIENT])
        self.workforce_token = kept.other("workforce token", lambda: f"{REFRESH_MARK}{secrets.token_urlsafe(48)}")
        self.grants = grants or Grants()
        self.aws_key = AwsKey(
            kept.other("aws key id", lambda: f"ASIAEMULATOR{secrets.token_hex(4).upper()}"),
            kept.other("aws secret", lambda: secrets.token_urlsafe(30)),
            jose.KEY_MARK + kept.other("aws session", lambda: secrets.token_urlsafe(90)),
            f"arn:aws:sts::{AWS_ACCOUNT}:assumed-role/emulator-role/emulator-session",
            AWS_ACCOUNT,
            "AROAEMULATOR00000ROLE:emulator-session",
        )
        self.shelf = certificates.shelf(kept.other)
        self.restore()

    def restore(self) -> None:
        """Give the user the consent of the first day again, as after a revocation; pools and bindings too."""
        self.federation = self._pools.copy()
        self.bindings = {
            bindings.Binding(member, bindings.TOKEN_CREATOR, target) for member, target in _FIRST_BINDINGS
        } | self.federation.bindings
        self.grants.forgive()
        subject = {"google.subject": ADA, "google.groups": ["everybody", ADA.partition("@")[2]]}
        principal, members = Provider(WORKFORCE_POOL, IDENTITY_PROVIDER, "oidc").members(subject)
        session = Grant("workforce", self.kept.client_id, principal, (scopes.CLOUD_PLATFORM,), subject=ADA)
        session.members = tuple(sorted(members))
        self.grants.put(session, self.workforce_token)
        self.grants.put(Grant("first", self.kept.client_id, ADA, USER_SCOPES), self.kept.refresh_token)

    def account(self, name: str) -> ServiceAccount | None:
        """The service account called `name`: its e-mail address or unique id."""
        if name in self.accounts:
            return self.accounts[name]
        return next((account for account in self.accounts.values() if account.unique_id == name), None)

    def email_of(self, unique_id: str) -> str:
        """The address behind a numeric id, or the empty string."""
        known: Iterator[ServiceAccount | User] = iter([*self.accounts.values(), *self.users.values()])
        return next((someone.email for someone in known if someone.unique_id == unique_id), "")

    def system_key(self, account: ServiceAccount) -> jose.Key:
        """The key Google manages for `account`; made when it is first wanted."""
        if account.system_key is None:
            account.system_key = self.kept.key(f"system {account.email}")
        return account.system_key

    def may(self, members: frozenset[str], target: str, permission: str) -> bool:
        """Whether somebody who counts as each of `members` has `permission` on the account `target`."""
        return bindings.allows(self.bindings, members, target, permission)


def account_member(email: str) -> str:
    """A service account as IAM policies write it."""
    return f"serviceAccount:{email}"


def numeric_id(email: str) -> str:
    """A 21-digit id that depends on the address alone."""
    return "1" + str(int(hashlib.sha256(email.encode()).hexdigest(), 16))[:20]
