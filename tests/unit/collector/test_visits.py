from __future__ import annotations

import pytest

from services.collector.schemas import VisitorEvent
from services.collector.visits import (
    BadUrl,
    Rules,
    anonymous_user,
    device_of,
    normal_path,
    objects_to_tracking,
    page_view,
    user_session,
)
from shared.events import Device, Source
from shared.json import loads

RULES = Rules(frozenset({"www.shop.example"}), frozenset({"email", "newsletter"}))
AT = 1_760_000_000_000


def event(url: str = "https://shop.example/", referrer: str = "", **more: object) -> VisitorEvent:
    return VisitorEvent.model_validate(
        {"id": "abcdefgh", "session": "session-1", "url": url, "referrer": referrer, **more}
    )


@pytest.mark.parametrize(
    ("url", "referrer", "source"),
    [
        ("https://shop.example/", "", Source.HOMEPAGE),
        ("https://shop.example/a", "https://shop.example/", Source.HOMEPAGE),
        ("https://shop.example/a", "https://www.shop.example/", Source.HOMEPAGE),
        ("https://shop.example/a", "https://search.example/?q=secret", Source.EXTERNAL),
        ("https://shop.example/a?utm_medium=Email", "https://mail.example/", Source.INBOX),
        ("https://shop.example/a?utm_medium=cpc", "https://ads.example/", Source.EXTERNAL),
        ("/a", "not a url", Source.HOMEPAGE),
        ("https://shop.example/a", "https://[broken", Source.HOMEPAGE),
    ],
)
def test_the_source_follows_from_medium_and_referrer(url: str, referrer: str, source: Source) -> None:
    assert page_view(event(url, referrer), AT, 7, RULES).source is source


def test_only_the_path_the_referrer_host_and_utm_are_kept() -> None:
    view = page_view(
        event("https://shop.example//lamps/dawn/?utm_source=june&email=me@x#top", "https://search.example/?q=secret"),
        AT,
        7,
        RULES,
    )

    assert loads(view.value()) == {
        "session_id": "session-1",
        "user_id": 7,
        "source": "External",
        "event_timestamp": AT,
        "page": "/lamps/dawn",
        "referrer_host": "search.example",
        "utm_source": "june",
    }


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:,x", "shop", "ftp://x/", "https://[x/", "", "x" * 20 + "?&" * 400]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadUrl):
        page_view(event(url), AT, 7, RULES)


def test_paths_have_one_form() -> None:
    assert [normal_path(p) for p in ("", "/", "//a//b/", "/a")] == ["/", "/", "/a/b", "/a"]
    assert len(normal_path("/" + "x" * 2000)) == 256


def test_a_visitor_is_a_negative_number_that_fits_ksqls_int() -> None:
    numbers = {anonymous_user(f"session-{n}") for n in range(2_000)}

    assert all(-(2**31) <= n < 0 for n in numbers)
    assert len(numbers) > 1_990
    assert user_session(event(), AT, -5, Device.TABLET).user_name == "visitor"
    assert user_session(event(user=5), AT, 5, Device.TABLET).user_name == "user-5"
    # A forgotten user's event is anonymous, in its name too.
    assert user_session(event(user=5), AT, -9, Device.TABLET).user_name == "visitor"


@pytest.mark.parametrize(
    ("headers", "device"),
    [
        ({}, Device.DESKTOP),
        ({"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}, Device.DESKTOP),
        ({"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"}, Device.MOBILE),
        ({"user-agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) Mobile Safari"}, Device.MOBILE),
        ({"user-agent": "Mozilla/5.0 (Linux; Android 15; SM-X910) Safari"}, Device.TABLET),
        ({"user-agent": "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X)"}, Device.TABLET),
        ({"user-agent": "Mozilla/5.0", "sec-ch-ua-mobile": "?1"}, Device.MOBILE),
    ],
)
def test_the_device_is_one_of_three(headers: dict[str, str], device: Device) -> None:
    assert device_of(headers) is device


def test_do_not_track_and_global_privacy_control_are_honoured() -> None:
    assert objects_to_tracking({"dnt": "1"})
    assert objects_to_tracking({"sec-gpc": "1"})
    assert not objects_to_tracking({"dnt": "0"})
