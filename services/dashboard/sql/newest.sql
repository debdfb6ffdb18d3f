-- updated_at is the event time of the newest event in the row, so this is the newest event that can be seen.
SELECT MAX(updated_at) AS newest_event
FROM pageview_tumbling
WHERE window_start >= %(since)s AND window_start < %(until)s
LIMIT 1
