-- The newest windows, all countries of each: the newest first, so that a limit cuts the oldest.
SELECT country, window_start, window_end, view_count, user_count, average_age
FROM pageview_country
WHERE window_start >= %(since)s AND window_start < %(until)s
ORDER BY window_start DESC, user_count DESC
LIMIT %(limit)s
