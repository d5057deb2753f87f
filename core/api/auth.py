"""``/api/auth``: signing in and out, and one's own password."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import ActingParam, DeskParam, TokenParam
from core.api.schemas import Credentials, OwnPassword

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login")
def login(desk: DeskParam, body: Credentials) -> dict[str, Any]:
    """A session token for ``Authorization: Bearer <token>``."""
    session = desk.accounts.sign_in(body.username, body.password)
    return {
        "token": session.token,
        "expires_at": session.expires_at.isoformat(),
        "role": session.user.role,
    }


@router.post("/logout")
def logout(desk: DeskParam, acting: ActingParam, token: TokenParam) -> dict[str, Any]:
    """End this session."""
    desk.accounts.sign_out(token.credentials if token else None)
    return {"message": f"{acting.user.username} is signed out"}


@router.put("/password")
def change_password(acting: ActingParam, body: OwnPassword) -> dict[str, Any]:
    """Change one's own password; all own sessions end."""
    acting.change_own_password(body.current_password, body.password)
    return {"message": "Password changed; sign in again"}
