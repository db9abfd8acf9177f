"""The portal on one page: sign-in, and every screen. It holds no money data: figures come from the others' APIs."""

from pathlib import Path

from common.service import Service
from portal.app import make_app
from portal.commands import COMMANDS
from portal.models import PortalModel
from portal.settings import PortalSettings

service = Service(
    name="portal",
    summary="The screens: clients see their balance and pay, staff take payments.",
    blueprints=list,
    handlers={},
    metadata=[PortalModel.metadata],
    migrations=[Path(__file__).parents[1] / "migrations"],
    settings=PortalSettings,
    commands=COMMANDS,
    make_app=make_app,
)
