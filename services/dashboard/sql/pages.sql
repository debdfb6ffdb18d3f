-- Views of each page, added up over the windows of the range; distinct users cannot be added up.
SELECT page, SUM(view_count) AS view_count, MIN(window_start) AS window_start, MAX(window_end) AS window_end
FROM pageview_page
WHERE window_start >= %(since)s AND window_start < %(until)s
GROUP BY page
ORDER BY SUM(view_count) DESC, page
LIMIT %(limit)s
