"""Who is asking: what every route but login, health and signed webhooks depends on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from core.acting import Acting
from core.desk import Desk

_bearer = HTTPBearer(
    auto_error=False, description="The token of POST /api/auth/login, or a service token"
)


def desk_of(request: Request) -> Desk:
    """The desk that the application was made for."""
    desk: Desk = request.app.state.desk
    return desk


DeskParam = Annotated[Desk, Depends(desk_of)]
TokenParam = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def acting(request: Request, desk: DeskParam, token: TokenParam) -> Acting:
    """The desk, as far as whoever is asking may use it. Raises NotSignedIn."""
    user = desk.accounts.user_of(token.credentials if token else None)
    return Acting(desk, user, origin_of(request.client.host if request.client else None))


def origin_of(host: str | None) -> str:
    """The address somebody comes from, as the audit log names it."""
    return (host or "unknown").removeprefix("::ffff:")


ActingParam = Annotated[Acting, Depends(acting)]
