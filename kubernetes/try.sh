#!/bin/sh
# One command from nothing to a message: a kind cluster on this machine, the image, everything with the demo's Kafka and
# Redis, one record through. Needs docker, kind and kubectl. Ends with the cluster running; `kind delete cluster --name
# ws-gateway` takes it away.
set -eu
cd "$(dirname "$0")/.."
image=ws-gateway:$(sed -n 's/.*"version": "\(.*\)".*/\1/p' apps/gateway/package.json)

docker build -t "$image" .
kind get clusters | grep -qx ws-gateway || kind create cluster --name ws-gateway --wait 2m
kind load docker-image --name ws-gateway "$image"
kubectl() { command kubectl --context kind-ws-gateway "$@"; }

kubectl get secret ws-gateway >/dev/null 2>&1 ||
  kubectl create secret generic ws-gateway --from-literal=JWT_SECRET="$(openssl rand -hex 32)"
kubectl apply -f kubernetes/demo/
kubectl apply -k kubernetes/
kubectl wait --for=condition=complete --timeout=5m job/ws-gateway-topics
kubectl rollout status --timeout=5m deployment/ws-gateway-edge
kubectl rollout status --timeout=5m deployment/ws-gateway-router

config=/etc/ws-gateway/config.yaml
in_edge() { kubectl exec deployment/ws-gateway-edge -- ws-gateway "$@"; }
token=$(in_edge token --user u1 -c $config)
frames=$(mktemp)
in_edge listen ws://localhost:8080/ws --token "$token" --topics notifications >"$frames" &
listener=$!
trap 'kill $listener 2>/dev/null; rm -f "$frames"' EXIT
wait_for() {
  for _ in $(seq 60); do grep -q "$1" "$frames" && return; sleep 1; done
  echo "try.sh: no frame with $1" >&2
  exit 1
}
wait_for '"event":"connected"'
in_edge produce notifications --user u1 --payload '{"title":"hello from Kubernetes"}' -c $config
wait_for 'hello from Kubernetes'
grep 'hello from Kubernetes' "$frames"
