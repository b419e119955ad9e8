"""gbearer gets a Google Cloud bearer token into a request, from anywhere."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer import aio
    from gbearer.client import Client, header, id_token, project, request, reset, token
    from gbearer.errors import (
        BadCredentials,
        CacheError,
        CredentialsNotFound,
        Denied,
        Error,
        LoginRequired,
        Unreachable,
        UsageError,
    )
    from gbearer.model import Ask, Token

_HOME = {
    "client": ("Client", "header", "id_token", "project", "request", "reset", "token"),
    "errors": (
        "BadCredentials",
        "CacheError",
        "CredentialsNotFound",
        "Denied",
        "Error",
        "LoginRequired",
        "Unreachable",
        "UsageError",
    ),
    "model": ("Ask", "Token"),
    "_version": ("__version__",),
}

__all__ = [
    "Ask",
    "BadCredentials",
    "CacheError",
    "Client",
    "CredentialsNotFound",
    "Denied",
    "Error",
    "LoginRequired",
    "Token",
    "Unreachable",
    "UsageError",
    "__version__",
    "aio",
    "header",
    "id_token",
    "project",
    "request",
    "reset",
    "token",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import gbearer` alone loads nothing."""
    from importlib import import_module

    if name == "aio":
        return import_module("gbearer.aio")
    for module, names in _HOME.items():
        if name in names:
            value = getattr(import_module(f"gbearer.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'gbearer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
