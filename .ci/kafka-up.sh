#!/usr/bin/env bash
# Starts Apache Kafka (KRaft) on the loopback address, from the jars that Maven Central has, for tests.
#
#   kafka-up.sh DIR [NODES] [BASE_PORT]
#
# DIR keeps everything of this cluster: properties, logs, data, pid files. NODES is 1 (default) or 3; each node
# is broker and controller, and three of them replicate every topic three times with two in sync. Node i (1, 2, …)
# serves clients on BASE_PORT+i-1 and its controller on BASE_PORT+10+i-1 (default 19092).
# Prints one line on stdout, the bootstrap addresses; all else goes to stderr. Called again with the same DIR it
# starts only the nodes that are down, with the data that they had: this is how a test brings a killed broker back.
#
# With FRAUDSTREAM_KAFKA_SECURE=1 each node also serves SASL_SSL on BASE_PORT+3+i-1 (PLAIN, SCRAM-SHA-256 and -512,
# OAUTHBEARER with unsigned tokens) and TLS with client certificates on BASE_PORT+6+i-1, and an authorizer refuses what
# no ACL allows. Brokers and controllers meet each other by SASL_SSL too. Without a login, on BASE_PORT, one is super user:
# that is how a test makes topics and ACLs. DIR must hold server.pem (key, then certificate), ca.pem and users, lines of
# NAME:PASSWORD; the password of the brokers themselves is drawn.
#
# With FRAUDSTREAM_KAFKA_PROXIED=1 each node also listens on BASE_PORT+13+i-1 and tells the clients that come that way to
# find it on BASE_PORT+16+i-1. Whoever starts the cluster runs a proxy there: so every word of such a client passes
# through it, while other clients and the brokers among themselves use BASE_PORT+i-1. With both variables that way takes
# SASL_SSL.
#
# FRAUDSTREAM_KAFKA_VERSION  4.1.2            FRAUDSTREAM_KAFKA_HEAP   of one node: 512m; of three: 384m each
# FRAUDSTREAM_KAFKA_SESSION  3000 ms without a heartbeat, after which a broker counts as dead (Kafka's default: 9000)
# FRAUDSTREAM_KAFKA_OWNER    a pid: the cluster is killed when that process has ended, however it ended
# FRAUDSTREAM_KAFKA_WAIT     120 seconds      FRAUDSTREAM_KAFKA_JARS   $HOME/.cache/fraudstream/kafka-VERSION
#
# Needs bash, coreutils, Java 17 and, for the first start of a version, Maven.
set -euo pipefail

version=${FRAUDSTREAM_KAFKA_VERSION:-4.1.2}
jars=${FRAUDSTREAM_KAFKA_JARS:-$HOME/.cache/fraudstream/kafka-$version}
host=127.0.0.1

say() { echo "kafka-up: $*" >&2; }
fail() { say "$@"; exit 1; }

