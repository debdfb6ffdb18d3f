SELECT source, window_start, window_end, view_count, user_count
FROM pageview_hopping
WHERE window_start >= %(since)s AND window_start < %(until)s
ORDER BY window_start DESC, source
LIMIT %(limit)s
