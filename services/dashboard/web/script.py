"""What Streamlit serves: the script that it runs for each viewer, and plotly.js beside it."""

from pathlib import Path

import streamlit as st

from services.dashboard.plot import library

app = st.App(Path(__file__).with_name("page.py"), routes=[library.route()])
