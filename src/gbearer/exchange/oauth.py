"""Refusals of the token endpoint (RFC 6749 §5.2, and Google's own texts): what they mean for a key and for a person."""

from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.exchange.said import Said, set_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources import Source

_LOGIN = "gcloud auth application-default login"
_CONSOLE = "https://admin.google.com/ac/owl/domainwidedelegation"


def explain(said: Said, ask: "Ask", source: "Source") -> Error:
    """What the token endpoint's refusal means for `ask`."""
    person = source.person and not ask.impersonate
    if said.code == "invalid_grant":
        return _user_grant(said, source) if person else _key_grant(said, ask, source)
    if said.code == "unauthorized_client" and not person:
        return _delegation(said, ask, source)
    if said.code in ("invalid_client", "unauthorized_client", "deleted_client", "disabled_client"):
        return BadCredentials(
            f"Google does not accept the OAuth client in {source.where}",
            why=said.words,
            fix=_new_client(source) if person else "get the file anew from Google",
        )
    if said.code == "invalid_scope":
        return _scope(said, ask, source, person)
    if said.code in ("access_denied", "admin_policy_enforced", "org_internal", "restricted_client"):
        return Denied("an administrator's rule forbids this", why=said.words, fix="ask the administrator of the domain")
    if said.code in ("invalid_request", "unsupported_grant_type"):
        return BadCredentials(
            f"{said.host} does not understand what {source.where} makes us send",
            why=said.words,
            fix="check token_uri in the file; Google's own is https://oauth2.googleapis.com/token",
        )
    return Unreachable(
        f"{said.host} refused in a way that is not understood",
        why=f"{said.words}, at {said.path}",
        fix="check token_uri in the file, and what stands between you and Google",
    )


def _key_grant(said: Said, ask: "Ask", source: "Source") -> Error:
    """`invalid_grant` for an assertion that a service account signed."""
    text = said.text.lower()
    account = ask.impersonate[-1] if ask.impersonate else source.principal
    new_key = f"`gcloud iam service-accounts keys create key.json --iam-account={account}`"
    if _about_time(text):
        return BadCredentials(
            "Google refuses the key's assertion because of its time",
            why=f"{said.late or 'this clock and the server agree to within 30 s'}; {said.words}",
            fix=set_clock() if said.late else f"if the clock is right, make a new key: {new_key}",
        )
    if "signature" in text:
        return BadCredentials(
            f"Google does not accept the key of {account}",
            why=f"the key was deleted, disabled or replaced, or {source.where} was changed; {said.words}",
            fix=f"make a new key: {new_key}",
        )
    if "account not found" in text:
        return BadCredentials(
            f"there is no service account {account} any more",
            why=f"it was deleted, or its key is from elsewhere; {said.words}",
            fix="use the key of an account that exists: `gcloud iam service-accounts list`",
        )
    if ask.subject and ("email" in text or "user" in text):
        return BadCredentials(
            f"there is no user {ask.subject} that {account} could act for",
            why=f"{said.words}; it has to be a person in the Workspace domain that granted the delegation",
            fix="correct --subject",
        )
    if "audience" in text:
        return BadCredentials(
            f"the assertion was made for another token endpoint than {said.host}",
            why=said.words,
            fix="restore token_uri in the file: https://oauth2.googleapis.com/token",
        )
    return BadCredentials(
        f"Google refuses the credential of {account or source.where}",
        why=f"{said.late}; {said.words}" if said.late else said.words,
        fix=set_clock() if said.late else f"make a new key: {new_key}",
    )


def _about_time(text: str) -> bool:
    return any(word in text for word in ("timeframe", "short-lived", "iat and exp", "too early", "expired jwt"))


def _user_grant(said: Said, source: "Source") -> Error:
    """`invalid_grant` for a person's refresh token: nobody but that person can help."""
    whose = f" of {source.principal}" if source.principal else ""
    if said.subtype in ("invalid_rapt", "rapt_required") or "rapt" in said.text.lower():
        return LoginRequired(
            f"the login{whose} in {source.where} needs reauthentication",
            why=f"the organisation asks its people to sign in again now and then; {said.words}",
            fix=_anew(source),
        )
    testing = " (after 7 days, while the client's consent screen is in testing)" if source.name == "login" else ""
    return LoginRequired(
        f"the login{whose} in {source.where} has ended",
        why=f"it was revoked, has expired{testing}, or the password was changed; {said.words}",
        fix=_anew(source),
    )


def _anew(source: "Source") -> str:
    """How a person signs in again, so that this very credential is good again."""
    run = f"run `{source.sign_in or _LOGIN}`"
    at_home = source.gcloud or source.name in ("login", "gcloud")
    return run if at_home else f"{run}, or get {source.where} anew where it came from"


def _new_client(source: "Source") -> str:
    if source.name == "login":
        return f"make a new client of the type Desktop app, and sign in with it: `{source.sign_in} --client-file FILE`"
    return f"sign in anew: `{source.sign_in or _LOGIN}`"


def _delegation(said: Said, ask: "Ask", source: "Source") -> Error:
    account = ask.impersonate[-1] if ask.impersonate else source.principal
    if not ask.subject:
        return Denied(
            f"{account} may not get this token",
            why=said.words,
            fix="check --scope, and that the account is enabled: `gcloud iam service-accounts list`",
        )
    client = source.client_id if not ask.impersonate and source.client_id else f"the client id (unique id) of {account}"
    scopes = ",".join(ask.scopes or source.default_scopes(ask))
    return Denied(
        f"{account} may not act for {ask.subject}",
        why=f"domain-wide delegation is not granted for it, or not for these scopes; {said.words}",
        fix=f"in the Admin console ({_CONSOLE}) add {client} with exactly the scopes {scopes}",
    )


def _scope(said: Said, ask: "Ask", source: "Source", person: bool) -> Error:
    wanted = " ".join(ask.scopes or source.default_scopes(ask))
    if person:
        scopes = ",".join(["openid", "https://www.googleapis.com/auth/cloud-platform", *ask.scopes])
        with_it = f"`{_LOGIN} --scopes={scopes}`"
        if source.name == "login":
            with_it = f"`{source.sign_in} --scope {','.join(['cloud-platform', *ask.scopes])}`"
        elif source.sign_in:
            with_it = "`gbearer login --scope`, which asks for whatever is named"
        return UsageError(
            f"the login in {source.where} does not grant {wanted}",
            why=f"a login has the scopes it was made with; {said.words}",
            fix=f"drop --scope, or sign in with it: {with_it}",
        )
    if ask.kind == "id":
        return UsageError(
            f"Google does not accept the audience {ask.audience}", why=said.words, fix="correct --audience"
        )
    return UsageError(f"Google knows no scope {wanted}", why=said.words, fix="correct --scope")
