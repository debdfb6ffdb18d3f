"""Addresses of other web pages: OpenAPI, Pinot's console, Kafka Connect."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import streamlit as st

from services.dashboard.settings import Settings


@dataclass(frozen=True, slots=True)
class Links:
    """For one viewer: the servers' ports on the host under which the viewer sees the dashboard."""

    settings: Settings
    host: str

    def servers(self) -> list[tuple[str, str]]:
        """Name and address of each page."""
        settings = self.settings
        return [
            ("Generator API", self._at(settings.generator_url, "/docs")),
            ("Collector API", self._at(settings.collector_url, "/docs")),
            ("Seeder API", self._at(settings.seeder_url, "/docs")),
            ("Provisioner API", self._at(settings.provisioner_url, "/docs")),
            ("ksql API", self._at(settings.ksql_url, "/docs")),
            ("Pinot console", self._at(settings.pinot_controller_url, "/")),
            ("Kafka Connect", self._at(settings.connect_url, "/connectors?expand=status")),
        ]

    def pinot_query(self, sql: str) -> str:
        """Pinot's console with this query."""
        return self._at(self.settings.pinot_controller_url, f"/#/query?query={quote(sql)}")

    def pinot_table(self, table: str) -> str:
        """Pinot's console on this table."""
        return self._at(self.settings.pinot_controller_url, f"/#/tenants/table/{table}_REALTIME")

    def _at(self, url: str, path: str) -> str:
        parts = urlsplit(url)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{parts.scheme}://{host}:{parts.port}{path}" if parts.port else f"{url}{path}"


def links(settings: Settings) -> Links:
    """For the viewer whose script runs now."""
    return Links(settings, urlsplit(st.context.url or "").hostname or "127.0.0.1")


def draw(settings: Settings) -> None:
    """The servers' pages, and where the logs are."""
    with st.expander("Servers and logs", icon=":material/dns:"):
        st.markdown("\n".join(f"- [{name}]({url})" for name, url in links(settings).servers()))
        st.caption("Logs, in a terminal: `pagepulse logs NAME -f`, with a name of `pagepulse status`.")
