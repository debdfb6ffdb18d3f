#!/bin/bash
# One of Kafka's command-line tools: tool.sh CLASS ARGUMENT...
# shellcheck disable=SC2086 # KAFKA_HEAP_OPTS holds several flags
exec java ${KAFKA_HEAP_OPTS:--Xmx128m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.level=ERROR -cp '/opt/kafka/libs/*' "$@"
