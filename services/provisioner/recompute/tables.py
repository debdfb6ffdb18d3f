"""All tables from the columns of the sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.provisioner.recompute.columns import NO_USER, EnrichedColumns, EventColumns
from services.provisioner.recompute.rows import Shape
from services.provisioner.recompute.sessions import Sessions
from services.provisioner.recompute.streamtime import Arrivals, Bounds, Lows
from services.provisioner.recompute.windows import TimeWindows
from services.provisioner.settings import Settings
from shared.durations import milliseconds

#: arrival and partition of a record, its group and event time -> bounds of stream time
BoundsOf = Callable[[int, int, str, int], Bounds]


@dataclass(slots=True)
class Tables:
    """One aggregation per result table that is computed from a source topic alone."""

    tumbling: TimeWindows
    hopping: TimeWindows
    session: Sessions
    device: TimeWindows
    page: TimeWindows


def empty_tables(settings: Settings) -> Tables:
    """Tables sized as the settings size the pipeline's."""
    grace = milliseconds(settings.grace)

    def tumbling(shape: Shape, size: int) -> TimeWindows:
        return TimeWindows(shape, size, size, grace)

    return Tables(
        tumbling=tumbling(Shape("source"), milliseconds(settings.tumbling_window)),
        hopping=TimeWindows(
            Shape("source"), milliseconds(settings.hopping_window), milliseconds(settings.hopping_advance), grace
        ),
        session=Sessions(Shape("source"), milliseconds(settings.session_gap), grace),
        device=tumbling(Shape("device", count="session_count"), milliseconds(settings.device_window)),
        page=tumbling(Shape("page"), milliseconds(settings.page_window)),
    )


def add_views(tables: Tables, views: EventColumns, bounds_of: BoundsOf, page_bounds_of: BoundsOf) -> None:
    """Counts page views by source and by page."""
    for event, arrival, partition in views.in_order():
        if event.group is not None:
            bounds = bounds_of(arrival, partition, event.group, event.time)
            tables.tumbling.add(event.group, event.time, event.user, bounds)
            tables.hopping.add(event.group, event.time, event.user, bounds)
            tables.session.add(event.group, event.time, event.user, bounds)
        if event.page is not None:
            bounds = page_bounds_of(arrival, partition, event.page, event.time)
            tables.page.add(event.page, event.time, event.user, bounds)


def add_logins(tables: Tables, logins: EventColumns, bounds_of: BoundsOf) -> None:
    """Counts logins by device."""
    for event, arrival, partition in logins.in_order():
        if event.group is not None:
            bounds = bounds_of(arrival, partition, event.group, event.time)
            tables.device.add(event.group, event.time, event.user, bounds)


#: columns of the table by country
COUNTRY = Shape("country", with_age=True)


def by_country(
    settings: Settings, enriched: EnrichedColumns, arrivals: Sequence[int], bounds_of: BoundsOf
) -> TimeWindows:
    """Counts enriched views by country, in the order of the topic's partitions; ``arrivals`` are those of the views behind them."""
    size = milliseconds(settings.country_window)
    table = TimeWindows(COUNTRY, size, size, milliseconds(settings.grace))
    for index in range(len(enriched)):
        country = enriched.countries.name(enriched.country_numbers[index])
        time, user = enriched.times[index], enriched.users[index]
        bounds = bounds_of(arrivals[index], enriched.partitions[index], country, time)
        user_id = None if user == NO_USER else user
        table.add(country, time, user_id, bounds, enriched.ages[index])
    return table


def bounds_by_arrival(arrivals: Arrivals, greatest: int) -> BoundsOf:
    """Bounds as ``streamtime`` explains; an unknown arrival (-1) may have been at any time."""
    lows = Lows()

    def bounds_of(arrival: int, partition: int, group: str, time: int) -> Bounds:
        low = lows.advance(partition, group, time)
        high = arrivals.greatest_by(arrival) if arrival >= 0 else greatest
        return Bounds(low, max(low, high))

    return bounds_of
