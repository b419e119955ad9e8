"""A credential access boundary: which Cloud Storage buckets, which roles and which objects a token is held down to."""

import re

from gbearer.boundary.names import RESOURCE, ROLE, bucket_problem, cel, check_prefix, full_role
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Problem = tuple[str, str]

BOUNDED = "bounded"
"""The word for a token that is held down to a boundary, last in what it says of its source."""
MOST_RULES = 10
LONGEST = 2048
"""Characters that Google takes for a boundary, as JSON in the form in which it is sent."""

_RULES = "accessBoundaryRules"
_OUTER = "accessBoundary"
_FIELDS = ("availableResource", "availablePermissions", "availabilityCondition")
_CONDITION = ("expression", "title", "description")
_SHAPE = '{"accessBoundaryRules": [{"availableResource": ..., "availablePermissions": [...]}]}'
_PERMISSION = re.compile(r"[a-z][A-Za-z0-9]*\.[A-Za-z0-9]+\.[A-Za-z0-9]+")
_TWICE = "\0twice"


def canonical(text: str, where: str) -> str:
    """The boundary in `text` (JSON) as compact JSON: the same for two texts that say the same in the same order.

    `where` names it in errors. Takes what Google's page shows, {"accessBoundary": {"accessBoundaryRules": [...]}}, the
    inner object alone, and the spelling with underscores.
    Raises UsageError naming everything that is wrong, by rule and field, with what to write instead.
    https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
    """
    import json

    problems: list[Problem] = []
    rules = _list_of_rules(_parsed(text, where), problems)
    made = [_rule(rule, f"rule {number}", problems) for number, rule in enumerate(rules, 1)]
    if problems:
        raise UsageError(
            f"{where} is no credential access boundary",
            why="; ".join(why for why, _ in problems),
            fix="; ".join(dict.fromkeys(fix for _, fix in problems)),
        )
    return _compact(json.dumps({_RULES: made}), {_OUTER: {_RULES: made}}, where)


def for_bucket(bucket: str, prefix: str | None, role: str) -> str:
    """The boundary that leaves `role` on one bucket, on the objects alone whose names begin with `prefix` if given.

    A role is named in full (`roles/storage.objectViewer`, or a custom one) or short (`objectViewer`). With a prefix,
    objects can be listed too, but only by that prefix or a longer one. Canonical, as of `canonical`.
    Raises UsageError for a bad name, prefix or role.
    """
    import json

    wrong = bucket_problem(bucket)
    if wrong:
        raise UsageError(f"{bucket[:200]!r} is no name of a bucket", why=wrong[0], fix=f"write --bucket {wrong[1]}")
    rule: dict[str, object] = {
        "availableResource": RESOURCE + bucket,
        "availablePermissions": [f"inRole:{full_role(role)}"],
    }
    if prefix is not None:
        check_prefix(prefix, bucket)
        name = cel(f"projects/_/buckets/{bucket}/objects/{prefix}")
        listed = f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith({cel(prefix)})"
        rule["availabilityCondition"] = {"expression": f"resource.name.startsWith({name}) || {listed}"}
    return _compact(json.dumps({_RULES: [rule]}), {_OUTER: {_RULES: [rule]}}, f"the boundary for {bucket}")


def words(text: str) -> list[str]:
    """The rules of a canonical boundary, each on one line: the roles, the bucket, and the condition."""
    import json

    lines = []
    for rule in json.loads(text)[_OUTER][_RULES]:
        roles = ", ".join(name.removeprefix("inRole:") for name in rule[_FIELDS[1]])
        where = rule.get(_FIELDS[2], {}).get("expression", "")
        lines.append(f"{roles} on {rule[_FIELDS[0]].removeprefix(RESOURCE)}" + (f" where {where}" if where else ""))
    return lines


