"""``/api/auth``: signing in and out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import DeskParam, TokenParam, Viewer
from core.api.schemas import Credentials

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login")
def login(desk: DeskParam, body: Credentials) -> dict[str, Any]:
    """A session token for ``Authorization: Bearer <token>``."""
    session = desk.accounts.sign_in(body.username, body.password)
    return {
        "token": session.token,
        "expires_at": session.expires_at.isoformat(),
        "role": session.user.role.value,
    }


@router.post("/logout")
def logout(desk: DeskParam, user: Viewer, token: TokenParam) -> dict[str, Any]:
    """End this session."""
    desk.accounts.sign_out(token.credentials if token else None)
    return {"message": f"{user.username} is signed out"}
