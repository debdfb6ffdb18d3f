"""A thin client of the services' REST APIs: what the CLI and the demo need, and nothing else."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx

from deploy.local.errors import ServiceRefused
from deploy.local.ports import PortName, Ports
from deploy.local.waiting import until
from shared.errors import PagePulseError
from shared.http import call

REQUEST_WITHIN = timedelta(seconds=30)
APPLY_WITHIN = timedelta(minutes=15)
VERIFY_WITHIN = timedelta(minutes=30)
SEED_WITHIN = timedelta(minutes=10)
FORGET_WITHIN = timedelta(minutes=2)
POLL = timedelta(milliseconds=300)
TRANSIENT = frozenset({408, 429, 502, 503, 504})
"""Statuses of a server that is busy, or that waits for another one."""


COMMANDS = {
    "POST /generator/start": "pagepulse load start",
    "POST /generator/stop": "pagepulse load stop",
    "PUT /generator/rate": "pagepulse load rate",
    "GET /generator/status": "pagepulse load status",
    "POST /provisioner/apply": "pagepulse apply",
    "POST /provisioner/teardown": "pagepulse teardown",
    "POST /provisioner/verify": "pagepulse verify",
    "GET /provisioner/plan": "pagepulse plan",
    "GET /provisioner/sample": "pagepulse sample",
}
"""The commands that send these requests."""
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The services speak plain HTTP on this machine; reading the certificates of all authorities costs 40 ms of CPU."""


def as_commands(text: str) -> str:
    """A service's words, with the commands in place of the requests that it names."""
    return re.sub("|".join(map(re.escape, COMMANDS)), lambda found: f"`{COMMANDS[found[0]]}`", text)


def _ignore(step: str) -> None:
    """No progress reports."""


