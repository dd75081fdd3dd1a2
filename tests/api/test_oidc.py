"""Tokens of an issuer: whom they let in, and those forged, stale or meant for others."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from projections.api.settings import BadSetting, Oidc
from tests.api.issuing import AUDIENCE, Issuer, issuing, written
from tests.api.serving import Api, Clock, served


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@contextmanager
def taking(issuer: Issuer, sqlite: str, **settings: Any) -> Iterator[Api]:
    """A server that takes its tokens, and looks again each time."""
    oidc = Oidc(**{"issuer": issuer.url, "audience": AUDIENCE, "asked_again": 0.0} | settings)
    clock = Clock()
    clock.now = clock.now.fromtimestamp(time.time(), clock.now.tzinfo)
    with served(sqlite, clock, oidc=oidc, key_for=0, stranger_rate=0) as api:
        yield api


def answered(api: Api, token: str) -> tuple[int, str]:
    """The status, and what is said to someone who is turned away."""
    answer = api.gets("/v1/me", token=token)
    return answer.status_code, answer.json().get("detail", "")


def test_a_token_lets_in_whom_it_names_with_their_roles_and_scopes(
    issuer: Issuer, sqlite: str
) -> None:
    with taking(issuer, sqlite) as api:
        token = issuer.token(roles=["operator", "king"], scope="openid personal")
        told = api.gets("/v1/me", token=token).json()
        assert told == {"name": "u-17", "roles": ["operator", "reader"], "scopes": ["personal"]}
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_elliptic_curves_sign_too(issuer: Issuer, sqlite: str) -> None:
    issuer.makes_key("curve", "EC")
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token("curve"))[0] == 200


def test_roles_and_names_are_where_the_settings_say(issuer: Issuer, sqlite: str) -> None:
    with taking(
        issuer,
        sqlite,
        roles_claim="realm_access.roles",
        roles={"finance-desk": "operator", "finance-head": "approver"},
        name_claim="preferred_username",
    ) as api:
        token = issuer.token(
            realm_access={"roles": ["finance-desk", "admin"]}, preferred_username="anne"
        )
        told = api.gets("/v1/me", token=token).json()
        # `admin` is a word of theirs, which means nothing here.
        assert (told["name"], told["roles"]) == ("anne", ["operator", "reader"])
        assert answered(api, issuer.token())[0] == 401  # No preferred_username.


def test_someone_without_a_role_is_known_and_may_do_nothing(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token(roles=[])) == (403, "this is for the role reader")


def hs256_with_the_public_key(issuer: Issuer) -> str:
    header = {"alg": "HS256", "kid": "first", "typ": "JWT"}
    unsigned = written(header, issuer.claims()).rpartition(".")[0]
    mac = hmac.new(issuer.public_pem(), unsigned.encode(), sha256).digest()
    return written(header, issuer.claims(), mac)


def signed_by_a_stranger(issuer: Issuer) -> str:
    stranger = rsa.generate_private_key(65537, 2048)
    return jwt.encode(issuer.claims(), stranger, "RS256", headers={"kid": "first"})


def changed_after_signing(issuer: Issuer) -> str:
    head, _, signature = issuer.token().split(".")
    claims = issuer.token(roles=["admin"]).split(".")[1]
    return f"{head}.{claims}.{signature}"


def its_own_key_in_the_header(issuer: Issuer) -> str:
    own = rsa.generate_private_key(65537, 2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    headers = {"kid": "theirs", "jwk": jwk, "jku": "http://127.0.0.1:1/keys"}
    return jwt.encode(issuer.claims(), own, "RS256", headers=headers)


def other_algorithm(name: str) -> Callable[[Issuer], str]:
    def made(issuer: Issuer) -> str:
        headers = {"kid": "first"}
        return jwt.encode(issuer.claims(), issuer.keys["first"], name, headers=headers)

    return made


def said(**changed: Any) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token(**changed)


FORGED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "no signature": (
        lambda i: written({"alg": "none", "kid": "first"}, i.claims()),
        "signed by 'none'",
    ),
    "none, oddly written": (
        lambda i: written({"alg": "nOnE", "kid": "first"}, i.claims()),
        "signed by 'nOnE'",
    ),
    "HS256 with the public key": (hs256_with_the_public_key, "signed by 'HS256'"),
    "RS512": (other_algorithm("RS512"), "signed by 'RS512'"),
    "PS256": (other_algorithm("PS256"), "signed by 'PS256'"),
    "another's signature": (signed_by_a_stranger, "signature verification failed"),
    "changed after signing": (changed_after_signing, "signature verification failed"),
    "its own key": (its_own_key_in_the_header, "its key is not one of the issuer's"),
    "ES256 said of an RSA key": (
        lambda i: written({"alg": "ES256", "kid": "first"}, i.claims(), b"x" * 64),
        "its key is not for ES256",
    ),
    "no kid": (
        lambda i: jwt.encode(i.claims(), i.keys["first"], "RS256"),
        "it names no key (kid)",
    ),
    "another issuer": (said(iss="https://evil.example"), "invalid issuer"),
    "no issuer": (said(iss=None), 'token is missing the "iss" claim'),
    "another audience": (said(aud="shop"), "audience doesn't match"),
    "no audience": (said(aud=None), 'token is missing the "aud" claim'),
    "expired": (said(exp=int(time.time()) - 31), "signature has expired"),
    "no expiry": (said(exp=None), 'token is missing the "exp" claim'),
    "not yet valid": (said(nbf=int(time.time()) + 600), "the token is not yet valid"),
    "nobody": (said(sub=None), 'token is missing the "sub" claim'),
    "a name of spaces": (said(sub="  "), "the token has no sub"),
    "rubbish": (lambda i: "a.b.c", "the token is not taken"),
    "huge": (said(pad="x" * 20_000), "neither a key nor a token"),
}


@pytest.mark.parametrize(("forge", "why"), FORGED.values(), ids=FORGED)
def test_a_token_that_is_not_right_lets_nobody_in(
    issuer: Issuer, sqlite: str, forge: Callable[[Issuer], str], why: str
) -> None:
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token())[0] == 200
        status, detail = answered(api, forge(issuer))
        assert status == 401, detail
        assert why in detail


def test_clocks_may_differ_by_half_a_minute(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token(exp=int(time.time()) - 20))[0] == 200


@pytest.mark.parametrize("aud", [[AUDIENCE, "shop"], AUDIENCE])
def test_a_token_may_be_for_others_too(issuer: Issuer, sqlite: str, aud: Any) -> None:
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token(aud=aud))[0] == 200


# The issuer's keys


def test_a_key_the_issuer_took_since_is_found(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite) as api:
        old = issuer.token()
        assert answered(api, old)[0] == 200
        issuer.makes_key("second")
        del issuer.keys["first"]
        assert answered(api, issuer.token("second"))[0] == 200
        assert answered(api, old) == (
            401,
            "the token is not taken: its key is not one of the issuer's",
        )


def test_the_keys_are_asked_for_once_for_many_tokens(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite) as api:
        for rank in range(5):
            assert answered(api, issuer.token(sub=f"u-{rank}"))[0] == 200
        assert issuer.asked.count("/keys") == 1


def test_unknown_keys_do_not_make_us_flood_the_issuer(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite, asked_again=60.0) as api:
        assert answered(api, issuer.token())[0] == 200
        forged = written({"alg": "RS256", "kid": "unknown"}, issuer.claims(), b"x" * 256)
        for _ in range(5):
            assert answered(api, forged)[0] == 401
        assert issuer.asked.count("/keys") == 1


def test_keys_known_serve_on_while_the_issuer_is_away(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite, keys_for=0.0) as api:
        assert answered(api, issuer.token())[0] == 200
        issuer.down = True
        assert answered(api, issuer.token(sub="u-18"))[0] == 200


def test_an_issuer_never_reached_is_not_the_callers_fault(issuer: Issuer, sqlite: str) -> None:
    issuer.down = True
    with taking(issuer, sqlite) as api:
        answer = api.gets("/v1/me", token=issuer.token())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        issuer.down = False
        assert answered(api, issuer.token())[0] == 200


UNUSABLE: dict[str, dict[str, Any]] = {
    "for encryption": {"use": "enc"},
    "for another algorithm": {"alg": "RS512"},
    "of a kind unknown": {"kty": "OKP"},
    "broken": {"n": "!!"},
}


@pytest.mark.parametrize("changed", UNUSABLE.values(), ids=UNUSABLE)
def test_a_key_that_does_not_sign_as_we_take_it_is_passed_over(
    issuer: Issuer, sqlite: str, changed: dict[str, Any]
) -> None:
    issuer.makes_key("odd")
    issuer.more = [one | changed for one in issuer.published()["keys"] if one["kid"] == "odd"]
    token = issuer.token("odd")
    del issuer.keys["odd"]
    with taking(issuer, sqlite) as api:
        assert answered(api, token)[1].endswith("its key is not one of the issuer's")
        assert answered(api, issuer.token())[0] == 200


def test_a_key_too_short_is_passed_over(issuer: Issuer, sqlite: str) -> None:
    issuer.makes_key("short", bits=1024)
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token("short"))[1].endswith("not one of the issuer's")


@pytest.mark.parametrize(
    "lie",
    [{"issuer": "https://evil.example"}, {"jwks_uri": "http://evil.example/keys"}, {"jwks_uri": 7}],
)
def test_a_discovery_document_that_points_elsewhere_is_not_followed(
    issuer: Issuer, sqlite: str, lie: dict[str, Any]
) -> None:
    issuer.discovered = lie
    with taking(issuer, sqlite) as api:
        assert answered(api, issuer.token())[0] == 503


def test_the_keys_may_be_named_without_discovery(issuer: Issuer, sqlite: str) -> None:
    with taking(issuer, sqlite, jwks=f"{issuer.url}/keys") as api:
        assert answered(api, issuer.token())[0] == 200
        assert issuer.asked == ["/keys"]


SETTINGS = {
    "an issuer in the clear": ({"issuer": "http://id.example"}, "oidc_issuer: 'http://id.example'"),
    "no issuer": ({"issuer": ""}, "oidc_issuer: ''"),
    "keys in the clear": ({"jwks": "http://id.example/keys"}, "oidc_jwks"),
    "no audience": ({"audience": ""}, "oidc_audience"),
    "an unknown role": ({"roles": {"boss": "king"}}, "oidc_roles: 'king'"),
}


@pytest.mark.parametrize(("changed", "named"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_would_let_anyone_in_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting) as told:
        Oidc(**{"issuer": "https://id.example", "audience": "billing"} | changed)
    assert named in str(told.value)
