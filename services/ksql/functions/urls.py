"""URLs: their parts, and escaping. A text that is no URL gives NULL."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlsplit

from services.ksql.functions.definitions import scalar

_KIND = "URL"


@scalar("URL_DECODE_PARAM", "STRING -> STRING", category=_KIND)
def url_decode_param(input: str) -> str:  # noqa: A002
    """The text without URL escapes."""
    return unquote_plus(input)


@scalar("URL_ENCODE_PARAM", "STRING -> STRING", category=_KIND)
def url_encode_param(input: str) -> str:  # noqa: A002
    """The text with URL escapes."""
    return quote_plus(input, safe="*-._")


@scalar("URL_EXTRACT_FRAGMENT", "STRING -> STRING", category=_KIND)
def url_extract_fragment(input: str) -> str | None:  # noqa: A002
    """The part after #."""
    return unquote_plus(urlsplit(input).fragment) or None


@scalar("URL_EXTRACT_HOST", "STRING -> STRING", category=_KIND)
def url_extract_host(input: str) -> str | None:  # noqa: A002
    """The host."""
    return urlsplit(input).hostname


@scalar("URL_EXTRACT_PARAMETER", "STRING, STRING -> STRING", category=_KIND)
def url_extract_parameter(input: str, param: str) -> str | None:  # noqa: A002
    """The value of a parameter of the query."""
    return dict(reversed(parse_qsl(urlsplit(input).query, keep_blank_values=True))).get(param)


@scalar("URL_EXTRACT_PATH", "STRING -> STRING", category=_KIND)
def url_extract_path(input: str) -> str:  # noqa: A002
    """The path."""
    return urlsplit(input).path


@scalar("URL_EXTRACT_PORT", "STRING -> INTEGER", category=_KIND)
def url_extract_port(input: str) -> int | None:  # noqa: A002
    """The port, NULL if none is given."""
    return urlsplit(input).port


@scalar("URL_EXTRACT_PROTOCOL", "STRING -> STRING", category=_KIND)
def url_extract_protocol(input: str) -> str | None:  # noqa: A002
    """The scheme."""
    return urlsplit(input).scheme or None


@scalar("URL_EXTRACT_QUERY", "STRING -> STRING", category=_KIND)
def url_extract_query(input: str) -> str | None:  # noqa: A002
    """The part between ? and #."""
    return unquote_plus(urlsplit(input).query) or None
