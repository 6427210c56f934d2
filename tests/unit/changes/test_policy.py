import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.changes.approvers import eligible
from slipway.changes.policy import Approvers, Policy
from slipway.changes.policy_document import read_policy
from slipway.errors import ConfigurationError, UserError

from tests.unit.conftest import POLICY, set_policy

POLICY_MODEL = Policy.model_validate(POLICY)


def test_first_matching_rule_decides() -> None:
    assert POLICY_MODEL.requirement("create_service", "Production").approval is None
    assert POLICY_MODEL.requirement("upscale_service", "Test").auto_merge


def test_approval_is_needed_when_no_rule_matches() -> None:
    found = POLICY_MODEL.requirement("delete_service", "Prodution")
    assert found.approval == POLICY_MODEL.default.approval


@pytest.mark.parametrize(
    ("email", "person"),
    [
        ("Me@Acme.Example", "me@acme.example"),
        ("me+x+y@acme.example", "me@acme.example"),
        ("me@ACME.test", "me@acme.example"),
        ("auth0|42", "auth0|42"),
    ],
)
def test_spellings_of_one_address_are_one_identity(email: str, person: str) -> None:
    assert POLICY_MODEL.identity(email) == person


@pytest.mark.parametrize(
    ("email", "address"),
    [
        ("Me@Acme.Example", "me@acme.example"),
        ("me@ACME.test", "me@acme.example"),
        ("me+x@acme.example", "me+x@acme.example"),
        ("ﬀ@acme.example", "ﬀ@acme.example"),
        ("STRAẞE@acme.example", "straẞe@acme.example"),
        ("auth0|42", "auth0|42"),
    ],
)
def test_address_folds_ascii_case_and_listed_domains_only(email: str, address: str) -> None:
    assert POLICY_MODEL.address(email) == address


@given(email=st.emails())
def test_identity_of_an_identity_is_unchanged(email: str) -> None:
    once = POLICY_MODEL.identity(email)
    assert POLICY_MODEL.identity(once) == once


def test_stored_policy_is_read_with_its_version(aws: None) -> None:
    boto3.client("s3").put_bucket_versioning(
        Bucket="records", VersioningConfiguration={"Status": "Enabled"}
    )
    set_policy({**POLICY, "limits": {"upscale_service": {"max": 7}}})

    found = read_policy("records", "policy/policy.json")

    assert found.policy.limits == {"upscale_service": {"max": 7}}
    assert found.version not in {"", "null", "unversioned"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"rulez": []}, "rulez"),
        ({"default": {"approval": None}}, "default must have an approval"),
        ({"default": {"approval": {"emails": ["nobody"]}}}, "emails"),
        ({"default": {"approval": {"expires_after_seconds": 4}}}, "expires_after_seconds"),
        (
            {"default": {"approval": {"expires_after_seconds": 60, "remind_before_seconds": 60}}},
            "remind_before_seconds must be less",
        ),
        ({"repositories": {}}, "repositories"),
    ],
)
def test_invalid_policy_error_names_the_fault_and_the_fix(
    aws: None, change: dict[str, Any], where: str
) -> None:
    set_policy({**POLICY, **change})

    with pytest.raises(ConfigurationError, match="apply the stack again") as refused:
        read_policy("records", "policy/policy.json")

    assert where in str(refused.value)


def test_policy_that_is_not_json_is_a_configuration_error(aws: None) -> None:
    boto3.client("s3").put_object(Bucket="records", Key="policy/policy.json", Body=b"{")
    with pytest.raises(ConfigurationError, match="is not valid"):
        read_policy("records", "policy/policy.json")


def approvers(**changes: Any) -> Approvers:
    return Approvers.model_validate({"emails": ["devops@acme.example"], **changes})


def test_eligible_approvers_are_unique_and_omit_the_requester() -> None:
    people = eligible(
        approvers(teams=["sre"]),
        "dev@acme.example",
        POLICY_MODEL,
        lambda team: ["DevOps@acme.test", "sam@acme.example", "dev+x@acme.example"],
    )
    assert people == ["devops@acme.example", "sam@acme.example"]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"emails": []}, "The policy names no approvers"),
        ({"emails": ["Dev@acme.test"]}, "there are none"),
        ({"count": 2}, "there is 1"),
        ({"emails": [], "teams": ["sre"]}, "names team sre"),
    ],
)
def test_too_few_approvers_are_refused_with_the_reason(named: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        eligible(approvers(**named), "dev@acme.example", POLICY_MODEL, lambda team: [])


def test_policy_survives_a_json_round_trip() -> None:
    text = json.dumps(POLICY_MODEL.model_dump(mode="json"))
    assert Policy.model_validate_json(text) == POLICY_MODEL


@pytest.mark.parametrize(
    ("count", "by_machine", "needed"), [(1, False, 1), (1, True, 2), (3, True, 3)]
)
def test_change_without_a_person_needs_two_approvers(
    count: int, by_machine: bool, needed: int
) -> None:
    policy = Policy.model_validate({**POLICY, "default": {"approval": {"count": count}}})

    assert policy.approvers("any", "any", by_machine=by_machine).count == needed


def rule(environment: str, *emails: str, count: int = 1, **more: Any) -> dict[str, Any]:
    approval = {"emails": list(emails), "count": count} if emails else None
    return {"actions": ["*"], "environments": [environment], "approval": approval, **more}


def test_move_between_environments_needs_both_approvals() -> None:
    rules = [
        rule("Test", auto_merge=True),
        rule("Staging", "lead@acme.example", "devops@acme.example", auto_merge=True),
        rule("Production", "devops@acme.example", "cto@acme.example", count=2),
    ]
    policy = Policy.model_validate({**POLICY, "rules": rules})

    moved = policy.requirement("upscale_service", "Staging", "Production")
    promoted = policy.requirement("upscale_service", "Test", "Production")

    assert moved.approval is not None
    assert (moved.approval.emails, moved.approval.count) == (("devops@acme.example",), 2)
    assert not moved.auto_merge
    assert promoted.approval == policy.requirement("upscale_service", "Production").approval
    assert not promoted.auto_merge


def test_repository_outside_the_map_is_refused() -> None:
    with pytest.raises(UserError, match="'other' is not a repository of this installation"):
        POLICY_MODEL.place("other")
