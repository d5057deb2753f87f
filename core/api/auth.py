"""``/api/auth``: signing in and out, and one's own password."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from core.api.access import ActingParam, DeskParam, TokenParam, origin_of
from core.api.schemas import Credentials, Logout, OwnPassword

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login")
def login(request: Request, desk: DeskParam, body: Credentials) -> dict[str, Any]:
    """A session token for ``Authorization: Bearer <token>``."""
    address = origin_of(request.client.host if request.client else None)
    session = desk.accounts.sign_in(body.username, body.password, address)
    return {
        "token": session.token,
        "expires_at": session.expires_at.isoformat(),
        "role": session.user.role,
    }


@router.post("/logout")
def logout(
    desk: DeskParam, acting: ActingParam, token: TokenParam, body: Logout | None = None
) -> dict[str, Any]:
    """End this session, wherever it is used; with ``everywhere``, all of the account's."""
    if body and body.everywhere:
        acting.end_own_sessions()
    desk.accounts.sign_out(token.credentials if token else None)
    return {"message": f"{acting.user.username} is signed out"}


@router.put("/password")
def change_password(acting: ActingParam, body: OwnPassword) -> dict[str, Any]:
    """Change one's own password; all own sessions end."""
    acting.change_own_password(body.current_password, body.password)
    return {"message": "Password changed; sign in again"}
