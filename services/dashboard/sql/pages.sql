-- Views of each page, added up over the windows of the range; distinct users cannot be added up.
SELECT page, SUM(view_count) AS views, MIN(window_start) AS first_start, MAX(window_end) AS last_end
FROM pageview_page
WHERE window_start >= %(since)s AND window_start < %(until)s
GROUP BY page
ORDER BY views DESC, page
LIMIT %(limit)s
