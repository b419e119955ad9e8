"""A local Google: token endpoint, IAM Credentials, metadata server, keys, and targets that verify for real."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbearer.emulator.handle import Emulator
    from gbearer.emulator.start import run, running

__all__ = ["Emulator", "run", "running"]


def __getattr__(name: str) -> Any:
    """Load the server, and with it aiohttp, when it is first wanted; Error when the extra is not installed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from gbearer.emulator import start as module
    except ModuleNotFoundError as error:
        from gbearer.errors import UsageError

        if (error.name or "").partition(".")[0] not in ("aiohttp", "jwt", "cryptography"):
            raise
        raise UsageError(
            "the emulator is not installed",
            why=f"it needs the package {error.name!r}, which comes with the extra 'serve'",
            fix="pip install 'gbearer[serve]'",
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value
