"""What the OpenAPI document says of commands: the schema of each body, an example, the answers.

The schemas are those of the vocabulary (`billing.application.actions`) and of the contract file,
less the fields that stand in the path and those that name files of the server.
"""

from __future__ import annotations

import re
from typing import Any, Final

from billing.application.actions import actions_schema
from billing.forms import contract_schema
from projections.api import vocabulary
from projections.api.positions import HEADER
from projections.api.vocabulary import ROUTES, Route

SHOWN: Final = 1000  # Events told in an answer; the feed has them all.
WAIT: Final = 10.0  # Seconds a long command is waited for, unless said.
JSON: Final = "application/json"
TOML: Final = "application/toml"


def _schema_of(word: str) -> dict[str, Any]:
    """What the body of a command may hold: the action's fields, less those of its path."""
    if word == "sign":
        return _SIGN
    schema = _SCHEMAS[word]
    properties = {name: one for name, one in schema["properties"].items() if name != "do"}
    required = [name for name in schema["required"] if name != "do"]
    left_out = {*re.findall(r"{(\w+)", ROUTES[word].path), *vocabulary.HIDDEN.get(word, ())}
    if "code" in left_out:
        return {"allOf": [properties["party"]], "description": schema["description"]}
    properties = {name: one for name, one in properties.items() if name not in left_out}
    required = [name for name in required if name not in left_out]
    if word in vocabulary.UPLOADS:
        text = {"type": "string", "description": "The text of the file"}
        properties |= {"content": text, "name": {"type": "string", "description": "Its name"}}
        required += [] if word in vocabulary.MAY_LACK_FILE else ["content"]
    return {
        "type": "object",
        "description": schema["description"],
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _placed(schema: Any) -> Any:
    """A schema whose definitions stand among the components of the document."""
    if isinstance(schema, list):
        return [_placed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: re.sub("^#/\\$defs/(.*)$", r"#/components/schemas/\1Input", one)
        if key == "$ref"
        else _placed(one)
        for key, one in schema.items()
    }


_VOCABULARY: Final = actions_schema()
_SCHEMAS: Final = {one["properties"]["do"]["const"]: one for one in _VOCABULARY["oneOf"]}
_SIGN: Final = {key: one for key, one in contract_schema().items() if key[:1] != "$"}
_DEFINITIONS: Final = _VOCABULARY["$defs"] | contract_schema()["$defs"]
_ANSWER: Final = {
    "position": 4711,
    "recorded": 1,
    "events": [
        {
            "position": 4711,
            "topic": "contract.usage_measured",
            "stream": "5f0c6c1e-7c0e-5a57-9d0f-0c7a2f6b7a11",
            "version": 7,
            "recorded_at": "2026-03-02T09:30:00Z",
            "recorded_by": "erp",
            "data": {"meter": "copies", "used": "4120", "included": "3000", "billed": "1120"},
        }
    ],
    "findings": [],
    "changes": [],
}
COMPONENTS: Final[dict[str, Any]] = {
    f"{name}Input": _placed(one) for name, one in sorted(_DEFINITIONS.items())
} | {
    "Recorded": {
        "type": "object",
        "description": "What a command recorded.",
        "required": ["position", "recorded", "events", "findings", "changes"],
        "properties": {
            "position": {
                "type": "integer",
                "description": "Of the last event recorded (or of the log, when nothing was)",
            },
            "recorded": {"type": "integer", "description": "How many events were recorded"},
            "events": {
                "type": "array",
                "description": f"The events, {SHOWN} at most; none of a run's",
                "items": {"$ref": "#/components/schemas/RecordedEvent"},
            },
            "findings": {
                "type": "array",
                "description": "What the legality review has to say of the clauses",
                "items": {"type": "object"},
            },
            "changes": {"type": "array", "items": {"type": "string"}},
            "run": {"type": "object", "description": "The report of a run"},
            "files": {"type": "array", "items": {"type": "object"}},
        },
        "example": _ANSWER,
    },
    "UnderWay": {
        "type": "object",
        "description": "A long command that is not done yet.",
        "required": ["key", "state", "see"],
        "properties": {
            "key": {"type": "string"},
            "state": {"const": "under_way"},
            "see": {"type": "string", "description": "Where to look what becomes of it"},
        },
        "example": {"key": "run-2026-03", "state": "under_way", "see": "/v1/commands/run-2026-03"},
    },
}
_REPLAYED: Final = {
    HEADER: {"description": "The position to read by", "schema": {"type": "integer"}},
    "Idempotency-Replayed": {
        "description": "`true` when it was answered before",
        "schema": {"const": "true"},
    },
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for each command, the same when it is repeated; kept for 48 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "5f0c6c1e-7c0e-4a57-9d0f-0c7a2f6b7a11",
}
_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "description": f"`wait=SECONDS`: how long to wait for a long command, {WAIT:g} unless said",
    "schema": {"type": "string", "pattern": r"^wait=\d{1,2}$"},
}


def documented(word: str, route: Route) -> dict[str, Any]:
    params = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        | {"example": vocabulary.NAMED[name]}
        for name in re.findall(r"{(\w+)", route.path)
    ]
    content = {JSON: {"schema": _placed(_schema_of(word)), "example": route.example}}
    if word == "sign":
        content[TOML] = {"schema": {"type": "string", "description": "A contract file"}}
    return {
        "parameters": [*params, _KEY, *([_PREFER] if route.long else [])],
        "requestBody": {"required": True, "content": content},
    }


def responses(route: Route) -> dict[int | str, dict[str, Any]]:
    def answer(name: str) -> dict[str, Any]:
        return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    found: dict[int | str, dict[str, Any]] = {
        route.status: {
            "description": "Done, and recorded",
            "headers": _REPLAYED,
            "content": answer("Recorded"),
        }
    }
    if route.long:
        found[202] = {"description": "Under way", "content": answer("UnderWay")}
    return found
