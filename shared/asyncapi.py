"""The contract as an AsyncAPI 3 document, made from ``shared/events.py``, and the rule for its changes.

``python -m shared.asyncapi`` writes docs/asyncapi.yaml. It refuses a change that breaks a reader, old or new: records stay in the topics,
and readers are not all replaced at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from shared import topics
from shared.events import DroppedHeaders, PageView, RejectedHeaders, User, UserSession

#: of the contract. A change that breaks readers needs a new major version.
VERSION: Final = "1.0.0"
DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "asyncapi.yaml"
_TYPES: Final[Mapping[str, type]] = {topics.PAGE_VIEW: PageView, topics.USER_SESSION: UserSession, topics.USERS: User}
_KEYS: Final[Mapping[str, dict[str, Any]]] = {
    topics.REJECTED: {"type": "null"},
    topics.PAGE_VIEW: {"type": "string", "description": "session_id in UTF-8"},
    topics.USER_SESSION: {"type": "string", "description": "session_id in UTF-8"},
    topics.USERS: {"type": "integer", "format": "int32", "description": "user_id, 4 bytes, big-endian"},
}
_SENDERS: Final[Mapping[str, str]] = {
    topics.REJECTED: "The collector, for each event that it rejects",
    topics.PAGE_VIEW: "The generator, and the collector for web sites",
    topics.USER_SESSION: "The generator, and the collector for web sites",
    topics.USERS: "Kafka Connect, for each change of the users table",
}
#: what may change without a reader noticing
_WORDS: Final = frozenset({"title", "description", "examples"})


class _Stored(GenerateJsonSchema):
    """A field whose default is None is left out of the record when it has no value, so null is no value of it."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        inner = schema["schema"]
        if schema.get("default", ...) is None and inner["type"] == "nullable":
            return self.generate_inner(inner["schema"])
        return super().default_schema(schema)


def payloads() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each source topic's values, by topic."""
    return {topic: _schema(type_) for topic, type_ in _TYPES.items()}


