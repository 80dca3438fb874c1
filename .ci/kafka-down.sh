#!/usr/bin/env bash
# Stops what kafka-up.sh started in DIR, by its pid files, and waits until it is gone.
#
#   kafka-down.sh DIR [NODE] [--kill9]
#
# NODE is 1, 2 or 3 (all without it). --kill9 is a crash: SIGKILL at once. Otherwise SIGTERM, and SIGKILL after
# FRAUDSTREAM_KAFKA_STOP_WAIT seconds (8): the last nodes of a quorum cannot leave in good order. Data stays.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
[ -d "$1" ] || exit 0
dir=$(cd "$1" && pwd)
shift
node='' signal=TERM
for argument in "$@"; do
  case $argument in
    [1-3]) node=$argument ;;
    --kill9) signal=KILL ;;
    *) echo "kafka-down: unknown argument $argument" >&2; exit 2 ;;
  esac
done

# is_ours guards against a pid that has been used again since.
is_ours() {
  tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "kafka.Kafka $dir/node$2.properties"
}

going=()
for file in "$dir"/node${node:-[1-3]}.pid; do
  [ -f "$file" ] || continue
  i=${file##*/node}
  i=${i%.pid}
  pid=$(cat "$file")
  if is_ours "$pid" "$i"; then
    kill "-$signal" "$pid" 2>/dev/null || true
    going+=("$i")
  fi
done
deadline=$((SECONDS + ${FRAUDSTREAM_KAFKA_STOP_WAIT:-8}))
for i in ${going[@]+"${going[@]}"}; do
  pid=$(cat "$dir/node$i.pid")
  while is_ours "$pid" "$i"; do
    [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
done
rm -f "$dir"/node${node:-[1-3]}.pid
