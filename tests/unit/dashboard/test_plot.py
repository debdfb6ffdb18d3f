from __future__ import annotations

import json

import httpx
import plotly
import plotly.graph_objects as go
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from services.dashboard.plot import element, library


async def test_plotly_is_served_from_here_and_kept_by_the_browser() -> None:
    transport = httpx.ASGITransport(Starlette(routes=[library.route()]))
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard") as client:
        answer = await client.get(f"/{library.address()}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert b"plotly.js" in answer.content[:100]
    assert answer.headers["content-encoding"] == "gzip"


async def test_plotly_goes_unpacked_to_clients_that_cannot_unpack() -> None:
    transport = httpx.ASGITransport(Starlette(routes=[library.route()]))
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard") as client:
        answer = await client.get(f"/{library.address()}", headers={"Accept-Encoding": "identity"})
    assert b"plotly.js" in answer.content[:100]
    assert "content-encoding" not in answer.headers


def test_the_address_changes_with_the_version() -> None:
    assert plotly.__version__ in library.address()


def test_new_numbers_keep_the_identity_of_a_chart() -> None:
    def script(*values: float) -> None:
        import plotly.graph_objects as go  # noqa: PLC0415

        from services.dashboard.plot import element  # noqa: PLC0415

        element.draw(go.Figure(go.Bar(y=list(values))), key="tumbling", config={"displaylogo": False}, alt="Views")

    first = AppTest.from_function(script, args=(1, 2)).run()
    second = AppTest.from_function(script, args=(1, 3)).run()
    assert not first.exception
    (before,), (after,) = first.get("bidi_component"), second.get("bidi_component")
    assert before.proto.id == after.proto.id
    assert before.proto.json != after.proto.json
    sent = json.loads(after.proto.json)
    assert go.Figure(json.loads(sent["figure"])).data[0].y == (1, 3)
    assert (sent["config"], sent["alt"], sent["library"]) == ({"displaylogo": False}, "Views", library.address())


def test_the_script_asks_for_nothing_from_outside() -> None:
    assert "://" not in element.SCRIPT


def test_values_are_no_markup() -> None:
    """Plotly draws links and styles that are in names, ticks and hover texts; ours keep theirs."""
    hostile = '<a href="https://evil.example">x</a>'
    frame = go.Figure(go.Bar(x=[1], y=[hostile], name=hostile, customdata=[[hostile]], hovertemplate="<b>%{y}</b>"))
    frame.update_yaxes(categoryarray=[hostile])

    figure = json.loads(element.inert(frame))
    assert "<a" not in json.dumps(figure)
    assert figure["data"][0]["y"] == figure["layout"]["yaxis"]["categoryarray"]
    assert figure["data"][0]["hovertemplate"] == "<b>%{y}</b>"
