"""Tokens of an OpenID Connect issuer: signed by its keys, for us, not expired.

RS256 and ES256 only, each with keys of its own kind: no token says by itself how it is to be
checked. The issuer's keys are kept for a while; a token signed by a key no one knows makes us look
again, not more often than every `asked_again` seconds, so that an issuer may rotate its keys and a
forger cannot make us flood it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from time import monotonic
from typing import Any, Final, NamedTuple

import httpx
import jwt
import structlog

from projections.api import problems
from projections.api.settings import ROLES, Oidc

KINDS: Final = {"RS256": "RSA", "ES256": "EC"}
LEAST_BITS: Final = 2048
NEEDED: Final = ["exp", "iss", "aud", "sub"]
LONGEST: Final = 16_000  # Characters of a token.
MOST_KEYS: Final = 100_000  # Bytes of a key set.
_log = structlog.get_logger("billing.oidc")


class Identity(NamedTuple):
    """Whom a token vouches for."""

    name: str
    roles: frozenset[str]
    scopes: frozenset[str]
    id: str
    until: float


class Issuer:
    """The issuer whose tokens are taken."""

    def __init__(self, settings: Oidc, client: httpx.AsyncClient | None = None) -> None:
        self._settings = settings
        self._client = client or httpx.AsyncClient(timeout=5, follow_redirects=False)
        self._turn = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")  # When the keys were read, and last asked for.
        self._asked_at = float("-inf")

    async def identity(self, token: str) -> Identity:
        """Whom the token vouches for. Raises a Problem when it vouches for no one."""
        if len(token) > LONGEST or token.count(".") != 2:
            raise problems.unauthenticated("neither a key nor a token was presented")
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"), header.get("alg"))
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=self._settings.leeway,
                options={"require": NEEDED, "enforce_minimum_key_length": True},
            )
        except jwt.PyJWTError as error:
            raise problems.unauthenticated(f"the token is not taken: {_told(error)}") from None
        return self._identity(claims)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        asked = self._settings
        said = _values(_claim(claims, asked.roles_claim))
        roles = {asked.roles.get(value, "") if asked.roles else value for value in said}
        name = _claim(claims, asked.name_claim)
        if not isinstance(name, str) or not name.strip():
            raise problems.unauthenticated(f"the token has no {asked.name_claim}")
        who = sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()[:12]
        return Identity(
            name.strip()[:200],
            frozenset(roles) & frozenset(ROLES),
            frozenset(_values(_claim(claims, asked.scope_claim))),
            f"token {who}",
            float(claims["exp"]) + asked.leeway,
        )

    async def _key(self, id: Any, algorithm: Any) -> jwt.PyJWK:
        """The issuer's key of that id, of the kind the algorithm takes."""
        if algorithm not in KINDS:
            raise jwt.InvalidAlgorithmError(f"signed by {str(algorithm)[:20]!r}; {_ALGORITHMS}")
        if not isinstance(id, str):
            raise jwt.InvalidTokenError("it names no key (kid)")
        if id not in self._keys or monotonic() > self._read_at + self._settings.keys_for:
            async with self._turn:
                # Someone may have asked while we waited for our turn.
                stale = monotonic() > self._read_at + self._settings.keys_for
                may_ask = monotonic() > self._asked_at + self._settings.asked_again
                if (id not in self._keys or stale) and may_ask:
                    await self._read_keys()
        key = self._keys.get(id)
        if key is None and not self._keys:
            raise problems.unavailable(
                "issuer", "The issuer does not answer", "its keys cannot be read; ask again"
            )
        if key is None:
            raise jwt.InvalidTokenError("its key is not one of the issuer's")
        if key.algorithm_name != algorithm:
            raise jwt.InvalidAlgorithmError(f"its key is not for {algorithm}")
        return key

    async def _read_keys(self) -> None:
        """Reads the issuer's keys; those known stay when it does not answer."""
        self._asked_at = monotonic()
        try:
            where = self._settings.jwks or await self._discovered()
            found = await self._json(where)
            keys = dict(_usable(found.get("keys", ())))
        except (httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
            _log.warning("keys of the issuer not read", error=f"{type(error).__name__}: {error}")
            return
        self._keys, self._read_at = keys, monotonic()

    async def _discovered(self) -> str:
        """Where the issuer says its keys are."""
        issuer = self._settings.issuer
        found = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise ValueError(f"the document found at {issuer} is another issuer's")
        where: str = found.get("jwks_uri", "")
        # Refuses an address that is not secure, as the settings do.
        return Oidc(issuer, self._settings.audience, jwks=where).jwks

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._client.get(url, headers={"Accept": "application/json"})
        answer.raise_for_status()
        if len(answer.content) > MOST_KEYS:
            raise ValueError(f"{url} answers more than {MOST_KEYS} bytes")
        found: dict[str, Any] = answer.json()
        return found

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.aclose()


_ALGORITHMS = f"{' or '.join(KINDS)} was expected"


def _usable(keys: Iterable[dict[str, Any]]) -> Iterable[tuple[str, jwt.PyJWK]]:
    """The keys that sign as we accept it, by id."""
    for one in keys:
        kind = {"RSA": "RS256", "EC": "ES256"}.get(one.get("kty", ""))
        if kind is None or one.get("use", "sig") != "sig" or one.get("alg", kind) != kind:
            continue
        if kind == "ES256" and one.get("crv") != "P-256":
            continue
        try:
            key = jwt.PyJWK(one, kind)
        except (jwt.PyJWTError, ValueError):
            continue
        if isinstance(one.get("kid"), str) and (kind == "ES256" or key.key.key_size >= LEAST_BITS):
            yield one["kid"], key


def _claim(claims: dict[str, Any], path: str) -> Any:
    """A claim, by its name or by a path such as realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _values(said: Any) -> list[str]:
    """One value, several in a list, or several with spaces between them."""
    if isinstance(said, str):
        return said.split()
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []


def _told(error: jwt.PyJWTError) -> str:
    told = str(error).rstrip(".")
    return told[:1].lower() + told[1:] if told else type(error).__name__
