{{- define "ws-gateway.labels" -}}
app.kubernetes.io/name: ws-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Ports by name, as the configuration has them. */ -}}
{{- define "ws-gateway.ports" -}}
{{- $config := .Values.config -}}
{{- $ops := ($config.ops).port | default 0 | int -}}
http: {{ ($config.server).port | default 8080 | int }}
{{- if $ops }}
ops: {{ $ops }}
{{- end }}
{{- end }}

{{- /* Those of gRPC: the service, and one for each hub. Only edges have them. */ -}}
{{- define "ws-gateway.grpcPorts" -}}
{{- $grpc := .Values.config.grpc | default dict -}}
{{- if or (not (hasKey $grpc "enabled")) $grpc.enabled -}}
grpc: {{ $grpc.port | default 9003 | int }}
{{- $hubs := list (dict "grpcPort" 50051) -}}
{{- if kindIs "slice" .Values.config.hubs }}{{ $hubs = .Values.config.hubs }}{{ end }}
{{- range $place, $hub := $hubs }}
grpc-hub-{{ $place }}: {{ $hub.grpcPort | default (add 50051 $place) | int }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether the port of the clients speaks TLS by itself. */ -}}
{{- define "ws-gateway.tls" -}}
{{- if ((.Values.config.server).tls).certFile }}yes{{ end }}
{{- end }}

{{- /* The port that probes and Prometheus ask, and how. */ -}}
{{- define "ws-gateway.probed" -}}
{{- $ports := include "ws-gateway.ports" . | fromYaml -}}
{{- $hasOps := hasKey $ports "ops" -}}
port: {{ $hasOps | ternary "ops" "http" }}
scheme: {{ or $hasOps (empty (include "ws-gateway.tls" .)) | ternary "HTTP" "HTTPS" }}
{{- end }}
