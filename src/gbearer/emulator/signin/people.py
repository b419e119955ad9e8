"""The people who sign in through a workforce pool's provider: what their own identity provider says about them."""

from typing import Any

from gbearer.emulator.answers import Refusal
from gbearer.emulator.signin import pages
from gbearer.emulator.signin.asked import Wrong
from gbearer.emulator.sts import mapping
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import User, World


def identity(world: World, provider: Provider, person: User) -> dict[str, Any]:
    """The attributes that the provider's mapping makes of somebody; a page, where its condition shuts them out."""
    domain = person.email.partition("@")[2]
    assertion = {
        "iss": provider.settings.get("issuerUri", ""),
        "sub": person.email,
        "subject": person.email,
        "email": person.email,
        "name": person.name,
        "groups": ["everybody", domain],
        "iat": int(world.clock.now()),
    }
    try:
        return mapping.mapped(provider.mapping, provider.condition, assertion)
    except Refusal:
        text = f"{person.email} is not let in by the provider {provider.name}: its condition or its mapping says no."
        raise pages.refusal(Wrong(403, "access_denied", text)) from None
