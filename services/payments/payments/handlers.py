"""What payments does when it hears of businesses and clients: it keeps a copy of them."""

from common import directory
from common.inbox import Handlers

HANDLERS: Handlers = directory.HANDLERS
