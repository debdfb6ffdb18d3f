#!/bin/bash
# Run once by the image, when the data folder is new: the two accounts that PagePulse uses.
# A subshell, because the image sources this file instead of running it where the file is not executable.
(
    set -eu
    case " $MYSQL_ROOT_PASSWORD $SEEDER_PASSWORD $READER_PASSWORD " in
        *" change-me "*) echo ".env still holds a change-me: give each password a value of its own (env.sh does)" >&2; exit 1 ;;
    esac
    quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }

    root() { MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --protocol=socket --user=root --skip-column-names "$@"; }

    # For the seeder the plug-in that its driver can use without TLS; see README.md. The connector of MySQL only reads the table.
    plugin='WITH mysql_native_password ' reads="SELECT ON \`${MYSQL_DATABASE}\`.*"
    case $(root --execute='SELECT VERSION()') in
        # There that plug-in is the default, and the connector (Debezium) reads the binary log.
        *MariaDB*) plugin='' reads='SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, LOCK TABLES ON *.*' ;;
    esac
    root <<SQL
CREATE USER '${SEEDER_USER}'@'%' IDENTIFIED ${plugin}BY $(quoted "$SEEDER_PASSWORD");
GRANT ALL PRIVILEGES ON \`${MYSQL_DATABASE}\`.* TO '${SEEDER_USER}'@'%';
CREATE USER '${READER_USER}'@'%' IDENTIFIED BY $(quoted "$READER_PASSWORD");
GRANT ${reads} TO '${READER_USER}'@'%';
SQL
)
