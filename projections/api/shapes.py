"""What the API answers, described (JSON Schema 2020-12): from the tables, where a table says it.

A field that is a column is described by the column's comment; a row's `body` may hold more, which
is named beside. Whoever reads the document finds units in every description: amounts are euros, as
text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import msgspec
from fastapi.responses import JSONResponse, Response
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, Table

from projections.api.asking import Parameter
from projections.tables import Exact

Schema = dict[str, Any]
CENTS: Final = "_cents"
HIDDEN: Final = ("stream", "body", "private")
EXAMPLES: Final[dict[str, Any]] = msgspec.json.decode(
    (files("projections.api") / "examples.json").read_bytes()
)


def text(says: str) -> Schema:
    """Words."""
    return {"type": "string", "description": says}


def amount(says: str) -> Schema:
    """An amount of euros, with its two decimals."""
    return {"type": "string", "pattern": r"^-?\d+\.\d\d$", "description": f"{says}, in euros"}


def exact(says: str) -> Schema:
    """A price, a quantity, a rate: as many decimals as it has."""
    return {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": says}


def day(says: str) -> Schema:
    """A civil date."""
    return {"type": "string", "format": "date", "description": says}


def moment(says: str) -> Schema:
    """A moment in UTC."""
    return {"type": "string", "format": "date-time", "description": says}


def whole(says: str) -> Schema:
    """A count."""
    return {"type": "integer", "description": says}


def flag(says: str) -> Schema:
    """Yes or no."""
    return {"type": "boolean", "description": says}


def one_of(says: str, *words: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(words), "description": says}


def maybe(schema: Schema) -> Schema:
    """Or null."""
    if "type" in schema and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    says = schema.get("description")
    either: Schema = {"anyOf": [{k: v for k, v in schema.items() if k != "description"}]}
    either["anyOf"].append({"type": "null"})
    return {**either, "description": says} if says else either


def several(of: Schema, says: str = "") -> Schema:
    """A list."""
    return {"type": "array", "items": of} | ({"description": says} if says else {})


def record(says: str = "", /, **fields: Schema) -> Schema:
    """An object with these fields: all of them, but those that are `optional` or `personal`."""
    told: Schema = {"type": "object", "additionalProperties": False}
    if says:
        told["description"] = says
    marks = ("x-optional", "x-scope")
    required = [name for name, one in fields.items() if not any(mark in one for mark in marks)]
    return {**told, "required": required, "properties": fields}


def optional(schema: Schema) -> Schema:
    """A field that is there only where there is something to say."""
    return {**schema, "x-optional": True}


def personal(schema: Schema) -> Schema:
    """A field told only to callers with the scope `personal`."""
    return {**schema, "x-scope": "personal"}


def anything(says: str) -> Schema:
    """What the engine recorded, in its own words."""
    return {"description": says}


def of_types(*types: Any) -> dict[str, Schema]:
    """Components for values of the engine, as it writes them."""
    template = "#/components/schemas/{name}"
    _, components = msgspec.json.schema_components(types, ref_template=template)
    return dict(components)


def period(says: str) -> Schema:
    """Days from `start` to the day before `end`."""
    return record(says, start=day("The first day"), end=day("The day after the last one"))


def named(name: str) -> Schema:
    """A component of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_table(table: Table, without: Sequence[str] = (), **more: Schema) -> Schema:
    """The rows of a table: its columns, and what is said besides or otherwise."""
    fields = {
        column.name.removesuffix(CENTS): of_column(column)
        for column in table.columns
        if column.name not in HIDDEN
    }
    kept = {name: schema for name, schema in fields.items() if name not in without}
    return record(table.comment or "", **(kept | more))


def of_column(column: Column[Any]) -> Schema:
    """What a column holds, as the API tells it."""
    says = column.comment or ""
    if column.name.endswith(CENTS):
        schema = amount(says.removesuffix(", in cents"))
    elif column.type is Exact:
        schema = exact(says)
    elif isinstance(column.type, BigInteger | Integer):
        schema = whole(says)
    elif isinstance(column.type, Boolean):
        schema = flag(says)
    elif isinstance(column.type, DateTime):
        schema = moment(says)
    elif isinstance(column.type, Date):
        schema = day(says)
    else:
        schema = text(says)
    return maybe(schema) if column.nullable else schema


# How an endpoint is documented

POSITION: Final[Schema] = {
    "description": "The position of the log up to which this answer knows",
    "schema": {"type": "integer"},
}
ETAG: Final[Schema] = {
    "description": "The version of the answer, for If-None-Match",
    "schema": {"type": "string"},
}
IF_NONE_MATCH: Final[Schema] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "Versions known already (ETag): the answer is 304 when it is one of them",
    "schema": {"type": "string"},
}
AT_LEAST: Final[Schema] = {
    "name": "Billing-Position",
    "in": "header",
    "required": False,
    "description": "As the parameter at_least",
    "schema": {"type": "integer", "minimum": 0},
}


JSON: Final = "application/json"


def documented(
    summary: str,
    schema: Schema,
    parameters: Mapping[str, Parameter],
    example: Any = None,
    media_type: str = JSON,
    missing: str = "",
) -> dict[str, Any]:
    """What a route's decorator is told, so that the document shows what it is asked and answers."""
    content: Schema = {"schema": schema}
    if example is not None:
        content["example"] = example
    responses: dict[int | str, dict[str, Any]] = {
        200: {
            "description": summary,
            "headers": {"ETag": ETAG, "Billing-Position": POSITION},
            "content": {media_type: content},
        },
        304: {"description": "It is as it was (If-None-Match)"},
    }
    if missing:
        responses[404] = {
            "description": missing,
            "content": {"application/problem+json": {"schema": named("Problem")}},
        }
    headers = [IF_NONE_MATCH, *([AT_LEAST] if "at_least" in parameters else [])]
    return {
        "summary": summary,
        "response_class": JSONResponse if media_type == JSON else Response,
        "responses": responses,
        "openapi_extra": {
            "parameters": [*(one.documented() for one in parameters.values()), *headers]
        },
    }


def page_of(name: str) -> Schema:
    """A page of rows; `fields` leaves some of theirs out."""
    return record(
        data=several(named(name), "The rows"),
        next=maybe(
            {"type": "string", "description": "Where the next page is; null: there is none"}
        ),
        position=whole("The position of the log up to which this page knows"),
    )


def example_page(name: str) -> Any:
    """A page with one row."""
    row = EXAMPLES.get(name)
    return None if row is None else {"data": [row], "next": None, "position": 1204}
