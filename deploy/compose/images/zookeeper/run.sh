#!/bin/bash
# The contract of the zookeeper image: /data, /datalog, and some of ZOO_*.
set -eu
cat >/conf/zoo.cfg <<CFG
dataDir=/data
dataLogDir=/datalog
tickTime=${ZOO_TICK_TIME:-2000}
clientPort=2181
maxClientCnxns=0
admin.enableServer=${ZOO_ADMINSERVER_ENABLED:-true}
autopurge.purgeInterval=${ZOO_AUTOPURGE_PURGEINTERVAL:-0}
4lw.commands.whitelist=${ZOO_4LW_COMMANDS_WHITELIST:-srvr}
CFG
# shellcheck disable=SC2086 # JVMFLAGS holds several flags
exec java ${JVMFLAGS:--Xmx128m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/etc/pinot/log4j2.xml \
    -cp '/opt/pinot/libs/*' org.apache.zookeeper.server.ZooKeeperServerMain /conf/zoo.cfg
