"""The close codes that ask for more than a new connection, as the reference's table has them."""

from __future__ import annotations

from typing import Final

NOT_AUTHENTICATED: Final = 4001
TOKEN_EXPIRED: Final = 4401
TOKEN_REVOKED: Final = 4403
MEND_CLIENT: Final = frozenset({1003, 1007, 1009, 4003, 4029})
