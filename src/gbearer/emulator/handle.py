"""A running emulator in the hands of a test: where it is, what it wrote, its log, and what is to go wrong next."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from gbearer.emulator import bindings, control, elsewhere, faults, files, listen, universe
from gbearer.emulator.signin import follow
from gbearer.emulator.state import State
from gbearer.emulator.sts import default, subjects
from gbearer.emulator.world import ADA

Result = TypeVar("Result")


@dataclass
class Emulator:
    """A running emulator: where it is, what it wrote, and what a test asks of it.

    `url` is `http://127.0.0.1:PORT`, `host` is `127.0.0.1:PORT`, `env` the variables that point clients at it.
    """

    url: str
    dir: Path
    env: dict[str, str]
    _state: State = field(repr=False)
    _loop: asyncio.AbstractEventLoop = field(repr=False)
    _runner: web.AppRunner = field(repr=False)
    _listener: listen.Listener = field(repr=False)
    _renewal: asyncio.Task[None] = field(repr=False)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, the value of GBEARER_EMULATOR_HOST."""
        return self.url.removeprefix("http://")

    @property
    def tls_url(self) -> str:
        """The same address over TLS, with a certificate of D/ca.pem; a client may show one of its own."""
        return f"https://{self.host}"

    @property
    def key_file(self) -> Path:
        """The service account key."""
        return self.dir / files.KEY

    @property
    def user_file(self) -> Path:
        """The user's credentials."""
        return self.dir / files.USER

    @property
    def client_file(self) -> Path:
        """The OAuth client of a desktop application."""
        return self.dir / files.CLIENT

    @property
    def universe_key_file(self) -> Path:
        """The service account key of another universe."""
        return self.dir / elsewhere.UNIVERSE

    @property
    def gdch_file(self) -> Path:
        """The key of a service identity of Google Distributed Cloud."""
        return self.dir / elsewhere.GDCH

    @property
    def gdch_tls_file(self) -> Path:
        """The same key, with an endpoint over TLS that a certificate of ca.pem speaks for."""
        return self.dir / elsewhere.GDCH_TLS

    @property
    def login_config_file(self) -> Path:
        """What a browser sign-in through a workforce pool starts from."""
        return self.dir / files.LOGIN_CONFIG

    @property
    def workforce_user_file(self) -> Path:
        """The credentials of somebody of the workforce pool."""
        return self.dir / files.WORKFORCE_USER

    @property
    def impersonated_file(self) -> Path:
        """The user's credentials acting as a service account."""
        return self.dir / files.IMPERSONATED

    def log(self) -> list[dict[str, Any]]:
        """The requests served so far, in order of arrival."""
        return self._state.log.as_json()

    def reset(self) -> None:
        """Empty the log and the faults, set the clock right, take back new bindings and providers.

        Tokens stay good.
        """

        async def work() -> None:
            self._state.reset()

        self._ask(work())

    def fault(self, *wanted: Mapping[str, Any]) -> None:
        """Plan what goes wrong next, as `POST /_emulator/faults` does; ValueError if it is not understood."""
        planned, skew = faults.parse([dict(one) for one in wanted])

        async def work() -> None:
            control.plan(self._state, planned, skew)

        self._ask(work())

    def sign_in(
        self, url: str, account: str = ADA, decision: str = "allow", scopes: Iterable[str] | None = None
    ) -> str:
        """Go through the pages at `url` as somebody with a browser does; where it is sent at the end, unvisited.

        `url` may name Google's host; the emulator is dialled. `decision` is allow or deny; `scopes` those left ticked
        (None: all). ValueError tells what a page says that refuses.
        """
        return follow.sign_in(self.url, url, account, decision, scopes)

    def require_reauth(self, account: str = ADA, subtype: str = "invalid_rapt") -> int:
        """Refuse refreshes of what `account` has consented to so far, until a reset; how many grants it hits.

        A refresh is answered invalid_grant with this error_subtype (invalid_rapt or rapt_required); for the principal
        of a workforce pool its sessions end. ValueError if there is no such account.
        """

        async def work() -> int:
            return control.require_reauth(self._state, {"account": account, "subtype": subtype})["grants"]

        return self._ask(work())

    def subject_token(self, provider: str = "oidc", claims: Mapping[str, object] = {}) -> str:
        """An ID token that the OIDC `provider` trusts, with these claims besides the usual ones (None: without it).

        KeyError if there is no such provider.
        """
        world = self._state.world
        return subjects.id_token(world, world.federation.find(provider), claims)

    def saml_response(
        self, provider: str = "saml", subject: str = subjects.SAML_SUBJECT, attributes: Mapping[str, str] = {}
    ) -> str:
        """A SAML response that the `provider` trusts, base64-encoded. KeyError if there is no such provider."""
        world = self._state.world
        return subjects.saml_response(world, world.federation.find(provider), subject, attributes)

    def bind(self, service_account: str, *members: str, role: str = bindings.WORKLOAD_IDENTITY_USER) -> None:
        """Grant `members` (as IAM policies write them) `role` on a service account, until the next reset."""
        self._bindings("add", {"serviceAccount": service_account, "role": role, "members": list(members)})

    def unbind(self, service_account: str, *members: str, role: str = bindings.WORKLOAD_IDENTITY_USER) -> None:
        """Take `role` on a service account from `members`, until the next reset."""
        self._bindings("remove", {"serviceAccount": service_account, "role": role, "members": list(members)})

    def set_universe(self, domain: str | None = universe.OTHER) -> None:
        """Let the metadata server say that it is of the universe `domain`, until the next reset; None: of none.

        ValueError if it is no domain.
        """

        async def work() -> None:
            control.set_universe(self._state, {"universe_domain": domain})

        self._ask(work())

    def _bindings(self, action: str, item: Mapping[str, Any]) -> None:
        async def work() -> None:
            control.bind(self._state, {action: [dict(item)]})

        self._ask(work())

    def provider(self, name: str, document: Mapping[str, Any], pool: str = default.POOL_RESOURCE) -> str:
        """Add or replace a provider as the REST API has it, until the next reset; its audience comes back.

        ValueError if it is not understood.
        """

        async def work() -> str:
            return control.add_provider(self._state, {"pool": pool, "name": name, "provider": dict(document)})

        return self._ask(work())

    async def stop(self) -> None:
        """Let open requests go and close the server; for whoever runs its event loop."""
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)
        await self._listener.stop()
        self._state.faults.clear()
        await self._runner.cleanup()
        await self._listener.hang_up()

    def _ask(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)
