"""The dashboard: live charts over Pinot, and the controls of the generator, the seeder and the provisioner.

settings -> server (starts Streamlit) -> app (navigation, sidebar) -> pages
pages: queries (Pinot) and client (REST) -> board (keeps the last good answer) -> charts (frame in, figure out)
-> plot (the figure in the browser, brought up to date in place)
"""
