INSERT INTO {users} (age, gender, country, subscription) VALUES (%s, %s, %s, %s)
