"""Writes records as the registry's own serializers write them: Avro, Protobuf and JSON Schema, each of two versions.

pip install 'confluent-kafka[avro,protobuf,json,schemaregistry]' grpcio-tools
"""

import os
import subprocess
import sys
import tempfile

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

here = os.path.dirname(os.path.abspath(__file__))
user = sys.argv[1] if len(sys.argv) > 1 else "u1"
prefix = os.environ.get("TOPIC_PREFIX", "shop.")
registry = SchemaRegistryClient({"url": os.environ["SCHEMA_REGISTRY_URL"]})
brokers = os.environ.get("KAFKA_BROKERS", "localhost:9092")
producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
settings = {"subject.name.strategy": topic_subject_name_strategy}


def produce(topic, serialize, value):
    serialized = serialize(value, SerializationContext(prefix + topic, MessageField.VALUE))
    producer.produce(prefix + topic, key=user, value=serialized)


def avro():
    first = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
      {"name": "owner", "type": "string"}, {"name": "order_id", "type": "long"}]}"""
    second = """{"type": "record", "name": "Order", "namespace": "shop", "fields": [
      {"name": "owner", "type": "string"}, {"name": "order_id", "type": "long"},
      {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, "default": "\\u0000"}]}"""
    from decimal import Decimal

    order = {"owner": user, "order_id": 9223372036854775807}
    produce("orders", AvroSerializer(registry, first, conf=settings), order)
    produce("orders", AvroSerializer(registry, second, conf=settings), {**order, "total": Decimal("12.50")})


def protobuf():
    """The messages of shop.proto, of which one is within another and one in a file of its own."""
    out = tempfile.mkdtemp()
    files = ["shop.proto", "place.proto"]
    subprocess.check_call([sys.executable, "-m", "grpc_tools.protoc", f"-I{here}", f"--python_out={out}", *files])
    sys.path.insert(0, out)
    import place_pb2
    import shop_pb2

    parcel = shop_pb2.Parcel(owner=user, parcel_id=18446744073709551615)
    stop = shop_pb2.Shipment.Stop(owner=user, state="STATE_LEFT", place=place_pb2.Place(city="Köln"))
    stop.left_at.FromJsonString("2026-05-01T10:00:00.123456Z")
    for message in (parcel, stop):
        produce("shipments", ProtobufSerializer(type(message), registry, settings), message)


def json_schema():
    schema = """{"$schema": "http://json-schema.org/draft-07/schema#", "title": "Stock", "type": "object",
      "properties": {"owner": {"type": "string"}, "left": {"type": "integer"}}}"""
    produce("stock", JSONSerializer(schema, registry, conf=settings), {"owner": user, "left": 3})


avro()
protobuf()
json_schema()
if producer.flush(10) > 0:
    sys.exit("Kafka did not take all records")
