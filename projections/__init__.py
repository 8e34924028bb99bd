"""Read models: what happened, arranged for reading."""

from projections import (
    access_token,
    application,
    audit,
    gateway,
    gateway_config,
    invitation,
    organization,
    page,
    plan,
    product,
    review,
    search,
    subscription,
    team,
)
from projections.readmodel import ReadModel

PROJECTIONS: tuple[ReadModel, ...] = (
    access_token,
    application,
    audit,
    gateway,
    gateway_config,
    invitation,
    organization,
    page,
    plan,
    product,
    review,
    search,
    subscription,
    team,
)
