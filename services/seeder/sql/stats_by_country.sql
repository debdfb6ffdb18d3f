-- As bytes: the table's collation would count thailand, Thailand and "Thailand " together. In a group all texts are the same.
SELECT MIN(country) AS name, COUNT(*) AS users
FROM {users}
WHERE country IS NOT NULL
GROUP BY CAST(country AS BINARY)
ORDER BY users DESC, CAST(country AS BINARY)
