from services.ksql.model.commands import ControlQuery
from tests.unit.ksql.analysis.session import with_sources


def test_a_copy_goes_its_own_way() -> None:
    session = with_sources()
    copied = session.catalog.copy()
    session.run("CREATE STREAM pages AS SELECT * FROM clicks;")
    assert copied.find("PAGES") is None
    assert not copied.queries()


def test_who_reads_and_writes_what() -> None:
    session = with_sources()
    session.run("CREATE STREAM pages AS SELECT * FROM clicks; INSERT INTO pages SELECT * FROM clicks;")
    assert [query.id for query in session.catalog.readers("CLICKS")] == ["Q0", "Q1"]
    assert [query.id for query in session.catalog.writers("PAGES")] == ["Q0", "Q1"]
    materialised = session.catalog.materialised_by("PAGES")
    assert materialised is not None and materialised.id == "Q0"


def test_a_terminated_query_leaves_its_sink_and_what_it_came_from() -> None:
    session = with_sources()
    session.run("CREATE STREAM pages AS SELECT * FROM clicks;")
    session.catalog.apply(ControlQuery("TERMINATE", "Q0"))
    assert session.catalog.materialised_by("PAGES") is None
    assert session.catalog.dependents("CLICKS") == ["PAGES"]


def test_terminate_all() -> None:
    session = with_sources()
    session.run("CREATE STREAM a AS SELECT * FROM clicks; CREATE STREAM b AS SELECT * FROM orders; TERMINATE ALL;")
    assert not session.catalog.queries()


def test_dropping_a_sink_ends_its_query_and_frees_its_source() -> None:
    session = with_sources()
    session.run("CREATE STREAM pages AS SELECT * FROM clicks; DROP STREAM pages; DROP STREAM clicks;")
    assert session.catalog.find("CLICKS") is None
    assert not session.catalog.queries()
