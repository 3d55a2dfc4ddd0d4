"""The errors that the services answer with (contracts of the queue, 0.4)."""

from __future__ import annotations

from collections.abc import Mapping

from tcworker.interfaces import JSON

STATUSES: Mapping[str, int] = {
    "MalformedPayload": 400,
    "InvalidRequestArguments": 400,
    "InputValidationError": 400,
    "InputError": 400,
    "AuthenticationFailed": 401,
    "InsufficientScopes": 403,
    "ResourceNotFound": 404,
    "RequestConflict": 409,
    "ResourceExpired": 410,
    "InternalServerError": 500,
    "NoMatchingMethod": 406,
    "NoMatchingBackend": 400,
    "ProviderSetupFailed": 503,
}


class ApiError(Exception):
    """A call that is refused.

    @ivar code: a key of L{STATUSES}.
    @ivar message: for the people who called.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """Of the HTTP answer."""
        return STATUSES[self.code]

    def body(self, method: str, params: Mapping[str, str], payload: JSON, time: str) -> JSON:
        """Give the three keys of the answer; C{method} is the call's name, C{time} the date as text."""
        epilogue = (
            f"* method:     {method}\n* errorCode:  {self.code}\n* statusCode: {self.status}\n* time:       {time}"
        )
        return {
            "code": self.code,
            "message": f"{self.message}\n\n---\n\n{epilogue}",
            "requestInfo": {"method": method, "params": dict(params), "payload": payload, "time": time},
        }


def not_found(message: str) -> ApiError:
    """What was asked for is not there."""
    return ApiError("ResourceNotFound", message)


def conflict(message: str) -> ApiError:
    """The state of things does not allow it."""
    return ApiError("RequestConflict", message)


def bad_input(message: str) -> ApiError:
    """Its values make no sense together, though each fits its schema."""
    return ApiError("InputError", message)
