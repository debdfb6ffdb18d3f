"""MariaDB with a private data folder, its binary log on for change capture."""

from __future__ import annotations

import getpass
import os
import shutil
from datetime import timedelta

from deploy.local import probes
from deploy.local.component import Component, run_to_end
from deploy.local.components.context import Context
from deploy.local.errors import ComponentFailed
from deploy.local.ports import HOST
from deploy.local.render import render

DATABASE = "pagepulse"
USER = "pagepulse"
CDC_USER = "cdc"
INSTALL_WITHIN = timedelta(minutes=10)


def server(context: Context) -> Component:
    """The server. Passwords are made at the first start and kept in the state folder."""
    state, port = context.state, context.ports["mariadb"]
    data, config = state.data / "mariadb", state.conf / "my.cnf"
    password = state.secret("mysql_password")

    async def prepare() -> None:
        init_file = render(
            "init.sql",
            state.conf / "init.sql",
            database=DATABASE,
            user=USER,
            password=password,
            cdc_user=CDC_USER,
            cdc_password=state.secret("cdc_password"),
            host=HOST,
        )
        # mariadbd refuses to run as root without an explicit option.
        user = "root" if os.geteuid() == 0 else ""
        render("my.cnf", config, data=data, user=user, host=HOST, port=port, init_file=init_file)
        if (data / "mysql").exists():
            return
        await _install(context)

    return Component(
        name="mariadb",
        title="MariaDB",
        command=(program("mariadbd"), f"--defaults-file={config}"),
        ports=(port,),
        prepare=prepare,
        health=probes.mariadb(port, USER, password, DATABASE),
        stop_within=timedelta(seconds=15),
    )


async def _install(context: Context) -> None:
    """Makes the system tables beside their place and moves them there: half a folder is never taken for a whole one."""
    data = context.state.data / "mariadb"
    part = data.with_name("mariadb.part")
    shutil.rmtree(part, ignore_errors=True)
    log = context.state.log("mariadb")
    user = getpass.getuser()
    command = (
        program("mariadb-install-db"),
        "--no-defaults",
        f"--datadir={part}",
        "--auth-root-authentication-method=socket",
        f"--auth-root-socket-user={user}",
        "--skip-test-db",
        "--skip-name-resolve",
        *(["--user=root"] if os.geteuid() == 0 else []),
    )
    code = await run_to_end(command, log=log, deadline=INSTALL_WITHIN)
    if code != 0:
        raise ComponentFailed("mariadb", f"its data folder cannot be made (exit code {code})", log=log)
    part.rename(data)


def program(name: str) -> str:
    """Full path of a program; Debian has the server in /usr/sbin, which is not on every user's PATH."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])) or name
