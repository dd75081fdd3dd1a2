"""An OpenID Connect issuer on this machine: its keys over HTTP, its tokens, and forged ones."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "billing"


class Issuer:
    """Signs tokens with the keys it publishes."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, Any] = {}
        self.more: list[dict[str, Any]] = []  # Published as they are.
        self.asked: list[str] = []  # The paths asked for.
        self.down = False
        self.discovered: dict[str, Any] = {}

    def makes_key(self, id: str, kind: str = "RSA", bits: int = 2048) -> None:
        """A new key, published from now on."""
        made: Any = (
            rsa.generate_private_key(65537, bits)
            if kind == "RSA"
            else ec.generate_private_key(ec.SECP256R1())
        )
        self.keys[id] = made

    def published(self) -> dict[str, Any]:
        """The key set (JWKS)."""
        found = []
        for id, key in self.keys.items():
            form = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            public = json.loads(form.to_jwk(key.public_key()))
            found.append(public | {"kid": id, "use": "sig"})
        return {"keys": [*found, *self.more]}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What a good token says; a claim changed to None is left out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "u-17",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "roles": ["reader"],
        } | changed
        return {name: value for name, value in said.items() if value is not None}

    def token(self, id: str = "first", **changed: Any) -> str:
        """A token signed with one of its keys."""
        key = self.keys[id]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(self.claims(**changed), key, algorithm, headers={"kid": id})

    def public_pem(self, id: str = "first") -> bytes:
        """The public key, as everyone may have it."""
        public: bytes = (
            self.keys[id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        return public


def written(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand, as a forger would."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer with one RSA key, `first`, for the length of the block."""
    issuer = Issuer()
    issuer.makes_key("first")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            answers = {
                "/.well-known/openid-configuration": {
                    "issuer": issuer.url,
                    "jwks_uri": f"{issuer.url}/keys",
                }
                | issuer.discovered,
                "/keys": issuer.published(),
            }
            if issuer.down or self.path not in answers:
                self.send_error(500)
                return
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # Stops at once.
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
