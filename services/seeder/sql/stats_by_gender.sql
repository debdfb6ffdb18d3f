-- As bytes: the table's collation would count thailand, Thailand and "Thailand " together. In a group all texts are the same.
SELECT MIN(gender) AS name, COUNT(*) AS users
FROM {users}
WHERE gender IS NOT NULL
GROUP BY CAST(gender AS BINARY)
ORDER BY users DESC, CAST(gender AS BINARY)
