"""What Streamlit runs for each viewer. It is alone in its folder: a folder ``pages`` beside it would be taken for
Streamlit's older kind of pages, and a link straight to a page would run that file alone."""

from services.dashboard.app import main

main()
