#!/bin/bash
# The contract of apache/kafka: KAFKA_* become properties, and a new data folder is formatted for CLUSTER_ID. Kafka's own class does both.
set -eu
java="java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Dlog4j2.configurationFile=/etc/kafka/log4j2.xml"
# A folder that is formatted already is an error to that class, after the properties are written; to a broker that restarts it is none.
said=$($java -Xmx128m -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) ||
    case $said in
        *"is already formatted"*) ;;
        *) printf '%s\n' "$said" >&2; exit 1 ;;
    esac
# shellcheck disable=SC2086 # KAFKA_HEAP_OPTS holds several flags
exec $java ${KAFKA_HEAP_OPTS:--Xmx512m} -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
