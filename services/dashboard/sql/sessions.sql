-- By the end of a session: one that began before the range and reaches into it belongs to the picture.
-- At the same end the longest comes first: a limit must not keep a stale part and cut the session around it.
SELECT source, window_start, window_end, view_count, user_count, updated_at
FROM pageview_session
WHERE window_end >= %(since)s AND window_start < %(until)s
ORDER BY window_end DESC, window_start ASC
LIMIT %(limit)s
