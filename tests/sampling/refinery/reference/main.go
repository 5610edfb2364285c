// Asks Refinery's own samplers about traces, and Honeycomb's own translation of OTLP about spans.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/honeycombio/husky/otlp"
	"github.com/honeycombio/refinery/config"
	"github.com/honeycombio/refinery/logger"
	"github.com/honeycombio/refinery/metrics"
	"github.com/honeycombio/refinery/sample"
	"github.com/honeycombio/refinery/types"
	trace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// One of the fields is set: JSON has one kind of numbers, Go has several.
type typed struct {
	Text  *string  `json:"text,omitempty"`
	Int   *int64   `json:"int,omitempty"`
	Float *float64 `json:"float,omitempty"`
	Bool  *bool    `json:"bool,omitempty"`
	Other string   `json:"other,omitempty"`
}

func (t typed) value(field bool) any {
	switch {
	case t.Text != nil:
		return *t.Text
	case t.Int != nil && field:
		return *t.Int
	case t.Int != nil:
		return int(*t.Int)
	case t.Float != nil:
		return *t.Float
	case t.Bool != nil:
		return *t.Bool
	}
	return nil
}

type condition struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    typed  `json:"value"`
	Datatype string `json:"datatype"`
}

type rule struct {
	Scope      string      `json:"scope"`
	Conditions []condition `json:"conditions"`
}

type input struct {
	Rules  []rule               `json:"rules"`
	Traces [][]map[string]typed `json:"traces"`
	Ids    []string             `json:"ids"`
	Rates  []int                `json:"rates"`
	OTLP   []byte               `json:"otlp"`
}

type output struct {
	Matches [][]bool           `json:"matches"`
	Kept    [][]bool           `json:"kept"`
	Events  []map[string]typed `json:"events"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func asTrace(spans []map[string]typed) *types.Trace {
	made := &types.Trace{}
	for _, fields := range spans {
		data := map[string]interface{}{}
		for name, value := range fields {
			data[name] = value.value(true)
		}
		made.AddSpan(&types.Span{Event: types.Event{Data: data}})
	}
	return made
}

func matches(asked rule, traces []*types.Trace) []bool {
	made := &config.RulesBasedSamplerRule{Name: "asked", SampleRate: 1, Scope: asked.Scope}
	for _, each := range asked.Conditions {
		made.Condition = append(made.Condition, &config.RulesBasedSamplerCondition{
			Field: each.Field, Operator: each.Operator, Value: each.Value.value(false), Datatype: each.Datatype,
		})
	}
	sampler := &sample.RulesBasedSampler{
		Config:  &config.RulesBasedSamplerConfig{Rule: []*config.RulesBasedSamplerRule{made}},
		Logger:  &logger.NullLogger{},
		Metrics: &metrics.NullMetrics{},
	}
	check(sampler.Start())
	var found []bool
	for _, each := range traces {
		_, _, reason := sampler.GetSampleRate(each)
		found = append(found, reason != "no rule matched")
	}
	return found
}

func kept(ids []string, rate int) []bool {
	sampler := &sample.DeterministicSampler{
		Config: &config.DeterministicSamplerConfig{SampleRate: rate}, Logger: &logger.NullLogger{},
	}
	check(sampler.Start())
	var found []bool
	for _, id := range ids {
		_, keep, _ := sampler.GetSampleRate(&types.Trace{TraceID: id})
		found = append(found, keep)
	}
	return found
}

func written(value any) typed {
	switch found := value.(type) {
	case string:
		return typed{Text: &found}
	case int:
		whole := int64(found)
		return typed{Int: &whole}
	case int64:
		return typed{Int: &found}
	case float64:
		return typed{Float: &found}
	case bool:
		return typed{Bool: &found}
	}
	return typed{Other: fmt.Sprintf("%T %v", value, value)}
}

func main() {
	content, err := io.ReadAll(os.Stdin)
	check(err)
	var asked input
	check(json.Unmarshal(content, &asked))
	var told output
	var traces []*types.Trace
	for _, spans := range asked.Traces {
		traces = append(traces, asTrace(spans))
	}
	for _, each := range asked.Rules {
		told.Matches = append(told.Matches, matches(each, traces))
	}
	for _, rate := range asked.Rates {
		told.Kept = append(told.Kept, kept(asked.Ids, rate))
	}
	if len(asked.OTLP) > 0 {
		request := &trace.ExportTraceServiceRequest{}
		check(proto.Unmarshal(asked.OTLP, request))
		info := otlp.RequestInfo{ApiKey: "abc123DEF456ghi789jklm", ContentType: "application/protobuf"}
		result, err := otlp.TranslateTraceRequest(request, info)
		check(err)
		for _, batch := range result.Batches {
			for _, event := range batch.Events {
				fields := map[string]typed{}
				for name, value := range event.Attributes {
					fields[name] = written(value)
				}
				told.Events = append(told.Events, fields)
			}
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(told))
}
