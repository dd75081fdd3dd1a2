"""Any request at all (schemathesis): no error of ours, and what is answered is what is described.

The requests are made from the API's own description, the right ones and the wrong ones, on a copy
of the demo's database. `API_EXAMPLES=200` makes a night of it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.serving import Api, Clock, served

EXAMPLES = int(os.environ.get("API_EXAMPLES", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STREAMS = {"/v1/events/stream"}  # It does not end; test_feed.py reads it.
EVERYONE = ("admin", "approver", "auditor")
BASE = "http://127.0.0.1:8000"
TODAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_no_request_is_our_fault_and_every_answer_is_as_described(copied: Any):
    with served(f"sqlite:///{copied.database}", Clock(TODAY), embedded=True) as api:
        document = api.gets("/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        token = api.key(*EVERYONE, personal=True)
        faults = {}
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path not in STREAMS:
                faults |= _faults(api, operation, token)
    assert faults == {}


def _faults(api: Api, operation: Any, token: str) -> dict[str, str]:
    """What is wrong with the answers of an operation, by its name; none for nothing."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asks(case: Any) -> None:
        asked = case.as_transport_kwargs(base_url=BASE)
        asked.pop("cookies", None)
        asked["headers"] = {
            **{str(name): str(value) for name, value in (asked["headers"] or {}).items()},
            "Authorization": f"Bearer {token}",
        }
        path = asked.pop("url").removeprefix(BASE)
        answer = api.asks(asked.pop("method"), path, **asked)
        case.validate_response(answer, checks=CHECKS)

    try:
        asks()
    except (Exception, FailureGroup) as error:
        return {f"{operation.method.upper()} {operation.path}": f"{_told(error)}"}
    return {}


def _told(error: BaseException) -> str:
    causes = getattr(error, "exceptions", (error,))
    return "; ".join(f"{one} {getattr(one, 'message', '')}" for one in causes)
