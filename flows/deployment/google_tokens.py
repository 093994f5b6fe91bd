"""Check who calls: the identity tokens that Google's Pub/Sub puts on what it pushes."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GOOGLE_CERTIFICATES", "GoogleTokens", "Unverifiable"]

log = logging.getLogger(__name__)

GOOGLE_CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
"""Where Google publishes the certificates of the keys that sign identity tokens."""

_ISSUERS = ("accounts.google.com", "https://accounts.google.com")
_KEPT = 3600.0  # seconds; Google's keys change every few days, and overlap
_AGAIN = 60.0  # seconds between two looks for a key that is not among those kept
_PATIENCE = 10.0  # seconds for Google to answer
_SKEW = 30  # seconds by which clocks may differ


class Unverifiable(Exception):
    """Google's certificates cannot be had at the moment, so that nobody can be let in."""


class GoogleTokens:
    """Accept identity tokens of one service account, made for one audience.

    Parameters
    ----------
    audience
        What the token must have been made for: the address that the subscription pushes to.
    account
        Email address of the service account that the subscription pushes as.
    certificates
        Address of the signing keys' certificates.
    """

    def __init__(self, audience: str, account: str, certificates: str = GOOGLE_CERTIFICATES) -> None:
        self._audience, self._account = audience, account
        self._certificates = _Certificates(certificates)

    def refusal(self, token: str) -> str | None:
        """Tell why a token is not accepted.

        Parameters
        ----------
        token
            The token as it was sent, without ``Bearer``.

        Returns
        -------
        str or None
            The reason, which repeats nothing of the token; None if it is accepted.

        Raises
        ------
        Unverifiable
            If Google's certificates cannot be fetched.
        """
        claims = self._claims(token)
        if claims is None:
            return "no valid token of Google's for this address"
        if claims.get("iss") not in _ISSUERS:
            return "a token of another issuer"
        if claims.get("email") != self._account or claims.get("email_verified") is not True:
            return "a token of another account"
        return None

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Read what a token says; None where its signature, audience or time is not right."""
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.oauth2 import id_token

        transport: Any = self._certificates.fetch
        for last in (False, True):
            try:
                return dict(id_token.verify_token(token, transport, self._audience, self._certificates.address, _SKEW))
            except TransportError as error:
                log.error("%s: no certificates: %s", self._certificates.address, type(error).__name__)
                raise Unverifiable from None
            except (GoogleAuthError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                if last or not self._certificates.renew():  # a new key would be among those fetched now
                    break
        return None


class _Certificates:
    """Fetch the certificates once an hour, and at most once a minute for keys that are unknown."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._answer: Any = None
        self._fetched = self._tried = float("-inf")

    def fetch(self, address: str, method: str = "GET", **_: Any) -> Any:
        """Answer as google-auth's transport does, from memory where it was fetched within the hour."""
        with self._lock:
            now = time.monotonic()
            if self._answer is not None and now - self._fetched < _KEPT:
                return self._answer
            if now - self._tried < _PATIENCE:
                raise Unverifiable
            self._tried = now
            answer = _transport()(address, method=method, timeout=_PATIENCE)
            if answer.status == 200:
                self._answer, self._fetched = answer, time.monotonic()
            return answer

    def renew(self) -> bool:
        """Fetch them anew for a key that is not among them; False if they are younger than a minute, or out of reach."""
        from google.auth.exceptions import TransportError

        with self._lock:
            now = time.monotonic()
            if now - max(self._fetched, self._tried) < _AGAIN:
                return False
            self._tried = now
            try:
                answer = _transport()(self.address, method="GET", timeout=_PATIENCE)
            except TransportError:
                return False
            if answer.status != 200:
                return False
            self._answer, self._fetched = answer, time.monotonic()
            return True


def _transport() -> Callable[..., Any]:
    from google.auth.transport.requests import Request

    transport: Callable[..., Any] = Request()
    return transport
