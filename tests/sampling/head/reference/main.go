// Decides as the Collector's processor probabilistic_sampler and as Go's SDK do: questions come in as JSON, one a line,
// and what is kept goes out, a line each.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	processors "github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	metrics "go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	traces "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

type question struct {
	Ratio  *float64        // for the SDK, with ids
	Ids    []string        //
	Config map[string]any  // for the processor, with spans as OTLP JSON
	Spans  json.RawMessage //
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		if asked.Ratio != nil {
			fmt.Println(sampled(*asked.Ratio, asked.Ids))
		} else {
			fmt.Println(processed(asked.Config, asked.Spans))
		}
	}
}

// sampled gives a 0 or 1 for every id.
func sampled(ratio float64, ids []string) string {
	sampler := sdk.TraceIDRatioBased(ratio)
	var digits strings.Builder
	for _, text := range ids {
		var id trace.TraceID
		if _, err := hex.Decode(id[:], []byte(text)); err != nil {
			panic(err)
		}
		given := sdk.SamplingParameters{ParentContext: context.Background(), TraceID: id}
		if sampler.ShouldSample(given).Decision == sdk.RecordAndSample {
			digits.WriteByte('1')
		} else {
			digits.WriteByte('0')
		}
	}
	return digits.String()
}

// processed gives the spans that are kept as OTLP JSON, or the reason why the configuration is refused.
func processed(config map[string]any, spans []byte) string {
	data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(spans)
	if err != nil {
		panic(err)
	}
	factory := processors.NewFactory()
	read := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(config).Unmarshal(read); err != nil {
		return "refused: " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	if checked, ok := read.(interface{ Validate() error }); ok {
		if err := checked.Validate(); err != nil {
			return "refused: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
	}
	var kept ptrace.Traces = ptrace.NewTraces()
	next, err := consumer.NewTraces(func(_ context.Context, found ptrace.Traces) error {
		kept = found
		return nil
	})
	if err != nil {
		panic(err)
	}
	settings := processor.Settings{
		ID: component.NewID(factory.Type()),
		TelemetrySettings: component.TelemetrySettings{
			Logger:         zap.NewNop(),
			MeterProvider:  metrics.NewMeterProvider(),
			TracerProvider: traces.NewTracerProvider(),
		},
	}
	made, err := factory.CreateTraces(context.Background(), settings, read, next)
	if err != nil {
		return "refused: " + err.Error()
	}
	if err := made.ConsumeTraces(context.Background(), data); err != nil {
		panic(err)
	}
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(kept)
	if err != nil {
		panic(err)
	}
	return string(text)
}
