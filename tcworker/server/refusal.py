"""Why a server does not start, or ends by itself."""

from __future__ import annotations

from tcworker.errors import ProcessStatus


class CannotServe(Exception):
    """It does not serve; the text says what is wrong and what to do.

    @ivar status: for the process to exit with.
    """

    def __init__(self, why: str, status: int = ProcessStatus.UNUSABLE_CONFIG) -> None:
        super().__init__(why)
        self.status = status
