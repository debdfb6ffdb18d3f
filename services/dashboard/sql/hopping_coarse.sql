-- The mean of the windows that begin in each interval; a minute without a row counts as none.
SELECT source, window_start - MOD(window_start, %(interval)s) AS interval_start, SUM(view_count) / %(windows)s AS view_count, SUM(user_count) / %(windows)s AS user_count
FROM pageview_hopping
WHERE window_start >= %(since)s AND window_start < %(until)s
GROUP BY source, interval_start
ORDER BY interval_start DESC, source
LIMIT %(limit)s
