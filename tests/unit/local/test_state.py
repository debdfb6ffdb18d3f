from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from deploy.local.errors import AlreadyRunning, OtherLayout
from deploy.local.options import Layout, Options
from deploy.local.state import Started, State


def test_a_process_is_known_by_pid_and_start_time() -> None:
    myself = Started.of(os.getpid())
    assert myself.alive()
    assert not Started(myself.pid, myself.created - 60).alive(), "another process had this number a minute ago"


def test_pids_are_read_back(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    myself = Started.of(os.getpid())
    state.write_pids(myself, {"kafka1": Started(1, 2.5)})
    assert state.read_pids() == {"supervisor": myself, "kafka1": Started(1, 2.5)}
    state.clear_pids()
    assert state.read_pids() == {}


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    first, second = State(tmp_path), State(tmp_path)
    assert not first.supervised()
    first.acquire()
    assert second.supervised()
    with pytest.raises(AlreadyRunning):
        second.acquire()
    first.release()
    assert not second.supervised()
    second.acquire()
    second.release()


def test_secrets_are_random_kept_and_private(tmp_path: Path) -> None:
    state = State(tmp_path / "a")
    state.make()
    password = state.secret("mysql_password")
    assert len(password) >= 24
    assert State(tmp_path / "a").secret("mysql_password") == password
    assert state.secret("cdc_password") != password
    assert stat.S_IMODE((tmp_path / "a" / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_torn_file_reads_as_nothing(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    (tmp_path / "run.json").write_text('{"phase": "rea')
    assert state.read_run() == {}


def test_data_keep_their_ports_and_brokers(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state.choose_layout() == Layout(brokers=3, port_offset=0)
    assert state.choose_layout(brokers=1, port_offset=100) == Layout(1, 100)
    state.make()
    assert state.layout() is None, "empty folders depend on nothing"
    state.keep_layout(Layout(1, 100))
    later = State(tmp_path)
    assert (
        later.choose_layout()
        == later.choose_layout(brokers=1)
        == later.choose_layout(port_offset=100)
        == Layout(1, 100)
    )
    for other in ({"brokers": 3}, {"port_offset": 0}, {"brokers": 3, "port_offset": 0}):
        with pytest.raises(OtherLayout, match="made with --port-offset 100 --brokers 1 ") as error:
            later.choose_layout(**other)
        assert f"pagepulse reset --dir {tmp_path}" in str(error.value.hint)
    with pytest.raises(OtherLayout):
        later.keep_layout(Layout(3, 100))
    later.wipe()
    assert later.choose_layout(brokers=3) == Layout(3, 0)


def test_data_without_a_record_have_the_layout_of_the_last_run(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.make()
    state.write_run({"options": Options(dir=tmp_path, brokers=1, port_offset=100).publish()})
    assert state.layout() is None
    (state.data / "kafka1").mkdir()
    assert state.layout() == Layout(1, 100)


def test_wiping_leaves_the_lock_to_its_holder(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.acquire()
    state.secret("x")
    (state.logs / "kafka1.log").write_text("hello")
    state.wipe()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert State(tmp_path).supervised()
    state.release()
