SELECT device, window_start, window_end, session_count, user_count
FROM usersession_device
WHERE window_start >= %(since)s AND window_start < %(until)s
ORDER BY window_start DESC, device
LIMIT %(limit)s
