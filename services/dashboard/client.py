"""The REST calls of the dashboard. Synchronous on purpose: Streamlit runs each script in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.dashboard.settings import Settings
from shared.http import raise_for_problem, translate_transport_errors


class Peer:
    """One service behind its REST API.

    Every method raises a ``PagePulseError`` whose detail can be shown to a person as it is.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        timeout: timedelta,
        action_timeout: timedelta,
        token: SecretStr | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.service = service
        self.base_url = base_url
        self._action_timeout = action_timeout.total_seconds()
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._http = httpx.Client(
            base_url=base_url, timeout=timeout.total_seconds(), headers=headers, transport=transport
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Reads; ``params`` become the query string."""
        return self._call("GET", path, params=params)

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, timeout: timedelta | None = None
    ) -> dict[str, Any]:
        """Acts: waits longer than a read does, ``timeout`` if it is given."""
        options: dict[str, Any] = {"timeout": timeout.total_seconds() if timeout else self._action_timeout}
        if body is not None:
            options["json"] = dict(body)
        return self._call(method, path, **options)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with translate_transport_errors(self.base_url, method, path, service=self.service):
            response = self._http.request(method, path, **options)
        raise_for_problem(response, service=self.service)
        body = response.json() if response.content else {}
        return body if isinstance(body, dict) else {"items": body}

    def close(self) -> None:
        self._http.close()


class ControlPlane:
    """Generator, seeder, provisioner and collector, each call named for what it does."""

    def __init__(self, generator: Peer, seeder: Peer, provisioner: Peer, collector: Peer) -> None:
        self.generator, self.seeder, self.provisioner, self.collector = generator, seeder, provisioner, collector

    @classmethod
    def connect(cls, settings: Settings) -> ControlPlane:
        def peer(service: str, url: str) -> Peer:
            return Peer(
                service,
                url,
                timeout=settings.rest_timeout,
                action_timeout=settings.action_timeout,
                token=settings.api_token,
            )

        return cls(
            peer("generator", settings.generator_url),
            peer("seeder", settings.seeder_url),
            peer("provisioner", settings.provisioner_url),
            peer("collector", settings.collector_url),
        )

    def generator_status(self) -> dict[str, Any]:
        return self.generator.get("/generator/status")

    def profiles(self) -> dict[str, Any]:
        return self.generator.get("/generator/profiles")

    def start(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.generator.send("POST", "/generator/start", options)

    def stop(self) -> dict[str, Any]:
        return self.generator.send("POST", "/generator/stop")

    def pause(self) -> dict[str, Any]:
        return self.generator.send("POST", "/generator/pause")

    def resume(self) -> dict[str, Any]:
        return self.generator.send("POST", "/generator/resume")

    def preview(self, profile: Mapping[str, Any], rate: float) -> dict[str, Any]:
        """What a profile is going to do: {"points": [{"seconds", "rate"}, ...]}."""
        return self.generator.send("POST", "/generator/profiles/preview", {"profile": dict(profile), "rate": rate})

    def generator_changes(self) -> dict[str, Any]:
        """Starts, stops and changes of the load: {"events": [{"at_ms", "kind", "title", "detail"}, ...]}."""
        return self.generator.get("/generator/changes")

    def set_rate(self, rate: float) -> dict[str, Any]:
        return self.generator.send("PUT", "/generator/rate", {"rate": rate})

    def set_profile(self, profile: Mapping[str, Any]) -> dict[str, Any]:
        return self.generator.send("PUT", "/generator/profile", {"profile": dict(profile)})

    def seeder_status(self) -> dict[str, Any]:
        return self.seeder.get("/seeder/status")

    def user_stats(self) -> dict[str, Any]:
        """The users of the table by country, tier and gender."""
        return self.seeder.get("/seeder/stats")

    def seed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.seeder.send("POST", "/seeder/seed", options)

    def start_mutations(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return self.seeder.send("POST", "/seeder/mutations", options)

    def stop_mutations(self) -> dict[str, Any]:
        return self.seeder.send("DELETE", "/seeder/mutations")

    def collector_status(self) -> dict[str, Any]:
        """Events of real visitors since its start: accepted, duplicates, rejected by field, published, waiting."""
        return self.collector.get("/collect/status")

    def pipeline_status(self, *, attention: bool = True) -> dict[str, Any]:
        """Without ``attention`` the provisioner does not observe its servers more often for it."""
        return self.provisioner.get("/provisioner/status", **({} if attention else {"attention": False}))

    def pipeline_events(self) -> dict[str, Any]:
        """Changes of the pipeline's state, and runs: {"events": [{"at_ms", "kind", "title", "detail"}, ...]}."""
        return self.provisioner.get("/provisioner/events")

    def records(self, topic: str, **query: Any) -> dict[str, Any]:
        """Records of a topic; ``query`` as in GET /provisioner/topics/{topic}/records, without what is None."""
        known = {("from" if name == "start" else name): value for name, value in query.items() if value is not None}
        return self.provisioner.get(f"/provisioner/topics/{quote(topic, safe='')}/records", **known)

    def sql(self, engine: str, text: str) -> dict[str, Any]:
        """Columns and rows of one read-only query on "pinot" or "ksql"."""
        return self.provisioner.send("POST", "/provisioner/sql", {"engine": engine, "sql": text})

    def apply(self) -> dict[str, Any]:
        return self.provisioner.send("POST", "/provisioner/apply")

    def verify(self, *, timeout: timedelta) -> dict[str, Any]:
        """The audit's report; answers when it is over."""
        return self.provisioner.send("POST", "/provisioner/verify?wait=true", timeout=timeout)

    def audit(self) -> dict[str, Any]:
        """How far the audit is that runs now, and what the last one found."""
        return self.provisioner.get("/provisioner/verify")

    def teardown(self, *, delete_topics: bool) -> dict[str, Any]:
        return self.provisioner.send("POST", "/provisioner/teardown", {"delete_topics": delete_topics})

    def run(self, run_id: str) -> dict[str, Any]:
        return self.provisioner.get(f"/provisioner/runs/{run_id}")
