"""What a person or a script may do: every action with its permission and its audit entry.

The API and every page act through this, so that none of them can forget either. Reading goes
through ``reading``, which asks for the permission to read.
"""

from core.acting.accounts import AccountActions
from core.acting.bot import BotActions
from core.acting.company import CompanyActions
from core.acting.links import LinkActions

__all__ = ["Acting"]


class Acting(LinkActions, BotActions, CompanyActions, AccountActions):
    """All that one user may do at the desk, in so far as they may."""
