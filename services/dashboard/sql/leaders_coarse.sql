-- The mean of the windows that begin in each interval; a minute without a row counts as none.
SELECT country, window_start - MOD(window_start, %(interval)s) AS interval_start, SUM(view_count) / %(windows)s AS view_count, SUM(user_count) / %(windows)s AS user_count, AVG(average_age) AS average_age
FROM pageview_country
WHERE window_start >= %(since)s AND window_start < %(until)s AND country IN (%(countries)s)
GROUP BY country, interval_start
ORDER BY interval_start DESC, country
LIMIT %(limit)s
