"""Downscoping: a Google access token becomes one that a credential access boundary limits to some of Cloud Storage."""

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from gbearer.emulator import universe
from gbearer.emulator.answers import Refusal, oauth_refusal
from gbearer.emulator.oauth import Form
from gbearer.emulator.state import Call, State
from gbearer.emulator.storage.roles import ROLES
from gbearer.emulator.sts import condition, options

_RULES = 10
_LONGEST = 2048
_RESOURCE = re.compile(r"//storage\.googleapis\.com/projects/_/buckets/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])\Z")
_ROLE = re.compile(r"inRole:((?:(?:projects|organizations)/[A-Za-z0-9.:_-]+/)?roles/[A-Za-z0-9_.]+)\Z")
_FIELDS = ("availableResource", "availablePermissions", "availabilityCondition")
_CONDITION = ("expression", "title", "description", "location")


class Rule(NamedTuple):
    """One rule: what is allowed in `bucket` where `condition` holds."""

    bucket: str
    permissions: frozenset[str]
    condition: condition.Condition


def token(state: State, call: Call, form: Form, given: options.Options) -> str:
    """The boundary token for the access token in `form`; it ends when that one ends. Raises Refusal."""
    for name in ("audience", "scope", "resource"):
        if form.get(name):
            raise options.refused(f'"{name}"', "it must be absent for a subject token of type access_token.")
    if "accessBoundary" not in given:
        raise oauth_refusal("invalid_request", "Missing required option: accessBoundary")
    text = checked(given["accessBoundary"])
    found = state.issued.find(form["subject_token"].strip())
    source = found.access
    if source is None:
        raise oauth_refusal("invalid_grant", "The subject token is no access token that was issued here.")
    if found.state == "expired":
        raise oauth_refusal("invalid_grant", "The subject token has expired.")
    if not universe.fits(source.universe, call.host):
        raise oauth_refusal("invalid_grant", "The subject token belongs to another universe.")
    if source.boundary:
        raise oauth_refusal("invalid_grant", "The subject token is limited by an access boundary already.")
    call.entry.principal = source.email
    call.entry.details["boundary"] = [rule.bucket for rule in rules(text)]
    return state.issued.for_boundary(source, text)[0]


def checked(value: Any) -> str:
    """The rules of an `accessBoundary` as JSON, once each is understood; Refusal names the one that is not."""
    place = "options.accessBoundary"
    _object(value, ("accessBoundaryRules",), place)
    given = value.get("accessBoundaryRules")
    if not isinstance(given, list) or not 0 < len(given) <= _RULES:
        raise options.refused(f"{place}.accessBoundaryRules", f"between 1 and {_RULES} rules are needed.")
    if len(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) > _LONGEST:
        raise options.refused(place, f"it has more than {_LONGEST} characters.")
    for number, rule in enumerate(given):
        _check(rule, f"{place}.accessBoundaryRules[{number}]")
    return json.dumps(given)


@lru_cache(maxsize=256)
def rules(text: str) -> tuple[Rule, ...]:
    """The rules in what `checked` gave."""
    return tuple(_rule(one) for one in json.loads(text))


def allows(text: str, bucket: str, permission: str, facts: condition.Facts) -> bool:
    """Whether one of the rules in `text` leaves `permission` on what `facts` name in `bucket`."""
    return any(
        rule.bucket == bucket and permission in rule.permissions and rule.condition(facts) for rule in rules(text)
    )


def _rule(given: dict[str, Any]) -> Rule:
    bucket = given["availableResource"].rpartition("/")[2]
    roles = [name.removeprefix("inRole:") for name in given["availablePermissions"]]
    expression = (given.get("availabilityCondition") or {}).get("expression")
    test = condition.compiled(expression) if expression else lambda _: True
    return Rule(bucket, frozenset().union(*(ROLES[role] for role in roles)), test)


def _object(value: object, known: tuple[str, ...], place: str) -> None:
    if not isinstance(value, dict):
        raise options.refused(place, "an object is needed.")
    unknown = sorted(value.keys() - set(known))
    if unknown:
        raise options.refused(place, f"unknown name {unknown[0]!r}.")


def _check(rule: Any, place: str) -> None:
    _object(rule, _FIELDS, place)
    resource = rule.get("availableResource")
    if not isinstance(resource, str) or not _RESOURCE.match(resource):
        form = "//storage.googleapis.com/projects/_/buckets/BUCKET"
        raise options.refused(f"{place}.availableResource", f"the form is {form}, and {resource!r} is not of it.")
    permissions = rule.get("availablePermissions")
    if not isinstance(permissions, list) or not permissions:
        raise options.refused(f"{place}.availablePermissions", "a list of roles is needed.")
    for permission in permissions:
        _check_permission(permission, f"{place}.availablePermissions")
    if rule.get("availabilityCondition") is not None:
        _check_condition(rule["availabilityCondition"], f"{place}.availabilityCondition")


def _check_permission(value: object, place: str) -> None:
    found = _ROLE.match(value) if isinstance(value, str) else None
    if found is None:
        raise options.refused(place, f"the form is inRole:roles/ROLE, and {value!r} is not of it.")
    if not found[1].startswith("roles/"):
        raise options.refused(
            place, f"the custom role {found[1]} is not known to the emulator, which has no custom roles."
        )
    if found[1] not in ROLES:
        raise options.refused(place, f"the role {found[1]} is none of Cloud Storage's: {', '.join(ROLES)}.")


def _check_condition(value: Any, place: str) -> None:
    _object(value, _CONDITION, place)
    if not all(isinstance(one, str) for one in value.values()):
        raise options.refused(place, "every field is text.")
    if not value.get("expression"):
        raise options.refused(place, "an expression is needed.")
    try:
        condition.compiled(value["expression"])
    except ValueError as error:
        raise _bad_expression(place, value["expression"], str(error)) from None


def _bad_expression(place: str, expression: str, problem: str) -> Refusal:
    return options.refused(f"{place}.expression", f"{problem} (in {expression!r}).")
