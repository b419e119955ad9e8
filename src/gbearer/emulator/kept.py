"""What an emulator's directory keeps from run to run: its keys, its user's tokens, its AWS identity, certificates."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gbearer.emulator import jose


@dataclass
class Secrets:
    """What a directory keeps from run to run: keys by name, the user's client and refresh token, and `others`.

    `save` is called when a key has been added later.
    """

    keys: dict[str, jose.Key] = field(default_factory=dict, repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    others: dict[str, str] = field(default_factory=dict, repr=False)
    save: Callable[["Secrets"], None] | None = field(default=None, repr=False)

    def key(self, name: str) -> jose.Key:
        """The key called `name`, made now if there is none yet."""
        if name not in self.keys:
            self.keys[name] = jose.new_key()
            if self.save is not None:
                self.save(self)
        return self.keys[name]

    def other(self, name: str, new: Callable[[], str]) -> str:
        """The text kept as `name`, made by `new` if there is none yet."""
        if name not in self.others:
            self.others[name] = new()
            if self.save is not None:
                self.save(self)
        return self.others[name]
