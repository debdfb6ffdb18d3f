INSERT INTO {users} (user_id, age, gender, country, subscription) VALUES (%s, %s, %s, %s, %s)
