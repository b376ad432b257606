{{- define "ws-gateway.labels" -}}
app.kubernetes.io/name: ws-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "ws-gateway.ports" -}}
{{- $config := .Values.config -}}
{{- $ops := ($config.ops).port | default 0 | int -}}
http: {{ ($config.server).port | default 8080 | int }}
{{- if $ops }}
ops: {{ $ops }}
{{- end }}
{{- end }}
