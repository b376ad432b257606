#!/bin/sh
# Makes a table, lets Debezium watch it from a Kafka Connect worker of one process, and changes some rows. Needs psql, Java 17,
# Maven and curl, and a PostgreSQL with wal_level = logical. Stops the worker with Ctrl-C.
set -eu
cd "$(dirname "$0")"
: "${PGHOST:=127.0.0.1}" "${PGPORT:=5432}" "${PGUSER:=postgres}" "${PGPASSWORD:=postgres}" "${PGDATABASE:=postgres}"
export PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
brokers=${KAFKA_BROKERS:-localhost:9092}
prefix=${TOPIC_PREFIX:-shop}
port=${CONNECT_PORT:-8083}
jars=${DEBEZIUM_JARS:-./jars}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -d "$jars" ]; then
  echo "fetching Kafka Connect and Debezium by Maven (38 MB, once)"
  mvn -q -B dependency:copy-dependencies -DoutputDirectory="$jars.unfinished"
  mv "$jars.unfinished" "$jars"
fi

psql -q -v ON_ERROR_STOP=1 -f orders.sql

cat >"$work/worker.properties" <<END
bootstrap.servers=$brokers
listeners=http://127.0.0.1:$port
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.file.filename=$work/offsets
offset.flush.interval.ms=1000
END
cat >"$work/connector.properties" <<END
name=$prefix
connector.class=io.debezium.connector.postgresql.PostgresConnector
database.hostname=$PGHOST
database.port=$PGPORT
database.user=$PGUSER
database.password=$PGPASSWORD
database.dbname=$PGDATABASE
plugin.name=pgoutput
topic.prefix=$prefix
table.include.list=public.orders
publication.autocreate.mode=filtered
decimal.handling.mode=string
topic.creation.default.replication.factor=1
topic.creation.default.partitions=1
END

java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
  org.apache.kafka.connect.cli.ConnectStandalone "$work/worker.properties" "$work/connector.properties" &
worker=$!
trap 'kill $worker; wait $worker || true; rm -rf "$work"' EXIT
trap 'exit 0' INT TERM

# The replication slot is taken when the rows that were there have been read.
until [ "$(psql -qtA -c "SELECT count(*) FROM pg_replication_slots WHERE active")" -gt 0 ]; do
  kill -0 $worker
  sleep 1
done
psql -q -v ON_ERROR_STOP=1 -f changes.sql
echo "rows changed; Debezium goes on watching"
wait $worker
