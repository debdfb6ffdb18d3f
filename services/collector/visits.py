"""From what a browser reports to the contract's events: source, device, user, page. Pure.

Nothing that identifies a person is derived: the device comes from a client hint or the user agent and is one of three values; an
anonymous visitor's number is made from the random session id, so it ends with the session.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from services.collector.schemas import VisitorEvent
from shared.events import Device, PageView, Source, UserSession

_UTM: Final = ("utm_source", "utm_medium", "utm_campaign")
_NO_UTM: Final[Mapping[str, str]] = {}
_MAX_FIELDS: Final = 200
#: addresses of pages, without their query, whose parts are known; visits whose number is
_REMEMBERED: Final = 4_096
#: characters kept of a path, a host or a utm value
MAX_TEXT: Final = 256
_TABLETS: Final = ("ipad", "tablet", "kindle", "silk/")
_MOBILES: Final = ("mobile", "iphone", "android")


@dataclass(frozen=True, slots=True)
class Rules:
    """``site_hosts`` are the site's own host names; ``inbox_mediums`` the values of utm_medium that mean a mail."""

    site_hosts: Collection[str]
    inbox_mediums: Collection[str]


class BadUrl(ValueError):
    """The page's address is not an http(s) URL or a path."""


def page_view(event: VisitorEvent, at_ms: int, user_id: int, rules: Rules) -> PageView:
    """The event for topic1. ``at_ms`` is event time in milliseconds since the epoch. Raises BadUrl."""
    address, _, query = event.url.partition("#")[0].partition("?")
    try:
        host, page = _place(address)
        utm = _utm(query) if query else _NO_UTM
    except ValueError as error:
        raise BadUrl(f"url: {error}") from error
    referrer = _host(event.referrer.partition("#")[0].partition("?")[0]) if event.referrer else ""
    external = referrer and referrer != host and referrer not in rules.site_hosts
    if utm.get("utm_medium", "").lower() in rules.inbox_mediums:
        source = Source.INBOX
    elif external:
        source = Source.EXTERNAL
    else:
        source = Source.HOMEPAGE
    return PageView(
        event.session,
        user_id,
        source,
        at_ms,
        page,
        referrer[:MAX_TEXT] if external else None,
        utm.get("utm_source"),
        utm.get("utm_medium"),
        utm.get("utm_campaign"),
    )


@lru_cache(_REMEMBERED)
def _place(address: str) -> tuple[str, str]:
    """Host and normal path of an address without query and fragment. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "") or (not parts.scheme and not parts.path.startswith("/")):
        raise ValueError("an http(s) address, or a path that begins with /")
    return (parts.hostname or "").lower(), normal_path(parts.path)


def _utm(query: str) -> Mapping[str, str]:
    if "utm_" not in query and "%" not in query:
        return _NO_UTM
    return {n: v[:MAX_TEXT] for n, v in parse_qsl(query, max_num_fields=_MAX_FIELDS) if n in _UTM}


def user_session(event: VisitorEvent, at_ms: int, user_id: int, device: Device) -> UserSession:
    """The event for topic2, at the first page view of a session."""
    name = "visitor" if event.user is None or user_id < 0 else f"user-{user_id}"
    return UserSession(event.session, user_id, name, at_ms, device)


def normal_path(path: str) -> str:
    """A page's path in one form: no doubled or final slash, no query, at most 256 characters."""
    return ("/" + "/".join(filter(None, path.split("/"))))[:MAX_TEXT]


@lru_cache(_REMEMBERED)
def anonymous_user(session: str) -> int:
    """A negative number made from the session id, so that distinct visitors can be counted. It means nothing after the session."""
    return -1 - int.from_bytes(blake2b(session.encode(), digest_size=4).digest()) % 2**31


def device_of(headers: Mapping[str, str]) -> Device:
    """From the client hint ``Sec-CH-UA-Mobile`` where there is one, else from the user agent, which is not kept."""
    agent = headers.get("user-agent", "").lower()
    if any(name in agent for name in _TABLETS) or ("android" in agent and "mobile" not in agent):
        return Device.TABLET
    if headers.get("sec-ch-ua-mobile") == "?1" or any(name in agent for name in _MOBILES):
        return Device.MOBILE
    return Device.DESKTOP


def objects_to_tracking(headers: Mapping[str, str]) -> bool:
    """Do Not Track, or Global Privacy Control."""
    return headers.get("dnt") == "1" or headers.get("sec-gpc") == "1"


@lru_cache(_REMEMBERED)
def _host(address: str) -> str:
    """The host of an address without query and fragment; empty if there is none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""
