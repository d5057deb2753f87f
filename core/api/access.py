"""Who is asking: what every route but login and health depends on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from core.desk import Desk
from core.security.accounts import Role, User

_bearer = HTTPBearer(auto_error=False, description="The token of POST /api/auth/login")


def desk_of(request: Request) -> Desk:
    """The desk that the application was made for."""
    desk: Desk = request.app.state.desk
    return desk


DeskParam = Annotated[Desk, Depends(desk_of)]
TokenParam = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def viewer(desk: DeskParam, token: TokenParam) -> User:
    """The signed-in user. Raises NotSignedIn."""
    return desk.accounts.user_of(token.credentials if token else None)


def operator(user: Annotated[User, Depends(viewer)]) -> User:
    """A signed-in user who may change links and start syncs. Raises NotSignedIn, NotAllowed."""
    user.require(Role.OPERATOR)
    return user


def admin(user: Annotated[User, Depends(viewer)]) -> User:
    """A signed-in user who may change settings. Raises NotSignedIn, NotAllowed."""
    user.require(Role.ADMIN)
    return user


Viewer = Annotated[User, Depends(viewer)]
Operator = Annotated[User, Depends(operator)]
Admin = Annotated[User, Depends(admin)]
