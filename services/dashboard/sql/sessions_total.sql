SELECT SUM(session_count) AS sessions
FROM usersession_device
WHERE window_start >= %(since)s AND window_start < %(until)s
LIMIT 1
