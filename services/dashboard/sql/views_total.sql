-- Views may be added up over windows and sources; distinct users may not.
SELECT SUM(view_count) AS views
FROM pageview_tumbling
WHERE window_start >= %(since)s AND window_start < %(until)s
LIMIT 1
