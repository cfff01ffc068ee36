"""The JSON Schemas of the contract: the file that applies to a revision, and the problems of an instance.

Each revision is a directory; a later one contains only the files that differ, so a document is the newest file at or
before the requested revision. The schemas branch on ``type`` with ``if`` and ``then`` instead of ``oneOf``, so that an
error has the location of the wrong member: one :class:`SchemaProblem` a member, with its JSON pointer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import jsonschema_rs
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from conformance.contract.revisions import CONTRACTS, DEFAULT, REVISIONS, Contract, schema_dir

#: What others import from here.
__all__ = ["ABSENT", "REVISIONS", "Schema", "SchemaProblem", "Schemas", "pointer", "schema_dir", "schemas_of"]

Schema = dict[str, Any]
ABSENT = "(absent)"  #: The actual value of a member that is missing.
_MAX_ERRORS = 500  #: Limit on array items and errors of an instance, which bounds the time for a hostile body.
_SPECIFIC = ["required", "additionalProperties", "const", "enum", "type"]
_ARTICLE = {"integer": "an ", "object": "an ", "array": "an ", "null": ""}
_WORDS = {"type": "not", "const": "not", "enum": "not one of", "minimum": "less than", "maximum": "more than"}


def _first_items(validator: Any, items: Any, instance: Any, schema: Any) -> Any:
    limited = instance[:_MAX_ERRORS] if isinstance(instance, list) else instance
    return Draft202012Validator.VALIDATORS["items"](validator, items, limited, schema)


_Validator = cast(type[Validator], validators.extend(Draft202012Validator, {"items": _first_items}))  # type: ignore[no-untyped-call]  # The stubs of extend() have no types.


@dataclass(frozen=True)
class SchemaProblem:
    """One invalid member: its JSON pointer (RFC 6901) and the JSON Schema keyword it violates."""

    pointer: str  #: The location of the member, present or missing.
    keyword: str
    message: str  #: A short predicate ("is missing").
    want: object  #: The expected type, values, constant or limit, from the schema.
    got: object  #: The actual value, or ABSENT.


class Schemas:
    """The schemas of a contract (or of its revision), with its event and item types.

    Raises ValueError for an unknown revision.
    """

    def __init__(self, contract: Contract | str = DEFAULT) -> None:
        if isinstance(contract, str):
            if contract not in REVISIONS:
                raise ValueError(f"revision {contract!r} is not one of {', '.join(REVISIONS)}")
            contract = CONTRACTS[contract]
        self.contract = contract
        self.revision = contract.revision
        self._family, self._registry, self._fast_registry = _library(contract.folder.parent, contract.family)
        self._documents = {
            path: schema for one in contract.lineage for path, schema in self._family[one.revision].items()
        }
        self._validators: dict[str, Validator] = {}
        self._fast: dict[str, jsonschema_rs.Draft202012Validator] = {}
        order = {one.type: place for place, one in enumerate(contract.table.events)}
        events = sorted(self._names("events/"), key=lambda name: (order.get(name, len(order)), name))
        self.event_types = tuple(events)  #: In the order of the page (Response chunk object).
        self.item_types = tuple(name for name in self._names("items/") if name != "item")
        #: Those and the other types that an output may contain by its schema.
        self.output_types = (
            *self.item_types,
            *sorted({*self._constants(self.document("items/item.json"))} - {*self.item_types}),
        )
        self.part_types = tuple(name for name in self._names("parts/") if name != "part")
        #: The maximum of max_output_tokens, which also limits a request without it.
        self.most_output_tokens = int(
            self.resolve(self.document("request.json")["properties"]["max_output_tokens"])["maximum"]
        )
        #: The types of the items that ``input`` accepts.
        self.input_types: tuple[str, ...] = tuple(self.document("input/item.json")["properties"]["type"]["enum"])

    def _names(self, folder: str) -> list[str]:
        return sorted(path[len(folder) : -5] for path in self._documents if path.startswith(folder))

    def _constants(self, schema: Schema) -> Iterator[str]:
        """The constants of ``type`` that the branches of a schema, and of those in its ``allOf``, test."""
        for part in self.resolve(schema).get("allOf", ()):
            if "$ref" in part:
                yield from self._constants(part)
            elif constant := part.get("if", {}).get("properties", {}).get("type", {}).get("const"):
                yield constant

    def document(self, path: str) -> Schema:
        """The schema at a path ("events/response.created.json"), a shared object that must not be modified.

        Its references are absolute, so :meth:`resolve` accepts any part of it. Raises LookupError for an unknown path.
        """
        if path not in self._documents:
            raise LookupError(f"revision {self.revision} has no schema {path!r}")
        return self._documents[path]

    def resolve(self, schema: Schema) -> Schema:
        """The schema, or the target of its ``$ref`` with the sibling keywords of the reference merged over it."""
        while "$ref" in schema:
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._registry.resolver().lookup(schema["$ref"]).contents, **siblings}
        return schema

    def validator(self, path: str) -> Validator:
        """The cached validator of the schema at a path. Raises LookupError as :meth:`document`."""
        if path not in self._validators:
            self._validators[path] = _Validator(self.document(path), registry=self._registry)
        return self._validators[path]

    def errors(self, path: str, instance: Any) -> list[SchemaProblem]:
        """The problems of the decoded JSON, one a location, deepest first. Raises LookupError as :meth:`document`."""
        if self._fits(path, instance):
            return []
        errors = islice(self.validator(path).iter_errors(instance), _MAX_ERRORS)
        found = [each for error in errors for each in self._described(error)]
        found.sort(key=lambda each: [*_SPECIFIC, each.keyword].index(each.keyword), reverse=True)
        places = {each.pointer: each for each in found}  # keeps the last, most specific problem of a location
        return sorted(places.values(), key=lambda each: (-each.pointer.count("/"), each.pointer))

    def _fits(self, path: str, instance: Any) -> bool:
        """Whether the instance is valid, found in a hundredth of the time that its errors take; False also where only
        :mod:`jsonschema` decides (NaN, which JSON does not have)."""
        if path not in self._fast:
            schema = self.document(path)
            self._fast[path] = jsonschema_rs.Draft202012Validator(schema, registry=self._fast_registry)
        try:
            return self._fast[path].is_valid(instance)
        except ValueError:  # Deeper than it goes.
            return False

    def _described(self, error: ValidationError) -> Iterator[SchemaProblem]:
        keyword, want, got = str(error.validator), cast(Any, error.validator_value), cast(Any, error.instance)
        members: Schema = cast(Schema, error.schema).get("properties", {})
        if keyword == "required":
            for name in set(want) - set(got):
                member = self.resolve(members[name]) if isinstance(members.get(name), dict) else {}
                expected = next((member[key] for key in ("const", "enum", "type") if key in member), "present")
                yield SchemaProblem(_pointer(error, name), keyword, "is missing", expected, ABSENT)
        elif keyword == "additionalProperties" and want is False:
            for name in set(got) - set(members):
                yield SchemaProblem(_pointer(error, name), keyword, "is not documented", ABSENT, got[name])
        else:
            yield SchemaProblem(_pointer(error), keyword, _message(keyword, want, got), want, got)


@cache
def schemas_of(contract: Contract) -> Schemas:
    """The schemas of a contract (cached)."""
    return Schemas(contract)


@cache
def _library(
    family: Path, revisions: tuple[str, ...]
) -> tuple[dict[str, dict[str, Schema]], Registry[Any], jsonschema_rs.Registry]:
    """Every schema file of a family of revisions by revision and path, and registries of the schemas by ``$id``, for
    :mod:`jsonschema` and for :mod:`jsonschema_rs`."""
    found: dict[str, dict[str, Schema]] = {revision: {} for revision in revisions}
    registry = Registry[Any]()
    for revision, documents in found.items():
        for file in sorted((folder := family / revision).rglob("*.json")):
            read = json.loads(file.read_text(encoding="utf-8"))
            documents[file.relative_to(folder).as_posix()] = schema = _absolute(read, read["$id"])
            registry = registry.with_resource(schema["$id"], DRAFT202012.create_resource(schema))
    all_of_them = [(schema["$id"], schema) for documents in found.values() for schema in documents.values()]
    return found, registry, jsonschema_rs.Registry(all_of_them, draft=jsonschema_rs.Draft202012)


def _absolute(part: Any, base: str) -> Any:
    if isinstance(part, dict):
        return {key: urljoin(base, it) if key == "$ref" else _absolute(it, base) for key, it in part.items()}
    return [_absolute(each, base) for each in part] if isinstance(part, list) else part


def _pointer(error: ValidationError, *more: str) -> str:
    return pointer(*error.absolute_path, *more)


def pointer(*steps: str | int) -> str:
    """The JSON pointer (RFC 6901) of these steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _message(keyword: str, want: Any, got: object) -> str:
    if keyword in ("minLength", "minItems") and not got:
        return "is empty"
    wants = want if isinstance(want, list) else [want]
    types = " or ".join(_ARTICLE.get(name, "a ") + name for name in wants) if keyword == "type" else ""
    expected = types or ", ".join(map(_show, wants))
    return f"is {_show(got)}, {_WORDS.get(keyword, f'which violates {keyword}')} {expected}"


def _show(value: object) -> str:
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    return repr(value[:60] + "..." * (len(value) > 60)) if isinstance(value, str) else json.dumps(value)
