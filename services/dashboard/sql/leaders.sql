-- A few countries over the whole range; all of them would be ten times as many rows as the chart draws.
SELECT country, window_start, window_end, view_count, user_count, average_age
FROM pageview_country
WHERE window_start >= %(since)s AND window_start < %(until)s AND country IN (%(countries)s)
ORDER BY window_start DESC, user_count DESC
LIMIT %(limit)s
