#!/bin/bash
# The contract of apachepinot/pinot: the arguments are those of pinot-admin.sh, the JVM's flags are in JAVA_OPTS.
set -eu
# shellcheck disable=SC2086 # JAVA_OPTS holds several flags
exec java ${JAVA_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -Dlog4j2.configurationFile=/etc/pinot/log4j2.xml -cp '/opt/pinot/libs/*' org.apache.pinot.tools.admin.PinotAdministrator "$@"
