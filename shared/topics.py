"""Names and sizes of the pipeline's topics."""

from __future__ import annotations

from typing import Final

#: events that the collector does not accept, as they were sent
REJECTED: Final = "topic0_Rejected"
PAGE_VIEW: Final = "topic1_PageView"
USER_SESSION: Final = "topic2_UserSession"
USERS: Final = "topic3_Users"
CLEANED_USERS: Final = "topic4_CleanedUsers"
PAGE_VIEW_ENRICHED: Final = "pageview_enriched"
PAGE_VIEW_COUNTRY: Final = "topic5_PageView_Country"
PAGE_VIEW_TUMBLING: Final = "topic6_PageView_Tumbling"
PAGE_VIEW_HOPPING: Final = "topic7_PageView_Hopping"
PAGE_VIEW_SESSION: Final = "topic8_PageView_Session"
USER_SESSION_DEVICE: Final = "topic9_UserSession_Device"
PAGE_VIEW_PAGE: Final = "topic10_PageView_Page"

SOURCE_TOPICS: Final = (PAGE_VIEW, USER_SESSION, USERS)
SINK_TOPICS: Final = (
    CLEANED_USERS,
    PAGE_VIEW_ENRICHED,
    PAGE_VIEW_COUNTRY,
    PAGE_VIEW_TUMBLING,
    PAGE_VIEW_HOPPING,
    PAGE_VIEW_SESSION,
    USER_SESSION_DEVICE,
    PAGE_VIEW_PAGE,
)

PARTITIONS: Final = 5
REPLICATION_FACTOR: Final = 3
MIN_INSYNC_REPLICAS: Final = 2
