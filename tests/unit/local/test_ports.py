from __future__ import annotations

import os
import socket

import pytest

from deploy.local.errors import PortTaken
from deploy.local.ports import HOST, Ports, check_free, highest_offset
from tests.ports import free_port


def test_the_documented_ports() -> None:
    ports = Ports()
    assert [ports[name] for name in ("dashboard", "generator", "seeder", "provisioner", "ksql", "connect")] == [
        8501,
        8001,
        8002,
        8003,
        8088,
        8083,
    ]
    assert (ports["pinot_controller"], ports["pinot_broker"], ports["mariadb"]) == (9000, 8099, 13306)
    assert [ports.kafka(n) for n in (1, 2, 3)] == [19092, 19292, 19392]


def test_the_offset_moves_all_of_them() -> None:
    moved = Ports(1000)
    assert moved["ksql"] == 9088
    assert moved.url("ksql") == "http://127.0.0.1:9088"
    assert moved.bootstrap(2) == "127.0.0.1:20092,127.0.0.1:20292"
    assert moved.kafka_controller(3) == 20393


def test_a_taken_port_is_named_with_its_owner_and_the_way_out() -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind((HOST, port))
        other.listen()
        with pytest.raises(
            PortTaken, match=rf"port {port} \(for kafka1\) is taken by .*\(pid {os.getpid()}\)"
        ) as error:
            check_free([("kafka1", port)])
    assert error.value.hint is not None
    assert "--port-offset" in error.value.hint
    check_free([("kafka1", port)])


def test_data_that_depend_on_a_taken_port_cannot_move_with_the_stack() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with pytest.raises(PortTaken) as error:
            check_free([("kafka1", other.getsockname()[1])], movable=False)
    assert "another --dir" in str(error.value.hint)


def test_the_highest_offset_is_the_last_that_fits() -> None:
    offset = highest_offset(3)
    assert max(Ports(offset).kafka(3), Ports(offset).kafka_controller(3)) == 65535
