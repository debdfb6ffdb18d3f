SELECT country AS name, COUNT(*) AS users FROM {users} WHERE country IS NOT NULL GROUP BY country ORDER BY users DESC, name
