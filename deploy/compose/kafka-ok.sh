#!/bin/bash
# Exit status 0 if the broker of this container answers a metadata request and is in its own answer, so that the cluster's quorum
# has let it in: kafka-ok.sh ADVERTISED_HOST
# Plain bash: Kafka's own tools start a JVM for each question, which on a small machine is a tenth of a core for each broker.
exec 3<>/dev/tcp/127.0.0.1/9092 || exit 1
# length 16; Metadata (3) version 1, correlation 1, client id "ok", no topics
printf '\0\0\0\020\0\003\0\001\0\0\0\001\0\002ok\0\0\0\0' >&3
length=$((16#$(timeout 5 head -c 4 <&3 | od -An -tx1 | tr -d ' \n'))) || exit 1
((length > 0 && length < 10000)) || { echo "no answer"; exit 1; }
answer=$(timeout 5 head -c "$length" <&3 | tr -d '\0')
[[ $answer == *"$1"* ]] || { echo "$1 is not in the cluster yet"; exit 1; }
