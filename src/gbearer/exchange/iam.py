"""Refusals of the IAM Credentials API: which role is missing on whom, and the exact command that grants it."""

from gbearer import claims, endpoints
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.exchange.said import Said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask, Token
    from gbearer.sources import Source
    from gbearer.transport import Transport

_CREATOR = "roles/iam.serviceAccountTokenCreator"
_OPENID = "roles/iam.serviceAccountOpenIdTokenCreator"
_CLOUD = "https://www.googleapis.com/auth/cloud-platform"
_ASK_SECONDS = 3.0


def explain(said: Said, ask: "Ask", source: "Source", base: "Token | None", transport: "Transport") -> Error:
    """What the refusal means for the chain that `ask` goes through; `base` is the token that was sent.

    Without a chain it is a key of another universe, which gets its own account's ID tokens here.
    """
    if not ask.impersonate:
        ask = ask.replace(impersonate=(source.principal,))
    target = ask.impersonate[-1]
    if said.status == 401:
        return BadCredentials(
            f"{said.host} does not accept the token of {source.where}",
            why=said.words,
            fix="add --refresh; if that does not help, get the credential anew",
        )
    if said.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
        return _scope(said, source, target)
    if said.reason == "SERVICE_DISABLED":
        project = said.details.get("consumer", "").removeprefix("projects/") or "PROJECT"
        return Denied(
            "the IAM Credentials API is not enabled",
            why=said.text,
            fix=f"gcloud services enable iamcredentials.{source.universe} --project={project}",
        )
    if said.status == 403:
        return _role(said, ask, source, base, transport)
    if said.status == 404:
        from_file = target in source.impersonate
        kind = BadCredentials if from_file else UsageError
        fix = "correct service_account_impersonation_url" if from_file else "correct --impersonate and --delegate"
        if from_file and source.name == "gcloud":
            fix = "gcloud config set auth/impersonate_service_account SERVICE_ACCOUNT"
        return kind(f"there is no service account {_gone(said, ask)}", why=said.words, fix=fix)
    if said.status == 400:
        return _invalid(said, ask, target)
    return Unreachable(f"{said.host} refused in a way that is not understood", why=said.words, fix="try again with -vv")


def _gone(said: Said, ask: "Ask") -> str:
    return next((name for name in ask.impersonate if name in said.text), ask.impersonate[-1])


def _invalid(said: Said, ask: "Ask", target: str) -> Error:
    if "lifetime" in said.text.lower() and ask.lifetime:
        return UsageError(
            f"a token of {target} may not live for {ask.lifetime} s",
            why=said.text,
            fix="give --lifetime 1h, or have the account added to the organisation policy "
            "constraints/iam.allowServiceAccountCredentialLifetimeExtension",
        )
    what = "--audience" if ask.kind == "id" else "--scope"
    return UsageError(f"IAM Credentials does not accept the question for {target}", why=said.words, fix=f"check {what}")


def _scope(said: Said, source: "Source", target: str) -> Error:
    why = f"impersonation needs the scope cloud-platform, and the token of {source.where} lacks it; {said.words}"
    message = f"this token may not be used to act as {target}"
    if source.person:
        fix = source.sign_in or f"gcloud auth application-default login --scopes={_CLOUD}"
        return LoginRequired(message, why=why, fix=fix)
    fix = "use a credential with the scope cloud-platform"
    if source.kind == "metadata":
        fix = "gcloud compute instances set-service-account INSTANCE --scopes=cloud-platform (the instance stopped)"
    return Denied(message, why=why, fix=fix)


def _role(said: Said, ask: "Ask", source: "Source", base: "Token | None", transport: "Transport") -> Error:
    """403: a role is missing on one of the links."""
    if source.kind == "external_account":
        return _federated_role(said, ask, source, transport)
    caller = _caller(source, base, transport)
    links = list(zip((caller, *ask.impersonate), ask.impersonate, strict=False))
    role = _OPENID if said.details.get("permission", "").endswith("getOpenIdToken") or ask.kind == "id" else _CREATOR
    lines = [_grant(actor, name, role if name == ask.impersonate[-1] else _CREATOR) for actor, name in links]
    purpose = "get ID tokens of" if ask.kind == "id" else "act as"
    who = caller or "YOUR_EMAIL"
    if len(lines) == 1:
        return Denied(
            f"{who} may not {purpose} {ask.impersonate[-1]}",
            why=f"it lacks {role} on that account, or there is no such account; {said.words}",
            fix=lines[0],
        )
    chain = " -> ".join((who, *ask.impersonate))
    return Denied(
        f"a link is missing in the chain {chain}",
        why=f"each needs the role on the next one, and the answer does not say which lacks it; {said.words}",
        fix="whichever is missing:\n       " + "\n       ".join(lines),
    )


def _federated_role(said: Said, ask: "Ask", source: "Source", transport: "Transport") -> Error:
    """The same for a federated identity, which needs one role on the first account, whatever it is to get there."""
    from gbearer.exchange import federation

    first, target = ask.impersonate[0], ask.impersonate[-1]
    grant = federation.grants(source, first, transport)
    if len(ask.impersonate) == 1:
        purpose = "get ID tokens of" if ask.kind == "id" else "act as"
        return Denied(
            f"this identity may not {purpose} {target}",
            why=f"it lacks {federation.USER} on that account, or there is no such account; {said.words}",
            fix=grant,
        )
    lines = [_grant(actor, name, _CREATOR) for actor, name in zip(ask.impersonate, ask.impersonate[1:], strict=False)]
    return Denied(
        f"a link is missing in the chain {' -> '.join((source.where, *ask.impersonate))}",
        why=f"each needs the role on the next one, and the answer does not say which lacks it; {said.words}",
        fix="whichever is missing:\n       " + "\n       ".join((grant, *lines)),
    )


def _grant(actor: str, target: str, role: str) -> str:
    return f"gcloud iam service-accounts add-iam-policy-binding {target} --member={_member(actor)} --role={role}"


def _member(principal: str) -> str:
    """A principal as an IAM policy spells it."""
    if not principal:
        return "user:YOUR_EMAIL"
    if principal.startswith("principal://"):
        return principal
    account = principal.endswith(".gserviceaccount.com") or "@" not in principal
    return f"{'serviceAccount' if account else 'user'}:{principal}"


def _caller(source: "Source", base: "Token | None", transport: "Transport") -> str:
    """Who asks: the token or the file says so, else Google is asked once, quickly; "" where nobody knows."""
    known = (base.principal if base is not None else "") or source.principal
    if known or base is None:
        return known
    try:
        quick = type(transport)(transport.env, total=_ASK_SECONDS, tries=1)
        if source.introspect is not None:
            return claims.principal(source.introspect(base.value, quick).get("username"))
        if source.universe != endpoints.UNIVERSE:
            return ""  # whose cloud has no such service, and Google's is not told its tokens
        headers = {"Authorization": f"Bearer {base.value}"}
        told = quick.send("POST", endpoints.TOKENINFO, body=b"", headers=headers).json()
    except Error:
        return ""
    return claims.principal(told.get("email")) if isinstance(told, dict) else ""