def _compact(sent: str, whole: "Mapping[str, object]", where: str) -> str:
    import json

    if len(sent) > LONGEST:
        raise UsageError(
            f"{where} is too long for a credential access boundary",
            why=f"it has {len(sent)} characters as JSON, and Google takes {LONGEST}",
            fix="drop titles and descriptions, join conditions, or divide it into several tokens",
        )
    return json.dumps(whole, separators=(",", ":"), sort_keys=True)


def _parsed(text: str, where: str) -> object:
    import json

    def noted(pairs: list[tuple[str, object]]) -> dict[str, object]:
        """An object that remembers a name which it has twice: Google and we could each believe another one."""
        found = dict(pairs)
        names = [name for name, _ in pairs]
        twice = next((name for name in found if names.count(name) > 1), None)
        return found if twice is None else {**found, _TWICE: twice}

    try:
        value: object = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=noted)
    except json.JSONDecodeError as error:
        said = f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
        why = said if text.strip() else "it is empty"
    except RecursionError:
        why = "it is nested too deeply"
    except ValueError:
        why = "it has a number with thousands of digits"
    else:
        return value
    raise UsageError(f"{where} is not JSON", why=why, fix=f"write {_SHAPE}")


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def _object(value: object, known: tuple[str, ...], place: str, problems: "list[Problem]") -> dict[str, object]:
    """`value` with its fields under the names in `known`, in either spelling; what is wrong with it is added."""
    at = f"{place}: " if place else ""
    if not isinstance(value, dict):
        problems.append((f"{at}it is {_kind(value)}, not an object", f"write {_SHAPE}"))
        return {}
    found: dict[str, object] = {}
    if _TWICE in value:
        twice = f"{str(value[_TWICE])[:60]!r}"
        problems.append((f"{at}{twice} is there twice", f"keep one {twice}"))
    spelled = {_snake(name): name for name in known}
    for name, item in value.items():
        if name == _TWICE:
            continue
        field = spelled.get(name, name)
        if field not in known:
            problems.append((f"{at}there is no field {name[:60]!r}", _instead(name, known)))
        elif field in found:
            problems.append((f"{at}{field} is there in two spellings", f"keep one {field}"))
        elif item is not None:
            found[field] = item
    return found


def _instead(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower().replace("_", ""), [field.lower() for field in known], 1)
    field = next((field for field in known if near and field.lower() == near[0]), "")
    return f"write {field}" if field else f"drop {name[:60]!r}; known are {', '.join(known)}"


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _list_of_rules(value: object, problems: "list[Problem]") -> list[object]:
    if isinstance(value, list):
        problems.append(("it is a bare list", f"write {_SHAPE}"))
        return []
    top = _object(value, (_OUTER, _RULES), "", problems)
    if _OUTER in top:
        if _RULES in top:
            problems.append((f"{_RULES} stands beside {_OUTER}", f"move {_RULES} into {_OUTER}"))
        top = _object(top[_OUTER], (_RULES,), _OUTER, problems)
    rules = top.get(_RULES)
    if isinstance(rules, list) and 0 < len(rules) <= MOST_RULES:
        return rules
    if problems:
        return []
    if isinstance(rules, list) and rules:
        told = f"it has {len(rules)} rules, and Google takes {MOST_RULES}"
        problems.append((told, "join rules for the same bucket, or divide it into several tokens"))
    else:
        told = f"{_RULES} is {_kind(rules)}, not a list" if rules is not None and rules != [] else "it has no rules"
        problems.append((told, f"write {_SHAPE}"))
    return []


