"""Who may ask what: by role, by key, on an open server; refused unless an endpoint says it may."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi import APIRouter
from starlette.responses import Response

from billing.application import Billing
from billing.refusal import Refused
from projections.api import app as apps
from projections.api import keys
from projections.api.access import (
    INCLUDED,
    PUBLIC,
    Admin,
    Approver,
    Auditor,
    Operator,
    Reader,
    operations,
    unguarded,
)
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.settings import ROLES, BadSetting, Settings, is_loopback
from tests.api.serving import NOW, Api, endpoints, served


def doors(**options: object) -> APIRouter:
    """A door for each role, and one that says under what name a command would be recorded."""
    router = APIRouter(prefix="/v1/doors", **options)  # type: ignore[arg-type]

    @router.get("/reader")
    async def for_reader(caller: Reader) -> Response:
        return Response(caller.name)

    @router.get("/operator")
    def for_operator(caller: Operator) -> Response:
        return Response(caller.name)

    @router.get("/approver")
    async def for_approver(caller: Approver) -> Response:
        return Response(caller.name)

    @router.get("/auditor")
    async def for_auditor(caller: Auditor) -> Response:
        return Response(caller.name)

    @router.get("/admin")
    async def for_admin(caller: Admin) -> Response:
        return Response(caller.name)

    @router.post("/acting/{what}")
    def acting(what: str, caller: Operator, desk: AtDesk) -> Response:
        return Response(f"{what} by {desk.acting(caller).user}")

    return router


MATRIX = {
    #           reader operator approver auditor admin
    "reader": (True, False, False, False, False),
    "operator": (True, True, False, False, False),
    "approver": (True, True, True, False, False),
    "auditor": (True, False, False, True, False),
    "admin": (True, False, False, True, True),
    "": (False, False, False, False, False),
}


@pytest.mark.parametrize("route_class", [None, Lean])
@pytest.mark.parametrize(("role", "opened"), MATRIX.items())
def test_a_role_opens_its_own_doors_and_those_of_the_roles_it_includes(
    api: Api, role: str, opened: tuple[bool, ...], route_class: type | None
) -> None:
    api.adds(doors(**{"route_class": route_class} if route_class else {}))
    for door, opens in zip(ROLES, opened, strict=True):
        answer = api.gets(f"/v1/doors/{door}", role=role)
        refused = 403 if role else 401
        assert answer.status_code == (200 if opens else refused), (role, door)
        if opens:
            assert answer.text == role


def test_two_roles_open_the_doors_of_both(api: Api) -> None:
    api.adds(doors())
    token = api.key("auditor", "operator")
    opened = [r for r in ROLES if api.gets(f"/v1/doors/{r}", token=token).status_code == 200]
    assert opened == ["reader", "operator", "auditor"]


def test_every_endpoint_names_a_role_or_is_meant_for_strangers(api: Api) -> None:
    assert unguarded(api.app) == []
    named = {path: one.roles for one in operations(api.app) for path in [one.path]}
    assert {path for path, roles in named.items() if not roles} == PUBLIC


def test_every_endpoint_that_names_a_role_turns_strangers_away(sqlite: str) -> None:
    with served(sqlite, stranger_rate=0) as api:
        guarded = [
            (method, re.sub(r"{\w+}", "x", path))
            for method, path in endpoints(api.app)
            if path not in PUBLIC
        ]
        assert len(guarded) >= 4
        for method, path in guarded:
            answer = api.asks(method, path, client="192.0.2.7")
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_endpoint_turns_away_a_key_without_one_of_its_roles(sqlite: str) -> None:
    with served(sqlite, rate=0) as api:
        tried = 0
        for one in operations(api.app):
            lacking = [
                role
                for role in ROLES
                if one.roles and not any(r in INCLUDED[role] for r in one.roles)
            ]
            for method in one.methods:
                for role in lacking:
                    path = re.sub(r"{\w+}", "x", one.path)
                    answer = api.asks(method, path, role=role, client="192.0.2.7")
                    assert answer.status_code == 403, (method, path, role)
                    tried += 1
        assert tried >= 5


def test_an_endpoint_that_names_no_role_keeps_the_server_from_starting(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "MODULES", ("tests.api.forgotten",))
    billing = Billing({"DATABASE_URL": sqlite})
    with pytest.raises(RuntimeError, match=r"/v1/forgotten: no role is named"):
        apps.create_app(Settings(url=sqlite), billing)
    billing.close()


@pytest.mark.parametrize("route_class", [None, Lean])
def test_a_command_is_recorded_under_the_callers_name(api: Api, route_class: type | None) -> None:
    api.adds(doors(**{"route_class": route_class} if route_class else {}))
    answer = api.asks("POST", "/v1/doors/acting/notice", token=api.key("operator", name="erp"))
    assert answer.text == "notice by erp"
    assert api.billing.user == "tests"


# Keys


def test_a_key_is_shown_once_and_kept_as_a_digest(api_on_both: Api) -> None:
    api = api_on_both
    made = api.key("reader", name="erp")
    (row,) = keys.listed(api.billing.store)
    assert re.fullmatch(r"bk_[0-9a-f]{12}_[\w-]{43}", made)
    assert row.id == made[3:15]
    assert row.digest == keys.digest_of(made)
    assert made[16:] not in repr(row)
    assert api.gets("/v1/me", token=made).json() == {
        "name": "erp",
        "roles": ["reader"],
        "scopes": [],
    }


WRONG_KEYS = {
    "another secret": lambda made: made[:-1] + ("A" if made[-1] != "A" else "B"),
    "another id": lambda made: f"bk_{'0' * 12}_{made[16:]}",
    "no secret": lambda made: made[:16],
    "longer": lambda made: f"{made}x",
    "nothing like a key": lambda made: "letmein",
    "empty": lambda made: " ",
}


@pytest.mark.parametrize("wrong", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_opens_nothing(api: Api, wrong) -> None:  # type: ignore[no-untyped-def]
    answer = api.gets("/v1/me", token=wrong(api.key("reader")))
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:billing:problem:unauthenticated"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "bearer", "Token x", "\xe9t\xe9"])
def test_anything_but_a_bearer_opens_nothing(api: Api, header: str) -> None:
    answer = api.gets("/v1/me", headers={"Authorization": header.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401


def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bEaReR {api.key('reader')}"}
    assert api.gets("/v1/me", headers=headers).status_code == 200


def test_a_key_is_worth_nothing_once_it_has_expired(url: str) -> None:
    end = NOW + timedelta(days=1)
    with served(url, key_for=0) as api:
        store = api.billing.store
        made = keys.add(store, "erp", ["reader"], by="tests", at=NOW, expires_at=end)
        api.clock.now = end - timedelta(seconds=1)
        assert api.gets("/v1/me", token=made).status_code == 200
        api.clock.now = end
        answer = api.gets("/v1/me", token=made)
        assert (answer.status_code, answer.json()["detail"]) == (401, "the key is expired")


def test_a_revoked_key_is_refused_within_the_time_a_key_is_believed(url: str) -> None:
    with served(url, key_for=0) as api:  # Believed for no time: looked up each time.
        made = api.key("reader", name="erp")
        assert api.gets("/v1/me", token=made).status_code == 200
        gone = api.asks("DELETE", f"/v1/keys/{keys.id_of(made)}", token=api.key("admin"))
        assert (gone.json()["state"], gone.json()["revoked_by"]) == ("revoked", "admin")
        answer = api.gets("/v1/me", token=made)
        assert (answer.status_code, answer.json()["detail"]) == (401, "the key is revoked")


def test_a_key_is_believed_for_a_while_without_being_looked_up(sqlite: str) -> None:
    with served(sqlite, key_for=60) as api:
        made = api.key("reader")
        assert api.gets("/v1/me", token=made).status_code == 200
        keys.revoke(api.billing.store, keys.id_of(made), by="tests", at=NOW)
        assert api.gets("/v1/me", token=made).status_code == 200


def test_the_last_use_of_a_key_is_noted_at_most_once_a_minute(url: str) -> None:
    with served(url, key_for=0) as api:
        made = api.key("reader")

        def used() -> list[object]:
            api.gets("/v1/me", token=made)
            api.does(api.app.state.gate.close())  # Waits for what is noted meanwhile.
            return [one.last_used_at for one in keys.listed(api.billing.store)]

        assert used() == [NOW]
        api.clock.now = NOW + timedelta(seconds=59)
        assert used() == [NOW]
        api.clock.now = later = NOW + timedelta(seconds=61)
        assert used() == [later]


BAD_KEYS = {
    "no role": (("erp", []), "roles none: some of reader, operator"),
    "an unknown role": (("erp", ["king"]), "roles king: some of reader, operator"),
    "an unknown scope": (("erp", ["reader"], ["secrets"]), "scope 'secrets': one of personal"),
    "no name": (("", ["reader"]), "name '': 1 to 60 letters"),
    "a line in its name": (("a\nb", ["reader"]), "name 'a\\nb': 1 to 60 letters"),
}


@pytest.mark.parametrize(("asked", "said"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_makes_no_sense_is_not_made(api: Api, asked, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused, match=re.escape(said)):
        keys.add(api.billing.store, *asked, by="tests", at=NOW)
    assert keys.listed(api.billing.store) == []


def test_the_list_of_keys_tells_neither_keys_nor_digests(api: Api) -> None:
    made = api.key("admin", name="boss", personal=True)
    told = api.gets("/v1/keys", token=made)
    (item,) = told.json()["items"]
    # The use that is being made of it is noted beside the answer, before or after.
    assert item.pop("last_used_at") in (None, "2026-03-10T09:00:00Z")
    assert [item] == [
        {
            "id": keys.id_of(made),
            "name": "boss",
            "roles": ["admin"],
            "scopes": ["personal"],
            "state": "valid",
            "created_at": "2026-03-10T09:00:00Z",
            "created_by": "tests",
            "expires_at": None,
            "revoked_at": None,
            "revoked_by": "",
        }
    ]
    assert made not in told.text
    assert keys.digest_of(made) not in told.text


def test_taking_back_a_key_that_is_not_there_says_so(api: Api) -> None:
    answer = api.asks("DELETE", "/v1/keys/nothing", role="admin")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no key nothing")


# The open server


@pytest.fixture
def open_api(sqlite: str):  # type: ignore[no-untyped-def]
    with served(sqlite, open_on_loopback=True) as api:
        api.adds(doors())
        yield api


def test_an_open_server_takes_whoever_asks_for_the_one_who_serves(open_api: Api) -> None:
    told = open_api.gets("/v1/me").json()
    assert told == {"name": "tests", "roles": sorted(ROLES), "scopes": ["personal"]}
    assert open_api.asks("POST", "/v1/doors/acting/usage").text == "usage by tests"


def test_an_open_server_still_refuses_a_wrong_key(open_api: Api) -> None:
    assert open_api.gets("/v1/me", token="bk_000000000000_" + "A" * 43).status_code == 401
    assert open_api.gets("/v1/me", role="reader").json()["roles"] == ["reader"]


HOSTS = {
    "127.0.0.1:8000": 200,
    "localhost": 200,
    "LOCALHOST:9": 200,
    "[::1]:8000": 200,
    "evil.example": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example:8000": 421,
    "": 421,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
def test_an_open_server_answers_to_names_of_this_machine_only(
    open_api: Api, host: str, status: int
) -> None:
    assert open_api.gets("/v1/me", headers={"Host": host}).status_code == status


CROSSING = [
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:9999"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"X-Forwarded-For": "192.0.2.1"}, 403),
    ({"Forwarded": "for=192.0.2.1"}, 403),
    ({"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({}, 200),
]


@pytest.mark.parametrize(("headers", "status"), CROSSING)
def test_a_page_of_another_site_gives_no_command_to_an_open_server(
    open_api: Api, headers: dict[str, str], status: int
) -> None:
    answer = open_api.asks("POST", "/v1/doors/acting/usage", headers=headers)
    assert answer.status_code == status
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_a_server_is_open_on_a_loopback_address_only(host: str) -> None:
    with pytest.raises(BadSetting, match="loopback address only"):
        Settings(host=host, open_on_loopback=True)
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_is_known_however_it_is_written(host: str) -> None:
    assert Settings(host=host, open_on_loopback=True).host == host
