"""Every exception class of google-auth comes out as one of ours, and none of their texts brings a secret along."""

import inspect

import pytest
from google.auth import exceptions as lib

from gbearer.errors import BadCredentials, CredentialsNotFound, Denied, Error, LoginRequired, Unreachable
from gbearer.exchange import refresh, unread
from gbearer.exchange.watch import Watch
from gbearer.transport import Answer, Transport

OURS: dict[str, type[Error]] = {
    "GoogleAuthError": Unreachable,
    "TransportError": Unreachable,
    "RefreshError": Unreachable,
    "UserAccessTokenError": LoginRequired,
    "DefaultCredentialsError": CredentialsNotFound,
    "MutualTLSChannelError": BadCredentials,
    "ClientCertError": BadCredentials,
    "OAuthError": Unreachable,
    "ReauthFailError": LoginRequired,
    "ReauthSamlChallengeFailError": LoginRequired,
    "MalformedError": BadCredentials,
    "InvalidResource": BadCredentials,
    "InvalidOperation": BadCredentials,
    "InvalidValue": BadCredentials,
    "InvalidType": BadCredentials,
    "OSError": BadCredentials,
    "TimeoutError": Unreachable,
    "ResponseError": Unreachable,
}
CLASSES = [cls for _, cls in inspect.getmembers(lib, inspect.isclass) if issubclass(cls, lib.GoogleAuthError)]
SECRET = "ya29.c.secret"
TEXT = f"Bearer {SECRET} and eyJhbGciOiJSUzI1NiJ9.eyJzZWNyZXQiOjF9.sig {{'refresh_token': '1//secret'}}"


def test_no_class_is_left_out() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(OURS)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("args", [(), (TEXT,), (TEXT, {"error": SECRET}), ({"error": "x", "access_token": SECRET},)])
def test_each_class_is_translated(cls: type[lib.GoogleAuthError], args: tuple[object, ...]) -> None:
    try:
        error = cls(*args)
    except TypeError:  # takes one argument
        error = cls(*args[:1])
    for ours in (unread.foreign(error), unread.unread(error, Watch(Transport({})))):
        assert type(ours) is OURS[cls.__name__]
        assert "secret" not in str(ours).replace("<secret>", "")
        assert ours.message
        assert ours.fix


class Raising:
    """A credential as google-auth's are, whose refresh ends in an exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def refresh(self, request: object) -> None:
        del request
        raise self.error


@pytest.mark.parametrize("cls", [*CLASSES, ValueError, KeyError, TypeError, AttributeError, OverflowError])
@pytest.mark.parametrize("answered", [False, True])
def test_nothing_but_our_errors_leaves_a_refresh(cls: type[Exception], answered: bool) -> None:
    watch = Watch(Transport({}))
    if answered:
        watch.last = Answer("https://oauth2.googleapis.com/token", 200, {}, b"{}")
    with pytest.raises(Error) as caught:
        refresh.refresh(Raising(cls(TEXT)), watch)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (lib.RefreshError("invalid_grant: Token has been expired or revoked.", {}), BadCredentials),
        (lib.RefreshError("Reauthentication is needed. Please run `gcloud auth ...`"), LoginRequired),
        (lib.OAuthError("Error code unauthorized_client: rejected by the attribute condition"), Denied),
        (lib.OAuthError("Error code invalid_grant: expired"), BadCredentials),
        (lib.RefreshError(lib.TransportError("inner")), Unreachable),
    ],
)
def test_what_the_text_says_is_understood(error: Exception, ours: type[Error]) -> None:
    assert type(unread.foreign(error)) is ours
