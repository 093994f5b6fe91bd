"""Google's identity tokens at the bridge, over HTTP, with keys and certificates that are made here."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from flows.deployment import Bridge, GoogleTokens, google_tokens
from tests.flows.deployment.test_bridge import TOKEN, _gcs, started
from tests.flows.deployment.test_bridge import server as server

AUDIENCE, ACCOUNT = "https://bridge.example.org/", "chrombpnet-push@p.iam.gserviceaccount.com"


class _Key:
    """A key as Google has them: it signs, and its certificate is published under its name."""

    def __init__(self, name: str) -> None:
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(1))
            .not_valid_after(now + datetime.timedelta(1))
            .sign(key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        self._signer = crypt.RSASigner.from_string(private, key_id=name)

    def token(self, **changed: Any) -> str:
        """A token as Pub/Sub sends it, with some of its claims changed; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "azp": "117",
            "sub": "117",
            "email": ACCOUNT,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        } | changed
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(self._signer, given).decode()


KEY, NEXT, FOREIGN = _Key("a"), _Key("b"), _Key("a")


class _Google:
    """Publishes certificates on this machine, and counts how often it is asked."""

    def __init__(self) -> None:
        self.published, self.asked, self.status = {"a": KEY.certificate}, 0, 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                body = json.dumps(outer.published).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.service.server_address[1]}/certs"
        threading.Thread(target=self.service.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def google() -> Iterator[_Google]:
    found = _Google()
    yield found
    found.service.shutdown()
    found.service.server_close()


@pytest.fixture
def place(server, google, capsys) -> Iterator[tuple[str, int]]:
    """A bridge that lets in the account alone."""
    with httpx.Client(base_url=server.url) as client:
        bridge = Bridge(client, "gs://lab/datasets", google=GoogleTokens(AUDIENCE, ACCOUNT, google.address))
        yield started(capsys, bridge)


def _push(place: tuple[str, int], token: str, name: str = "datasets/a.yaml") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*place, timeout=10)
    connection.request("POST", "/", _gcs(name), {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    told = answer.status, answer.read().decode().strip()
    connection.close()
    return told


def test_the_account_is_heard_and_the_certificates_fetched_once(place, server, google):
    for name in ("datasets/a.yaml", "datasets/b.yaml", "datasets/b.yaml"):
        assert _push(place, KEY.token(), name)[0] == 200
    assert _push(place, KEY.token(iss="accounts.google.com"), "datasets/c.yaml")[0] == 200
    assert len(server.events) == 3
    assert google.asked == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"aud": "https://other.example.org/"}, "for this address"),
        ({"aud": None}, "for this address"),
        ({"iss": "https://accounts.example.org"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"email": "someone@p.iam.gserviceaccount.com"}, "another account"),
        ({"email": None}, "another account"),
        ({"email_verified": False}, "another account"),
        ({"email_verified": "true"}, "another account"),
        ({"email_verified": None}, "another account"),
        ({"iat": int(1e9), "exp": int(1e9) + 3600}, "for this address"),
        ({"iat": int(3e9), "exp": int(3e9) + 3600}, "for this address"),
        ({"exp": None}, "for this address"),
        ({"iat": None}, "for this address"),
        ({"exp": "never"}, "for this address"),
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_refused(changed, told, place, server):
    status, words = _push(place, KEY.token(**changed))
    assert (status, told in words) == (403, True), words
    assert server.events == []


def _part(content: dict[str, Any] | bytes) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forged() -> dict[str, str]:
    """What attackers try: other keys, no key, the public key as secret, damaged and endless tokens."""
    head, claims, signature = KEY.token().split(".")
    public = KEY.certificate.encode()
    secret = f"{_part({'alg': 'HS256', 'kid': 'a', 'typ': 'JWT'})}.{claims}"
    other = base64.urlsafe_b64decode(claims + "==").replace(b"chrombpnet-push", b"chrombpnet-evil")
    return {
        "another key of that name": FOREIGN.token(),
        "a key that is not published": NEXT.token(),
        "no algorithm": f"{_part({'alg': 'none', 'kid': 'a'})}.{claims}.",
        "the certificate as a secret": f"{secret}.{_part(hmac.digest(public, secret.encode(), hashlib.sha256))}",
        "no key": f"{_part({'alg': 'RS256'})}.{claims}.{_part(b'0' * 256)}",
        "key of odd type": f"{_part({'alg': 'RS256', 'kid': ['a']})}.{claims}.{signature}",
        "algorithm of odd type": f"{_part({'alg': {}, 'kid': 'a'})}.{claims}.{signature}",
        "elliptic": f"{_part({'alg': 'ES256', 'kid': 'a'})}.{claims}.{_part(b'0' * 64)}",
        "changed claims": f"{head}.{_part(other)}.{signature}",
        "no signature": f"{head}.{claims}.",
        "two parts": f"{head}.{claims}",
        "no claims": f"{head}.{_part(b'[]')}.{signature}",
        "deep": f"{_part(b'[' * 5000)}.{claims}.{signature}",
        "words": "a.b.c",
        "latin": "\xe4.\xf6.\xfc",
        "the other kind of token": TOKEN,
    }


@pytest.mark.parametrize("kind", _forged())
def test_a_forged_token_is_refused(kind, place, server, google):
    for _ in range(3):
        assert _push(place, _forged()[kind])[0] == 403
    assert server.events == []
    assert google.asked <= 1, "nobody makes it ask Google again and again"
    assert _push(place, KEY.token())[0] == 200


def test_a_new_key_is_looked_for_once_a_minute(place, google, monkeypatch):
    assert _push(place, KEY.token())[0] == 200
    google.published = {"b": NEXT.certificate}
    assert _push(place, NEXT.token())[0] == 403
    monkeypatch.setattr(google_tokens, "_AGAIN", 0.0)
    assert _push(place, NEXT.token())[0] == 200
    assert _push(place, KEY.token())[0] == 403
    google.status = 500
    assert _push(place, FOREIGN.token())[0] == 403
    assert _push(place, NEXT.token())[0] == 200, "those that are there stay good while Google does not answer"


def test_without_certificates_nobody_is_let_in_and_the_notification_is_kept(place, server, google, monkeypatch):
    google.status = 500
    assert _push(place, KEY.token())[0] == 503
    google.status = 200
    assert _push(place, KEY.token())[0] == 503, "it is not asked at every call"
    assert google.asked == 1
    assert server.events == []
    monkeypatch.setattr(google_tokens, "_PATIENCE", 1.0)
    time.sleep(1.1)
    assert _push(place, KEY.token())[0] == 200


def test_a_secret_does_beside_googles_tokens(server, google, capsys):
    with httpx.Client(base_url=server.url) as client:
        bridge = Bridge(client, "gs://lab/datasets", TOKEN, GoogleTokens(AUDIENCE, ACCOUNT, google.address))
        place = started(capsys, bridge)
        assert _push(place, TOKEN)[0] == 200
        assert google.asked == 0
        assert _push(place, KEY.token())[0] == 200
        assert _push(place, TOKEN + "!")[0] == 403
