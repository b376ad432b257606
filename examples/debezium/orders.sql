CREATE TABLE orders (
  id bigint PRIMARY KEY,
  owner text NOT NULL,
  total numeric(12, 2) NOT NULL,
  note text
);

-- Without this a deleted row is written with its key alone, and nobody knows whose it was.
ALTER TABLE orders REPLICA IDENTITY FULL;

-- Rows that are there already come as `read`.
INSERT INTO orders VALUES (1, 'u1', 5.00, 'before Debezium');
