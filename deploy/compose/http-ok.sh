#!/bin/bash
# Exit status 0 if http://127.0.0.1:PORT/PATH answers 200: http-ok.sh PORT /PATH
# Plain bash, because not every server's image has curl or wget.
port=$1 path=$2
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$path" "$port" >&3
IFS=' ' read -r -t 4 _ status _ <&3 || { echo "no answer from port $port"; exit 1; }
# A container keeps what this prints; the rest of the answer is of no use.
if [ "$status" != 200 ]; then echo "status $status from port $port$path"; exit 1; fi
