"""What is typed and what the profile says: which of the two counts, option by option, and what contradicts what."""

import json
import os
from pathlib import Path

import pytest

from gbearer import boundary
from gbearer.errors import UsageError
from gbearer.model import Ask
from gbearer.profiles import Chosen
from gbearer.profiles.ask import ask
from gbearer.sources.look import Look

SA, SA2 = "robot@p.iam.gserviceaccount.com", "other@p.iam.gserviceaccount.com"
PROVIDER = "projects/1/locations/global/workloadIdentityPools/pool-1/providers/provider-1"
ROLE = "arn:aws:iam::123456789012:role/deploy"


def made(values: dict[str, str], kind: str = "access", **typed: object) -> Ask:
    named = {key.replace("_", "-"): value for key, value in typed.items()}
    return ask(named, Chosen("/c/config.ini", "one", "--profile", values), Look({"HOME": os.environ["HOME"]}), kind)


def test_every_option_of_a_profile_counts_where_it_is_not_typed() -> None:
    values = {
        "source": "aws", "provider": PROVIDER, "expect-role": ROLE, "aws-token": "jwt", "trust-config": "true",
        "impersonate": SA, "delegate": SA2, "scope": "email, openid", "lifetime": "15m", "min-ttl": "60",
        "quota-project": "p1", "refresh": "no", "no-cache": "yes", "format": "json", "port": "80",
    }  # fmt: skip
    assert made(values) == Ask(
        source="aws", provider=PROVIDER, expect_role=ROLE, aws_token="jwt", trust_config=True, impersonate=(SA2, SA),
        scopes=("https://www.googleapis.com/auth/userinfo.email", "openid"), lifetime=900, min_ttl=60,
        quota_project="p1", no_cache=True,
    )  # fmt: skip
    assert made({"credentials": "/k.json", "subject": "ada@example.com"}) == Ask(
        credentials="/k.json", subject="ada@example.com"
    )
    assert made({"source": "gcloud", "account": "ada@example.com"}) == Ask(source="gcloud", account="ada@example.com")


@pytest.mark.parametrize(
    ("values", "typed", "field", "value"),
    [
        ({"scope": "email"}, {"scope": ["openid"]}, "scopes", ("openid",)),
        ({"lifetime": "15m"}, {"lifetime": "30m"}, "lifetime", 1800),
        ({"quota-project": "a1"}, {"quota_project": "b1"}, "quota_project", "b1"),
        ({"subject": "a@b.example"}, {"subject": "c@d.example"}, "subject", "c@d.example"),
        ({"impersonate": SA, "delegate": SA2}, {"impersonate": SA2}, "impersonate", (SA2,)),
        ({"impersonate": SA, "delegate": SA2}, {"delegate": [SA]}, "impersonate", (SA, SA)),
        ({"min-ttl": "5m"}, {"min_ttl": "1m"}, "min_ttl", 60),
        ({"no-cache": "false"}, {"no_cache": True}, "no_cache", True),
    ],
)  # fmt: skip
def test_a_typed_option_goes_before_the_profile_s(
    values: dict[str, str], typed: dict[str, object], field: str, value: object
) -> None:
    assert getattr(made(values, "access", **typed), field) == value


def test_a_typed_credential_takes_the_place_of_the_profile_s_whole_choice_and_of_its_trust() -> None:
    whole = {"source": "aws", "provider": PROVIDER, "expect-role": ROLE, "aws-token": "jwt", "trust-config": "true"}
    rest = {"impersonate": SA, "scope": "email"}
    kept = Ask(impersonate=(SA,), scopes=("https://www.googleapis.com/auth/userinfo.email",))
    assert made(whole | rest, credentials="/mine.json") == kept.replace(credentials="/mine.json")
    assert made(whole | rest, source="metadata") == kept.replace(source="metadata")
    assert made({"credentials": "/k.json", "trust-config": "true"}, source="gcloud") == Ask(source="gcloud")
    assert made({"source": "gcloud", "account": "a@b.example"}, credentials="/mine.json") == Ask(
        credentials="/mine.json"
    )
    assert made(whole, source="aws") == made(whole), "the same source is no other credential"
    assert not made({"credentials": "/k.json", "trust-config": "yes"}, account="a@b.example").trust_config