class Services:
    """The services of one stack. Every method raises ServiceRefused, with the detail of the service's problem document."""

    def __init__(self, ports: Ports, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._ports = ports
        # The services are started with our environment, so they ask for the same token.
        token = os.environ.get("PAGEPULSE_API_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            timeout=REQUEST_WITHIN.total_seconds(),
            transport=transport,
            headers=headers,
            trust_env=False,
            verify=NO_AUTHORITIES,
        )

    async def __aenter__(self) -> Services:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def seed(self, count: int, *, seed: int = 42, null_fraction: float = 0.05) -> dict[str, Any]:
        """Makes users and waits until they are stored."""
        asked = {"count": count, "seed": seed, "null_fraction": null_fraction}
        return await self._json(
            "seeder", "POST", "/seeder/seed", json=asked, params={"wait": "true"}, within=SEED_WITHIN
        )

    async def users(self) -> int:
        """How many users the database holds."""
        return int((await self._json("seeder", "GET", "/seeder/status"))["users"])

    async def plan(self) -> dict[str, Any]:
        """What ``apply`` would do."""
        return await self._json("provisioner", "GET", "/provisioner/plan", within=APPLY_WITHIN)

    async def apply(self, progress: Callable[[str], None] = _ignore) -> dict[str, Any]:
        """Makes the pipeline and waits for the end of the work; ``progress`` hears of every step."""
        return await self._follow(await self._send("provisioner", "POST", "/provisioner/apply"), progress)

    async def pipeline(self, *, fresh: bool = False) -> dict[str, Any]:
        """The state of every resource and the overall ``ready``, as last observed; ``fresh`` looks first."""
        asked = {"fresh": "true"} if fresh else None
        return await self._json("provisioner", "GET", "/provisioner/status", params=asked, within=timedelta(seconds=30))

    async def until_provisioned(
        self, within: timedelta = APPLY_WITHIN, progress: Callable[[str], None] = _ignore
    ) -> dict[str, Any]:
        """Waits for ``ready``; ``progress`` and the error name the resources that are not."""
        status: dict[str, Any] = {}
        missing = ""

        async def ready() -> bool:
            nonlocal status, missing
            status = await self.pipeline()
            wrong = [r for r in status.get("resources", []) if r.get("state") != "ok"]
            missing = "; ".join(f"{r.get('name')}: {r.get('state')} {r.get('detail') or ''}".strip() for r in wrong)
            if not status.get("ready") and wrong:
                progress(
                    f"waiting for {len(wrong)} of {len(status['resources'])} resources, first {wrong[0].get('name')}"
                )
            return bool(status.get("ready"))

        if not await until(ready, within, POLL):
            raise ServiceRefused(
                "provisioner", f"provisioner: the pipeline is not ready ({missing or 'no resource named'})"
            )
        return status

    async def sample(self) -> dict[str, Any]:
        """A few rows of everything."""
        return await self._json("provisioner", "GET", "/provisioner/sample", within=timedelta(seconds=60))

    async def verify(self, progress: Callable[[str], None] = _ignore) -> dict[str, Any]:
        """Recomputes the results from the raw topics, compares, and returns the report; ``progress`` hears of every phase."""
        accepted = await self._send("provisioner", "POST", "/provisioner/verify")
        audit: dict[str, Any] = accepted.json()

        async def ended() -> bool:
            nonlocal audit
            audit = await self._json("provisioner", "GET", accepted.headers["location"])
            progress(f"{audit['phase']}, {audit['records_read']:,} records read")
            return bool(audit["state"] != "running")

        if audit["state"] == "running" and not await until(ended, VERIFY_WITHIN, POLL):
            raise ServiceRefused(
                "provisioner", f"provisioner: the verify has not ended after {VERIFY_WITHIN.total_seconds():.0f} s"
            )
        if audit["state"] != "succeeded":
            raise ServiceRefused(
                "provisioner", f"provisioner: the verify failed: {(audit.get('problem') or {}).get('detail')}"
            )
        report: dict[str, Any] = audit["report"]
        return report

    async def teardown(self, *, delete_topics: bool, progress: Callable[[str], None] = _ignore) -> dict[str, Any]:
        """Removes the pipeline and waits for the end of the work."""
        asked = {"delete_topics": delete_topics}
        return await self._follow(
            await self._send("provisioner", "POST", "/provisioner/teardown", json=asked), progress
        )

    async def generate(self, rate: float) -> dict[str, Any]:
        """Starts generation at ``rate`` events/s."""
        return await self._json("generator", "POST", "/generator/start", json={"rate": rate})

    async def replay(self, file: str, *, speed: float, loop: bool) -> dict[str, Any]:
        """Starts to replay a file of the folder for recordings, ``speed`` times as fast as it was recorded."""
        profile = {"kind": "replay", "file": file, "speed": speed, "loop": loop}
        return await self._json("generator", "POST", "/generator/start", json={"profile": profile})

    async def set_rate(self, rate: float) -> dict[str, Any]:
        """Changes the rate."""
        return await self._json("generator", "PUT", "/generator/rate", json={"rate": rate})

    async def halt(self) -> dict[str, Any]:
        """Stops generation."""
        return await self._json("generator", "POST", "/generator/stop")

    async def generation(self) -> dict[str, Any]:
        """What the generator does."""
        return await self._json("generator", "GET", "/generator/status")

    async def rejected(self, *, start: int | None, limit: int, reason: str) -> dict[str, Any]:
        """Rejected events from offset ``start`` on, or the newest, and ``next`` to go on from."""
        asked = {"limit": str(limit), "reason": reason} | ({} if start is None else {"from": str(start)})
        return await self._json("collector", "GET", "/collect/rejected", params=asked, within=timedelta(seconds=60))

    async def replay_rejected(self, progress: Callable[[str], None] = _ignore) -> dict[str, Any]:
        """Sends every event that is in the topic of rejected events now and was not replayed yet. Counts of ``sent``, ``rejected``,
        ``skipped``."""
        counts = dict.fromkeys(("sent", "rejected", "skipped"), 0)
        asked: dict[str, str] = {}
        while True:
            answer = await self._json(
                "collector", "POST", "/collect/rejected/replay", params=asked, within=timedelta(minutes=2)
            )
            counts = {name: count + answer[name] for name, count in counts.items()}
            progress(", ".join(f"{count:,} {name}" for name, count in counts.items()))
            if answer["next"] >= answer["end"]:
                return counts
            asked = {"from": str(answer["next"]), "until": str(answer["end"])}

    async def forget(self, user_id: int, progress: Callable[[str], None] = _ignore) -> dict[str, Any]:
        """Erases a user where that can be done, then reads back.

        ``checks`` says of each place whether the user is ``gone`` (None: not known, and the ``reason``).
        """
        progress("deleting from the users table")
        await self._json("seeder", "DELETE", f"/seeder/users/{user_id}")
        progress("the collector forgets the user")
        forgotten = await self._json("collector", "DELETE", f"/collect/users/{user_id}")
        checks: list[dict[str, Any]] = []
        for place, gone in (
            ("users table", self._erased_from_database),
            ("collector: later events are anonymous, and Kafka has the tombstone", self._erased_from_collector),
            ("ksql table CLEANED_USERS, which views are joined with", self._erased_from_join),
        ):
            progress(f"reading back: {place}")

            async def holds(gone: Callable[[int], Awaitable[bool]] = gone) -> bool:
                return await gone(user_id)

            try:
                checks.append({"place": place, "gone": await until(holds, FORGET_WITHIN, POLL), "reason": ""})
            except ServiceRefused as error:
                checks.append({"place": place, "gone": None, "reason": error.reason})
        return {"user_id": user_id, "checks": checks, "detail": forgotten["detail"]}

    async def _erased_from_database(self, user_id: int) -> bool:
        asked = {"after": str(user_id - 1), "limit": "1"}
        users = (await self._json("seeder", "GET", "/seeder/users", params=asked))["users"]
        return all(user["user_id"] != user_id for user in users)

    async def _erased_from_collector(self, user_id: int) -> bool:
        state = await self._json("collector", "GET", f"/collect/users/{user_id}")
        return bool(state["forgotten"] and state["tombstone_published"])

    async def _erased_from_join(self, user_id: int) -> bool:
        asked = {"engine": "ksql", "sql": f"SELECT * FROM CLEANED_USERS WHERE USER_ID = {user_id};"}  # noqa: S608 - a number
        return not (await self._json("provisioner", "POST", "/provisioner/sql", json=asked))["rows"]

    async def _follow(self, accepted: httpx.Response, progress: Callable[[str], None]) -> dict[str, Any]:
        """Waits for the end of a run that was accepted. Raises ServiceRefused with the error of its first failed step."""
        run: dict[str, Any] = accepted.json()

        async def ended() -> bool:
            nonlocal run
            run = await self._json("provisioner", "GET", accepted.headers["location"])
            steps = run.get("steps", [])
            at_work = [step["resource"] for step in steps if step["state"] == "running"]
            done = sum(step["state"] in {"done", "skipped"} for step in steps)
            progress(f"{done} of {len(steps)} {', '.join(at_work)}")
            return bool(run["state"] != "running")

        if run["state"] == "running" and not await until(ended, APPLY_WITHIN, POLL):
            raise ServiceRefused(
                "provisioner",
                f"provisioner: the {run['kind']} has not ended after {APPLY_WITHIN.total_seconds():.0f} s",
            )
        if run["state"] != "succeeded":
            raise ServiceRefused("provisioner", f"provisioner: the {run['kind']} failed: {run.get('error')}")
        return run

    async def _json(self, service: PortName, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = (await self._send(service, method, path, **request)).json()
        return answer if isinstance(answer, dict) else {"items": answer}

    async def _send(
        self,
        service: PortName,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        within: timedelta = REQUEST_WITHIN,
    ) -> httpx.Response:
        url = path if path.startswith("http") else self._ports.url(service) + path
        try:
            return await call(
                self._http, method, url, service=service, json=json, params=params, timeout=within.total_seconds()
            )
        except PagePulseError as error:
            status = error.extra.get("upstream_status")
            if status is None:
                raise ServiceRefused(service, error.detail, hint="pagepulse status", transient=True) from error
            raise ServiceRefused(service, f"{error.detail} (HTTP {status})", transient=status in TRANSIENT) from error
