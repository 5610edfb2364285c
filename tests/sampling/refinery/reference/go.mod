module tracelab/refinery

go 1.20

require (
	github.com/honeycombio/husky v0.22.2
	github.com/honeycombio/refinery v1.21.0
	go.opentelemetry.io/proto/otlp v0.19.0
	google.golang.org/protobuf v1.30.0
)

replace go.opentelemetry.io/proto/otlp => github.com/honeycombio/opentelemetry-proto-go/otlp v0.19.0-compat