def test_a_typed_account_is_looked_up_where_the_profile_has_accounts() -> None:
    assert made({"source": "gcloud", "account": "a@b.example"}, account="c@d.example") == Ask(
        source="gcloud", account="c@d.example"
    )
    assert made({"credentials": "/k.json"}, account="c@d.example") == Ask(account="c@d.example")
    assert made({"source": "aws", "provider": PROVIDER}, account="c@d.example") == Ask(account="c@d.example")


def test_what_is_of_access_tokens_in_a_profile_is_none_of_an_id_token_s() -> None:
    values = {"scope": "email", "lifetime": "15m", "audience": "https://a.example"}
    assert made(values, "id") == Ask("id", audience="https://a.example")
    assert made(values, "id", audience="https://b.example") == Ask("id", audience="https://b.example")
    assert made(values).audience is None
    assert made(values, "header").kind == "id"
    assert made({"scope": "email"}, "header").kind == "access"
    assert made({"scope": "email"}, "jwt", audience="https://b.example") == Ask("jwt", audience="https://b.example")
    with pytest.raises(UsageError, match="an audience, not scopes"):
        made(values, "id", scope=["email"])
    with pytest.raises(UsageError, match="a boundary is for access tokens"):
        made({"bucket": "b-1", "role": "objectViewer"}, "id", audience="https://b.example")


def test_what_contradicts_each_other_is_said_at_once_with_the_profile_that_took_part() -> None:
    with pytest.raises(UsageError) as caught:
        made({"impersonate": SA, "provider": PROVIDER}, lifetime="soon", subject="nobody", role="objectViewer")
    for said in ("--lifetime 'soon'", "'nobody'", "--role needs a bucket", "--provider needs to know"):
        assert said in caught.value.message
    assert "the profile one of /c/config.ini is in force, chosen by --profile" in caught.value.why


RULES = {"accessBoundaryRules": [{"availableResource": "//storage.googleapis.com/projects/_/buckets/b-1",
                                  "availablePermissions": ["inRole:roles/storage.objectViewer"]}]}  # fmt: skip


def test_a_boundary_by_file_by_json_and_by_bucket(own_environment: Path) -> None:
    path = own_environment / "b.json"
    path.write_text(json.dumps(RULES))
    bucket = boundary.for_bucket("b-1", None, "objectViewer")
    look = Look({"HOME": str(own_environment)})
    none = Chosen("")
    assert ask({"boundary": str(path)}, none, look).boundary == bucket
    assert look.files[str(path)] is not None, "the warm path knows that it was looked at"
    assert made({}, boundary="~/b.json").boundary == bucket
    assert made({}, boundary=json.dumps(RULES)).boundary == bucket
    assert made({}, bucket="b-1", role="objectViewer").boundary == bucket
    assert made({}, bucket="b-1", prefix="in/", role="objectViewer").boundary == boundary.for_bucket(
        "b-1", "in/", "objectViewer"
    )
    assert made({"boundary": str(path)}, bucket="b-2", role="objectViewer").boundary == boundary.for_bucket(
        "b-2", None, "objectViewer"
    )
    profile = {"bucket": "b-2", "prefix": "x/", "role": "objectAdmin"}
    assert made(profile, boundary=str(path)).boundary == bucket
    assert made(profile, bucket="b-3").boundary == boundary.for_bucket("b-3", "x/", "objectAdmin"), (
        "as narrow as it was"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"bucket": "b-1"}, "--bucket needs a role"),
        ({"prefix": "x/"}, "--prefix needs a bucket"),
        ({"role": "objectViewer"}, "--role needs a bucket"),
        ({"bucket": "b-1", "role": "objectViewer", "boundary": "{}"}, "contradict each other"),
        ({"prefix": "x/", "boundary": "{}"}, "contradict each other"),
        ({"boundary": "/nowhere.json"}, "no file /nowhere.json"),
        ({"boundary": "/"}, "the boundary / is a directory"),
        ({"boundary": '{"accessBoundaryRules": []}'}, "no credential access boundary"),
        ({"bucket": "B/x", "role": "objectViewer"}, "no name of a bucket"),
    ],
)
def test_what_is_wrong_with_a_boundary(typed: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask(typed, Chosen(""), Look({"HOME": os.environ["HOME"]}))
    assert said in caught.value.message
    assert caught.value.fix


def test_an_account_goes_with_sources_that_have_some() -> None:
    with pytest.raises(UsageError, match="--source metadata has no accounts"):
        made({}, account="ada@example.com", source="metadata")
    with pytest.raises(UsageError, match="--account another"):
        made({}, account="ada@example.com", credentials="/k.json")
