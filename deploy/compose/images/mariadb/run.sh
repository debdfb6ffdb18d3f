#!/bin/bash
# The contract of the mysql image: MYSQL_ROOT_PASSWORD and MYSQL_DATABASE count when the volume is new, and then each script of
# /docker-entrypoint-initdb.d is run once against a server that accepts no other connections. The arguments are the server's.
set -eu
data=/var/lib/mysql
# A set-up that was cut off leaves no mark, and is begun again.
if [ ! -e "$data/set-up-done" ]; then
    : "${MYSQL_ROOT_PASSWORD:?must be given}" "${MYSQL_DATABASE:?must be given}"
    find "$data" -mindepth 1 -delete
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve >/dev/null
    mariadbd "$@" --skip-networking &
    server=$!
    tries=600
    until mysql --user=root --execute='SELECT 1' >/dev/null 2>&1; do
        kill -0 $server && ((tries--)) && sleep 0.1
    done
    mysql --user=root <<SQL
CREATE DATABASE \`$MYSQL_DATABASE\`;
ALTER USER root@localhost IDENTIFIED BY '${MYSQL_ROOT_PASSWORD//\'/\'\'}';
DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');
FLUSH PRIVILEGES;
SQL
    for script in /docker-entrypoint-initdb.d/*.sh; do
        echo "$script"
        bash "$script"
    done
    kill $server
    wait $server
    touch "$data/set-up-done"
fi
exec mariadbd "$@"