def _rule(value: object, place: str, problems: "list[Problem]") -> dict[str, object]:
    """One rule as it is sent; what is wrong with it is added to `problems`."""
    before = len(problems)
    fields = _object(value, _FIELDS, place, problems)
    if not isinstance(value, dict):
        return {}

    def check(field: str, wrong: "Callable[[object], Problem | None]") -> None:
        problem = wrong(fields[field])
        if problem is not None:
            problems.append((f"{place}: {field} {problem[0]}", f"in {place} write {problem[1]}"))

    for field, wrong in (("availableResource", _resource_problem), ("availablePermissions", _permissions_problem)):
        if field in fields:
            check(field, wrong)
        elif not any(field in why for why, _ in problems[before:]):
            example = f'"{RESOURCE}BUCKET"' if field == _FIELDS[0] else '["inRole:roles/storage.objectViewer"]'
            problems.append((f"{place}: {field} is missing", f'in {place} write "{field}": {example}'))
    made = {field: fields[field] for field in _FIELDS[:2] if field in fields}
    if _FIELDS[2] in fields:
        made[_FIELDS[2]] = _condition(fields[_FIELDS[2]], f"{place}: {_FIELDS[2]}", problems)
    return made


def _resource_problem(value: object) -> "Problem | None":
    if not isinstance(value, str):
        return f"is {_kind(value)}, not text", f"{RESOURCE}BUCKET"
    shown = f"{value[:120]!r}"
    if not value.startswith(RESOURCE):
        found = re.fullmatch(r"(?:gs:|//storage\.googleapis\.com)//?(?:projects/[^/]*/buckets/)?([^/]+)/?", value)
        bucket = found and found[1]
        whole = RESOURCE + (bucket if bucket and not bucket_problem(bucket) else "BUCKET")
        if "projects/" in value and "buckets/" not in value:
            return f"{shown} is a project: only buckets of Cloud Storage can be named", whole
        return f"{shown} is no bucket's full name", whole
    bucket, slash, rest = value.removeprefix(RESOURCE).partition("/")
    if slash:
        name = rest.removeprefix("objects/")
        condition = f"resource.name.startsWith({cel(f'projects/_/buckets/{bucket}/objects/{name}')})"
        return f"{shown} is an object: name the bucket, and the object in a condition", (
            f"{RESOURCE}{bucket} with the condition {condition}"
        )
    wrong = bucket_problem(bucket)
    return (f"{shown} names no bucket: {wrong[0]}", RESOURCE + wrong[1]) if wrong else None


def _permissions_problem(value: object) -> "Problem | None":
    example = "inRole:roles/storage.objectViewer"
    if not isinstance(value, list):
        return f"is {_kind(value)}, not a list", f'["{example}"]'
    if not value:
        return "is empty: nothing would be allowed", f'["{example}"]'
    for item in value:
        if not isinstance(item, str):
            return f"holds {_kind(item)}, not text", f'["{example}"]'
        if item.startswith("inRole:") and ROLE.fullmatch(item.removeprefix("inRole:")):
            continue
        if ROLE.fullmatch(item):
            return f"has {item[:120]!r} without inRole:", f'"inRole:{item}"'
        if _PERMISSION.fullmatch(item):
            return f"has the permission {item[:120]!r}, and takes roles alone", f'a role that has it, as in "{example}"'
        return f"has {item[:120]!r}, which is no role", f'"{example}"'
    return None


def _condition(value: object, place: str, problems: "list[Problem]") -> dict[str, object]:
    where = place.partition(":")[0]
    if isinstance(value, str):
        problems.append((f"{place} is text, not an object", f'in {where} write {{"expression": "..."}}'))
        return {}
    fields = _object(value, _CONDITION, place, problems)
    if not isinstance(value, dict):
        return {}
    for name, item in fields.items():
        if not isinstance(item, str):
            problems.append((f"{place}: {name} is {_kind(item)}, not text", f"in {where} write {name} as text"))
    expression = fields.get("expression", "")
    if isinstance(expression, str) and not expression.strip():
        example = "resource.name.startsWith('projects/_/buckets/BUCKET/objects/PREFIX')"
        problems.append((f"{place} has no expression", f'in {where} write "expression": "{example}"'))
    return {name: fields[name] for name in _CONDITION if fields.get(name)}
