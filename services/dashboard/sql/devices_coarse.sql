-- The mean of the windows that begin in each interval; a minute without a row counts as none.
SELECT device, window_start - MOD(window_start, %(interval)s) AS interval_start, SUM(session_count) / %(windows)s AS session_count, SUM(user_count) / %(windows)s AS user_count
FROM usersession_device
WHERE window_start >= %(since)s AND window_start < %(until)s
GROUP BY device, interval_start
ORDER BY interval_start DESC, device
LIMIT %(limit)s
