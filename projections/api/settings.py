"""What one says of the server before it starts: by environment, or options of `billing serve`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

ROLES: Final = ("reader", "operator", "approver", "auditor", "admin")


class BadSetting(ValueError):
    """A setting that cannot be taken: its name, the value, what was expected."""


@dataclass(frozen=True)
class Oidc:
    """Whose tokens are taken (OpenID Connect), and how they say who someone is.

    `roles` tells which of our roles a value of the claim means; left empty, the values are our
    own names. `jwks` is asked of the issuer's discovery document when it is empty.
    """

    issuer: str
    audience: str
    jwks: str = ""
    roles_claim: str = "roles"
    roles: Mapping[str, str] = field(default_factory=dict)
    name_claim: str = "sub"
    scope_claim: str = "scope"
    leeway: float = 30.0  # Seconds two clocks may differ by.
    keys_for: float = 600.0  # Seconds the issuer's keys are kept.
    asked_again: float = 30.0  # Seconds between two looks for a key no one knows.

    def __post_init__(self) -> None:
        for name in ("issuer", "jwks"):
            url = getattr(self, name)
            parts = urlsplit(url)
            secure = parts.scheme == "https" or (
                parts.scheme == "http" and is_loopback(parts.hostname or "")
            )
            if (url or name == "issuer") and not secure:
                raise BadSetting(f"oidc_{name}: {url!r}; an address in https:// was expected")
        if not self.audience:
            raise BadSetting("oidc_audience: nothing; the audience of our tokens was expected")
        if wrong := sorted(set(self.roles.values()) - set(ROLES)):
            raise BadSetting(f"oidc_roles: {wrong[0]!r}; one of {', '.join(ROLES)} was expected")


@dataclass(frozen=True)
class Settings:
    """The server: its database, its address, who may come in, how much it takes."""

    url: str = "sqlite:///billing.db"
    host: str = "127.0.0.1"
    port: int = 8000
    open_on_loopback: bool = False  # Whoever reaches the loopback address is the one who serves.
    hosts: tuple[str, ...] = ()  # Names the server answers to; any when empty, unless it is open.
    proxies: tuple[str, ...] = ()  # Addresses whose X-Forwarded-* headers are believed.
    tls_certificate: str = ""
    tls_key: str = ""
    oidc: Oidc | None = None
    key_for: float = 5.0  # Seconds a key is believed without looking again: a revocation waits.
    rate: float = 200.0  # Requests a second of one caller; 0: as many as they like.
    burst: float = 400.0
    stranger_rate: float = 10.0  # Of one address, requests that no one vouches for.
    stranger_burst: float = 60.0
    max_body: int = 1_000_000  # Bytes.
    pool: int = 8  # Connections to the database, and threads: a request has one of each.
    max_lag: float = 60.0  # Seconds a projection may be late before the server is not ready.
    stop_within: int = 10  # Seconds given to open requests when the server stops.
    forms: tuple[str, ...] = ()  # Folders of the house's own forms.
    webhook_networks: tuple[str, ...] = ()  # Private networks webhooks may be posted to.
    embedded: bool = True  # The server follows the log itself; else `billing project` does.

    def __post_init__(self) -> None:
        for name, least in (("pool", 1), ("max_body", 1), ("port", 0), ("stop_within", 1)):
            if getattr(self, name) < least:
                raise BadSetting(f"{name}: {getattr(self, name)}; {least} or more was expected")
        for name in ("rate", "burst", "stranger_rate", "stranger_burst", "key_for", "max_lag"):
            if getattr(self, name) < 0:
                raise BadSetting(f"{name}: {getattr(self, name)}; 0 or more was expected")
        if self.open_on_loopback and not is_loopback(self.host):
            raise BadSetting(
                f"host: {self.host!r}; an open server answers at a loopback address only "
                "(127.0.0.1, ::1 or localhost), or else with keys"
            )
        for network in self.webhook_networks:
            try:
                ip_network(network)
            except ValueError:
                raise BadSetting(
                    f"webhook_networks: {network!r}; a network such as 10.1.0.0/16 was expected"
                ) from None
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise BadSetting("tls_certificate, tls_key: one of them; both or neither was expected")

    @property
    def answers_to(self) -> frozenset[str]:
        """The names a request may call the server by; none: any name."""
        if self.open_on_loopback:
            return frozenset({"localhost", "127.0.0.1", "::1", self.host, *self.hosts})
        return frozenset(self.hosts)

    @classmethod
    def read(cls, environment: Mapping[str, str], **given: Any) -> Settings:
        """The settings of the environment (BILLING_API_POOL=8 …), then those given."""
        found: dict[str, Any] = {}
        known = _FROM_TEXT | {f"oidc_{name}": read for name, read in _OIDC_FROM_TEXT.items()}
        for name, read in known.items():
            variable = f"{PREFIX}{name.upper()}"
            if variable in environment:
                try:
                    found[name] = read(environment[variable])
                except ValueError as error:
                    raise BadSetting(f"{variable}: {environment[variable]!r}; {error}") from None
        unknown = sorted(
            key for key in environment if key.startswith(PREFIX) and _bare(key) not in known
        )
        if unknown:
            raise BadSetting(f"{unknown[0]}: there is no such setting")
        oidc = {_bare_oidc(key): found.pop(key) for key in list(found) if key.startswith("oidc_")}
        if oidc:
            missing = [name for name in ("issuer", "audience") if name not in oidc]
            if missing:
                raise BadSetting(f"{PREFIX}OIDC_{missing[0].upper()}: missing; tokens need it")
            found["oidc"] = Oidc(**oidc)
        return cls(**found | {key: value for key, value in given.items() if value is not None})


PREFIX: Final = "BILLING_API_"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _bare(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _bare_oidc(name: str) -> str:
    return name.removeprefix("oidc_")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number was expected") from None


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not 0 <= found < 1e9:
        raise ValueError("a number, 0 or more, was expected")
    return found


def _yes(text: str) -> bool:
    if text.lower() not in ("0", "1", "no", "yes", "false", "true"):
        raise ValueError("yes or no was expected")
    return text.lower() in ("1", "yes", "true")


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in _list(text)]
    if not all(equals and value for _, equals, value in pairs):
        raise ValueError("claim=role,claim=role was expected")
    return {claim.strip(): role.strip() for claim, _, role in pairs}


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "str": str,
    "int": _whole,
    "float": _number,
    "bool": _yes,
    "tuple[str, ...]": _list,
    "Mapping[str, str]": _pairs,
}
_FROM_TEXT: Final = {
    one.name: _READERS[str(one.type)]
    for one in fields(Settings)
    # Options of `billing` itself, and what may be asked for in so many words only.
    if one.name not in ("oidc", "url", "forms", "open_on_loopback")
}
_OIDC_FROM_TEXT: Final = {one.name: _READERS[str(one.type)] for one in fields(Oidc)}
