#!/bin/bash
# The contract of cp-kafka-connect: CONNECT_SOME_NAME becomes the worker's property some.name.
set -eu
properties=/opt/connect/worker.properties
{
    while IFS='=' read -r name value; do
        name=${name#CONNECT_}
        name=${name,,}
        printf '%s=%s\n' "${name//_/.}" "$value"
    done < <(env | grep '^CONNECT_')
    echo plugin.path=/usr/share/java/plugins
    # Reading the plug-ins' manifests instead of scanning every class halves the start.
    echo plugin.discovery=service_load
} >"$properties"
# shellcheck disable=SC2086 # KAFKA_HEAP_OPTS holds several flags
exec java ${KAFKA_HEAP_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -Dlog4j2.configurationFile=/etc/kafka/log4j2.xml -cp '/opt/kafka/libs/*' \
    org.apache.kafka.connect.cli.ConnectDistributed "$properties"
