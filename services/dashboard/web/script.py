"""What Streamlit serves: the script that it runs for each viewer, and what we have beside it."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from services.dashboard import asgi

app = st.App(
    Path(__file__).with_name("page.py"),
    lifespan=asgi.lifespan,
    routes=asgi.routes(),
    middleware=[Middleware(asgi.Document)],
)