[ $# -ge 1 ] || { sed -n '2,28p' "$0" >&2; exit 2; }
nodes=${2:-1} base=${3:-19092}
[ "$nodes" = 1 ] || [ "$nodes" = 3 ] || fail "NODES must be 1 or 3, not $nodes"
mkdir -p "$1"
dir=$(cd "$1" && pwd) here=$(cd "$(dirname "$0")" && pwd)
heap=${FRAUDSTREAM_KAFKA_HEAP:-$([ "$nodes" = 1 ] && echo 512m || echo 384m)}
command -v java >/dev/null || fail "java 17 or newer is needed"

# fetch_jars gets the broker and one logger, once per version; a second caller waits for the first.
fetch_jars() {
  local work try
  mkdir -p "$(dirname "$jars")"
  exec 9>"$jars.lock"
  flock 9
  if [ ! -f "$jars/complete" ]; then
    command -v mvn >/dev/null || fail "Maven is needed to get the jars of Apache Kafka $version"
    work=$jars.new # the lock is held: nobody else is making it
    rm -rf "$work" && mkdir "$work"
    cat >"$work/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>fraudstream</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
    say "getting the jars of Apache Kafka $version"
    for try in 1 2 3; do
      if mvn -q -B -ntp -f "$work/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$work/jars" >"$work/maven.log" 2>&1; then break; fi
      [ "$try" -lt 3 ] || { tail -n 20 "$work/maven.log" >&2; rm -rf "$work"; fail "Maven failed three times"; }
      sleep $((try * 5))
    done
    # Kafka brings bindings of its own; SLF4J wants exactly one, and the simple one needs no configuration file.
    rm -f "$work"/jars/slf4j-reload4j-*.jar "$work"/jars/log4j-slf4j*-impl-*.jar
    touch "$work/jars/complete"
    rm -rf "$jars"
    mv "$work/jars" "$jars"
    rm -rf "$work"
  fi
  exec 9>&-
}

client_port() { echo $((base + $1 - 1)); }
controller_port() { echo $((base + 10 + $1 - 1)); }
sasl_port() { echo $((base + 3 + $1 - 1)); }
mtls_port() { echo $((base + 6 + $1 - 1)); }
proxied_port() { echo $((base + 13 + $1 - 1)); }
proxy_port() { echo $((base + 16 + $1 - 1)); }
proxied() { [ "${FRAUDSTREAM_KAFKA_PROXIED:-}" = 1 ]; }
secure() { [ "${FRAUDSTREAM_KAFKA_SECURE:-}" = 1 ]; }

write_properties() {
  local node=$1 voters='' replicas=1 in_sync=1 listeners advertised protocol=PLAINTEXT between=PLAINTEXT i
  for ((i = 1; i <= nodes; i++)); do voters+="${voters:+,}$i@$host:$(controller_port "$i")"; done
  [ "$nodes" = 1 ] || { replicas=3 in_sync=2; }
  listeners=PLAINTEXT://$host:$(client_port "$node")
  if secure; then
    listeners+=",SASL_SSL://$host:$(sasl_port "$node"),SSL://$host:$(mtls_port "$node")"
    protocol=SASL_SSL between=SASL_SSL
  fi
  advertised=$listeners
  if proxied; then
    listeners+=",PROXIED://$host:$(proxied_port "$node")"
    advertised+=",PROXIED://$host:$(proxy_port "$node")"
  fi
  cat >"$dir/node$node.properties" <<PROPERTIES
node.id=$node
process.roles=broker,controller
controller.quorum.voters=$voters
listeners=$listeners,CONTROLLER://$host:$(controller_port "$node")
advertised.listeners=$advertised
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:$between,SASL_SSL:SASL_SSL,SSL:SSL,PROXIED:$protocol
inter.broker.listener.name=$between
log.dirs=$dir/data$node

# A missing topic must be missing: creating it on sight would hide what the tests look for.
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync

# Impatient, so that a killed client or broker is noticed in seconds.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=${FRAUDSTREAM_KAFKA_SESSION:-3000}
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1500
controller.quorum.election.backoff.max.ms=300

# Small, so that it runs beside the tests.
num.network.threads=2
num.io.threads=4
background.threads=2
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
  if secure; then write_security >>"$dir/node$node.properties"; fi
}

# write_security prints what makes a node demand a login and ask an authorizer.
write_security() {
  local plain='' own name password mechanism listener
  while IFS=: read -r name password; do plain+=" user_$name=\"$password\""; done <"$dir/users"
  own=" username=\"kafka-broker\" password=\"$(cat "$dir/brokers.secret")\" user_kafka-broker=\"$(cat "$dir/brokers.secret")\""
  cat <<PROPERTIES

authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:kafka-broker
ssl.keystore.type=PEM
ssl.keystore.location=$dir/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.ssl.ssl.principal.mapping.rules=RULE:^CN=([^,]*).*\$/\$1/
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required$own;
PROPERTIES
  for listener in listener.name.sasl_ssl listener.name.proxied; do
    echo "$listener.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required$own$plain;"
    echo "$listener.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required" \
      'unsecuredLoginStringClaim_sub="broker";'
    for mechanism in 256 512; do
      echo "$listener.scram-sha-$mechanism.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
    done
  done
}

# scram_users prints the arguments by which the storage is formatted with the users' SCRAM credentials.
scram_users() {
  local name password mechanism
  while IFS=: read -r name password; do
    for mechanism in 256 512; do printf -- '--add-scram SCRAM-SHA-%s=[name=%s,password=%s] ' "$mechanism" "$name" "$password"; done
  done <"$dir/users"
}

# is_up tells whether the process of a pid file is alive and still that node: pids are used again.
is_up() {
  local pid
  pid=$(cat "$dir/node$1.pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "kafka.Kafka $dir/node$1.properties"
}

accepts() { (exec 7<>"/dev/tcp/$host/$1") 2>/dev/null; }

format_node() {
  [ -f "$dir/data$1/meta.properties" ] && return
  local credentials=()
  write_properties "$1"
  if secure; then read -ra credentials <<<"$(scram_users)"; fi
  java -Xmx128m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
    kafka.tools.StorageTool format -t "$(cat "$dir/cluster.id")" -c "$dir/node$1.properties" \
    ${credentials[@]+"${credentials[@]}"} >"$dir/format$1.log" 2>&1 ||
    { cat "$dir/format$1.log" >&2; fail "node $1 could not format its storage"; }
}

start_node() {
  local port try
  for port in "$(client_port "$1")" "$(controller_port "$1")"; do
    for ((try = 0; try < 50; try++)); do # the node before it may still be on its way out
      accepts "$port" || break
      sleep 0.2
    done
    [ "$try" -lt 50 ] || fail "port $port is taken"
  done
  setsid nohup java "-Xms$heap" "-Xmx$heap" -Djava.awt.headless=true \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.logFile="$dir/node$1.log" \
    -cp "$jars/*" kafka.Kafka "$dir/node$1.properties" </dev/null >>"$dir/node$1.out" 2>&1 &
  echo $! >"$dir/node$1.pid"
}

# request sends one Kafka request, given in hex, and prints the answer in hex, both without the length before them.
request() {
  local size
  exec 8<>"/dev/tcp/$host/$1" || return 1
  printf '%b' "$(printf '%08x%s' $((${#2} / 2)) "$2" | sed 's/../\\x&/g')" >&8
  size=$(timeout 3 head -c 4 <&8 | od -An -v -tx1 | tr -d ' \n')
  [ -n "$size" ] && timeout 3 head -c $((16#$size)) <&8 | od -An -v -tx1 | tr -d ' \n'
  exec 8>&-
}

# is_ready asks what a client will ask: every broker must know all of them (Metadata v1, no topics), and the
# coordinators of groups and of transactions must be found (FindCoordinator v1). An open port says neither.
is_ready() {
  local i answer
  for ((i = 1; i <= nodes; i++)); do
    answer=$(request "$(client_port "$i")" 00030001000000010002757000000000 2>/dev/null) || return 1
    [ "${answer:8:8}" = "$(printf '%08x' "$nodes")" ] || return 1
  done
  for i in 00 01; do
    answer=$(request "$base" "000a000100000001000275700002""7570$i" 2>/dev/null) || return 1
    [ "${answer:16:4}" = 0000 ] || return 1
  done
}

fetch_jars
[ -f "$dir/cluster.id" ] || head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d = >"$dir/cluster.id"
if secure && [ ! -f "$dir/brokers.secret" ]; then head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$dir/brokers.secret"; fi
formats=()
for ((i = 1; i <= nodes; i++)); do
  format_node "$i" &
  formats+=($!)
done
for pid in "${formats[@]}"; do wait "$pid"; done

started=()
abandon() {
  for i in ${started[@]+"${started[@]}"}; do kill -KILL "$(cat "$dir/node$i.pid")" 2>/dev/null || true; done
}
trap abandon EXIT
bootstrap=''
for ((i = 1; i <= nodes; i++)); do
  bootstrap+="${bootstrap:+,}$host:$(client_port "$i")"
  if ! is_up "$i"; then
    start_node "$i"
    started+=("$i")
  fi
done
deadline=$((SECONDS + ${FRAUDSTREAM_KAFKA_WAIT:-120}))
until is_ready; do
  for i in ${started[@]+"${started[@]}"}; do
    kill -0 "$(cat "$dir/node$i.pid")" 2>/dev/null || { tail -n 15 "$dir/node$i.out" "$dir/node$i.log" >&2; fail "node $i died"; }
  done
  [ "$SECONDS" -lt "$deadline" ] || { tail -n 5 "$dir"/node*.log >&2; fail "not ready in time"; }
  sleep 0.2
done
trap - EXIT
# A test that is killed runs no cleanup. Its brokers would go on taking the memory of the tests after it.
if [ -n "${FRAUDSTREAM_KAFKA_OWNER:-}" ] && [ ! -f "$dir/owner" ]; then
  echo "$FRAUDSTREAM_KAFKA_OWNER" >"$dir/owner"
  setsid nohup bash -c 'while kill -0 "$1"; do sleep 2; done; exec "$2" "$3" --kill9' owner \
    "$FRAUDSTREAM_KAFKA_OWNER" "$here/kafka-down.sh" "$dir" </dev/null >/dev/null 2>&1 &
fi
say "Apache Kafka $version, $nodes node(s), ready after $SECONDS s"
echo "$bootstrap"
