"""Accounts, service tokens, the audit log, redaction and configuration; for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from core.api.access import ActingParam
from core.api.schemas import (
    AccountRole,
    CompanyName,
    ConfigurationImport,
    ErasureBody,
    NewAccount,
    NewPassword,
    NewToken,
    RedactionBody,
)
from core.api.views import erasure_view, moment

router = APIRouter(tags=["settings"])


@router.get("/accounts")
def list_accounts(acting: ActingParam) -> dict[str, Any]:
    """The company's accounts."""
    accounts = [
        {
            "username": account["_id"],
            "role": account["role"],
            "created_at": account["created_at"].isoformat(),
            "last_sign_in_at": moment(account.get("last_sign_in_at")),
        }
        for account in acting.accounts()
    ]
    return {"accounts": accounts, "total": len(accounts)}


@router.post("/accounts", status_code=201)
def add_account(acting: ActingParam, body: NewAccount) -> dict[str, Any]:
    """Add an account."""
    acting.create_account(body.username, body.password, body.role)
    return {"message": "Account added successfully", "username": body.username, "role": body.role}


@router.put("/accounts/{username}/role")
def set_role(acting: ActingParam, username: str, body: AccountRole) -> dict[str, Any]:
    """Give an account another role."""
    acting.set_role(username, body.role)
    return {"message": "Role changed successfully", "username": username, "role": body.role}


@router.put("/accounts/{username}/password")
def set_password(acting: ActingParam, username: str, body: NewPassword) -> dict[str, Any]:
    """Set an account's password; it is signed out everywhere."""
    acting.set_password(username, body.password)
    return {"message": "Password set successfully", "username": username}


@router.delete("/accounts/{username}")
def delete_account(acting: ActingParam, username: str) -> dict[str, Any]:
    """Delete an account."""
    acting.delete_account(username)
    return {"message": "Account deleted successfully", "username": username}


@router.get("/tokens")
def list_tokens(acting: ActingParam) -> dict[str, Any]:
    """The company's service tokens, without anything to use them by."""
    tokens = [
        {
            **token,
            "created_at": moment(token["created_at"]),
            "expires_at": moment(token["expires_at"]),
            "last_used_at": moment(token["last_used_at"]),
        }
        for token in acting.tokens()
    ]
    return {"tokens": tokens, "total": len(tokens)}


@router.post("/tokens", status_code=201)
def add_token(acting: ActingParam, body: NewToken) -> dict[str, Any]:
    """Make a service token; ``token`` is shown this once."""
    token = acting.create_token(body.name, body.scopes, body.days)
    return {"message": "Token made; it is not shown again", "name": body.name, "token": token}


@router.delete("/tokens/{name}")
def revoke_token(acting: ActingParam, name: str) -> dict[str, Any]:
    """End a service token."""
    acting.revoke_token(name)
    return {"message": "Token revoked successfully", "name": name}


@router.get("/audit")
def audit_log(
    acting: ActingParam,
    who: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Who changed what, newest first; ``next_before`` pages on."""
    found = acting.audit(
        who=who,
        action=action,
        subject=subject,
        before=before.timestamp() if before else None,
        limit=limit,
    )
    entries = [
        {
            "id": entry["_id"],
            "at": moment(entry["at"]),
            "who": entry["who"],
            "origin": entry["origin"],
            "action": entry["action"],
            "subject": entry["subject"],
            "before": entry["before"],
            "after": entry["after"],
        }
        for entry in found
    ]
    return {"entries": entries, "next_before": entries[-1]["at"] if len(found) == limit else None}


@router.post("/erasures", status_code=202)
def erase(acting: ActingParam, body: ErasureBody) -> dict[str, Any]:
    """Erase everything that holds a value, and keep it out of every later sync."""
    return {"erasure_id": acting.erase(body.value)}


@router.get("/erasures")
def list_erasures(acting: ActingParam) -> dict[str, Any]:
    """What was asked to be erased, newest first, with the reports; without the values."""
    return {"erasures": [erasure_view(erasure) for erasure in acting.erasures()]}


@router.get("/erasures/{erasure_id}")
def get_erasure(acting: ActingParam, erasure_id: str) -> dict[str, Any]:
    """One erasure; ``report`` says what was removed once ``state`` is done."""
    return erasure_view(acting.erasure(erasure_id))


@router.get("/redaction")
def get_redaction(acting: ActingParam) -> dict[str, Any]:
    """What the company redacts, by kind of value and by path."""
    policy = acting.reading.policies.of_company(acting.user.company_id)
    return {"kinds": policy.kinds, "rules": [rule.to_document() for rule in policy.rules]}


@router.put("/redaction")
def set_redaction(acting: ActingParam, body: RedactionBody) -> dict[str, Any]:
    """Set what the company redacts; it holds from each link's next sync on."""
    rules = [{"path": rule.path, "action": rule.action.value} for rule in body.rules]
    kinds = {kind.value: action.value for kind, action in body.kinds.items()}
    acting.set_redaction(kinds, rules)
    return {"message": "Redaction rules saved; they hold from each link's next sync on"}


@router.put("/company")
def rename_company(acting: ActingParam, body: CompanyName) -> dict[str, Any]:
    """Give the company another name."""
    acting.rename_company(body.company_name)
    return {"message": "Company renamed successfully", "company_name": body.company_name}


class YamlResponse(PlainTextResponse):
    """A YAML file."""

    media_type = "application/yaml"


_YAML = {"description": "YAML", "content": {"application/yaml": {"schema": {"type": "object"}}}}


@router.get("/configuration", response_class=YamlResponse, responses={200: _YAML})
def export_configuration(acting: ActingParam) -> YamlResponse:
    """Pages, links and redaction rules as YAML, without secrets."""
    return YamlResponse(acting.export_configuration())


@router.post("/configuration")
def import_configuration(acting: ActingParam, body: ConfigurationImport) -> dict[str, Any]:
    """Add and change what the file says; a dry run only tells what it would do."""
    steps = acting.import_configuration(body.text, dry_run=body.dry_run)
    return {
        "dry_run": body.dry_run,
        "steps": [
            {"action": step.action, "subject": step.subject, "detail": step.detail}
            for step in steps
        ],
    }