def document() -> dict[str, Any]:
    """The AsyncAPI document, in JSON types."""
    rejected = {
        "title": "Rejected",
        "type": "string",
        "format": "binary",
        "description": "The event as it was sent, byte by byte",
    }
    values = {topics.REJECTED: rejected} | payloads()
    messages, channels, operations = {}, {}, {}
    for topic, value in values.items():
        name = value["title"]
        messages[name] = {
            "name": name,
            "contentType": "application/octet-stream" if topic == topics.REJECTED else "application/json",
            "payload": value,
            "bindings": {"kafka": {"key": _KEYS[topic]}},
        }
        channels[topic] = {"address": topic, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}
        operations[f"send{name}"] = {
            "action": "send",
            "summary": _SENDERS[topic],
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"}],
        }
    dropped = messages["Rejected"] | {
        "name": "Dropped",
        "payload": rejected | {"title": "Dropped", "description": "The record's value in its topic, byte by byte"},
        "bindings": deepcopy(messages["Rejected"]["bindings"]),  # YAML would refer to it otherwise
        "headers": _schema(DroppedHeaders),
    }
    messages["Rejected"]["headers"] = _schema(RejectedHeaders)
    messages["Dropped"] = dropped
    channels[topics.REJECTED]["messages"]["Dropped"] = {"$ref": "#/components/messages/Dropped"}
    operations["sendDropped"] = {
        "action": "send",
        "summary": "The embedded ksql, for each record that no query can read, as far as it can",
        "channel": {"$ref": f"#/channels/{topics.REJECTED}"},
        "messages": [{"$ref": f"#/channels/{topics.REJECTED}/messages/Dropped"}],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PagePulse",
            "version": VERSION,
            "description": "The source topics of the pipeline. Readers ignore fields that they do not know. Made by "
            "`python -m shared.asyncapi` from shared/events.py.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": {"local": {"host": "127.0.0.1:19092", "protocol": "kafka", "description": "The local stack"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why readers of document ``old`` cannot read records of ``new``, or the other way round; empty if they can.

    A new topic and a new optional field are compatible, and a new message where readers tell messages apart by their headers. Under a new
    major version everything is.
    """
    if old["info"]["version"].split(".")[0] != new["info"]["version"].split(".")[0]:
        return []
    found = []
    before, after = old["components"]["messages"], new["components"]["messages"]
    for name, message in before.items():
        if name not in after:
            found.append(f"{name}: the message is removed")
            continue
        if _facts(message["bindings"]) != _facts(after[name]["bindings"]):
            found.append(f"{name}: the key is changed")
        for part in ("payload", "headers"):
            if part in message:
                found += [f"{name}.{text}" for text in _schema_breaks(message[part], after[name].get(part, {}))]
    for topic, channel in old["channels"].items():
        if topic in new["channels"] and _facts(channel) != _facts(_without_new(new["channels"][topic], channel, after)):
            found.append(f"{topic}: the channel is changed")
        elif topic not in new["channels"]:
            found.append(f"{topic}: the topic is removed")
    return found


def _without_new(channel: Mapping[str, Any], old: Mapping[str, Any], messages: Mapping[str, Any]) -> dict[str, Any]:
    """The channel without the messages that are new and known by their headers."""
    there, before = channel.get("messages", {}), old.get("messages", {})
    kept = {n: ref for n, ref in there.items() if n in before or "headers" not in messages[n]}
    return {**channel, "messages": kept}


def _schema_breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    before, after = old.get("properties", {}), new.get("properties", {})
    required, now = set(old.get("required", ())), set(new.get("required", ()))
    for field, schema in before.items():
        if field not in after:
            found.append(f"{field}: the field is removed")
        elif _facts(schema) != _facts(after[field]):
            found.append(f"{field}: the type is changed")
        elif field in now - required:
            found.append(f"{field}: it was optional and is required; records without it are in the topic")
        elif field in required - now:
            found.append(f"{field}: it was required and is optional; readers rely on it")
    found += [f"{field}: a new field must be optional" for field in sorted(now - before.keys())]
    rest = [{k: v for k, v in schema.items() if k not in ("properties", "required")} for schema in (old, new)]
    if _facts(rest[0]) != _facts(rest[1]):
        found.append("value: the type is changed")
    return found


def _facts(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        # A field may be called "title": such a name is a key of "properties", whose values are mappings.
        return {k: _facts(v) for k, v in schema.items() if k not in _WORDS or isinstance(v, Mapping)}
    return [_facts(item) for item in schema] if isinstance(schema, list) else schema


def _schema(type_: type) -> dict[str, Any]:
    made = TypeAdapter(type_).json_schema(schema_generator=_Stored)
    definitions = made.pop("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, dict):
            name = part.get("$ref", "").rpartition("/")[2]
            return inline({k: v for k, v in definitions[name].items() if k != "title"}) if name else _inlined(part)
        return [inline(item) for item in part] if isinstance(part, list) else part

    def _inlined(part: dict[str, Any]) -> dict[str, Any]:
        # pydantic's titles of fields repeat the field's name
        return {k: inline(v) for k, v in part.items() if k != "title" or isinstance(v, dict)}

    schema: dict[str, Any] = {"title": type_.__name__} | inline(made)
    return schema


def render(made: Mapping[str, Any]) -> str:
    """The YAML text of a document."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 (of the extra `dev`)

    return str(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=120))


def main() -> int:
    """Writes the document. Exit code 1: the change breaks readers, nothing is written."""
    import yaml  # noqa: PLC0415

    made = document()
    if DOCUMENT.exists() and (found := breaks(yaml.safe_load(DOCUMENT.read_text()), made)):
        print("\n".join(found), file=sys.stderr)
        print(
            "This breaks readers. Keep the old fields, or raise the major VERSION in shared/asyncapi.py.",
            file=sys.stderr,
        )
        return 1
    DOCUMENT.write_text(render(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
