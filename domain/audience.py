"""Audience: who finds a product or a plan in the catalogue."""

from enum import Enum
from uuid import UUID

from domain.aggregate import DomainError

TEAMS = 100


class Visibility(Enum):
    """Who finds it in the catalogue."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"
    TEAMS = "TEAMS"


class AudienceInvalidError(DomainError):
    """With the visibility TEAMS 1 to 100 teams are named, each once; with any other none."""


def audience(visibility: Visibility, team_ids: list[UUID]) -> list[UUID]:
    """Return the named teams. Raises AudienceInvalidError."""
    named = len(team_ids)
    if visibility is not Visibility.TEAMS:
        fits = not named
    else:
        fits = 0 < named <= TEAMS and len(set(team_ids)) == named
    if not fits:
        raise AudienceInvalidError("team_ids")
    return team_ids
