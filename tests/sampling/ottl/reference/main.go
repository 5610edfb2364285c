// Reads spans as OTLP JSON and OTTL conditions from its input, and says what the Collector's own OTTL makes of each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

type question struct {
	Context   string `json:"context"`
	Condition string `json:"condition"`
}

type input struct {
	Traces    json.RawMessage `json:"traces"`
	Questions []question      `json:"questions"`
}

// Refused is why the text is no condition; Results has an answer per span, or per event of all spans in their order.
type answer struct {
	Refused string   `json:"refused,omitempty"`
	Results []string `json:"results"`
}

var settings = component.TelemetrySettings{Logger: zap.NewNop()}

// The tail sampler gives paths without a context that of the list in which the condition stands.
func parsed[K any](name string, parser ottl.Parser[K], text string) (condition *ottl.Condition[K], err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	convert := func(_ *ottl.ParserCollection[*ottl.Condition[K]], _ ottl.ConditionsGetter, all []*ottl.Condition[K]) (*ottl.Condition[K], error) {
		return all[0], nil
	}
	collection, err := ottl.NewParserCollection(settings, ottl.WithParserCollectionContext(name, &parser, ottl.WithConditionConverter(convert)))
	if err != nil {
		return nil, err
	}
	return collection.ParseConditionsWithContext(name, ottl.NewConditionsGetter([]string{text}), true)
}

func said[K any](condition *ottl.Condition[K], row K) (text string) {
	defer func() {
		if caught := recover(); caught != nil {
			text = fmt.Sprintf("panic: %v", caught)
		}
	}()
	matches, err := condition.Eval(context.Background(), row)
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(matches)
}

func spanAnswers(traces ptrace.Traces, text string) answer {
	functions := ottlfuncs.StandardConverters[*ottlspan.TransformContext]()
	root := ottlfuncs.NewIsRootSpanFactory()
	functions[root.Name()] = root
	parser, err := ottlspan.NewParser(functions, settings, ottlspan.EnablePathContextNames())
	if err != nil {
		panic(err)
	}
	condition, err := parsed(ottlspan.ContextName, parser, text)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	results := []string{}
	each(traces, func(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, span ptrace.Span) {
		row := ottlspan.NewTransformContext(resource, scope, span)
		results = append(results, said(condition, row))
		row.Close()
	})
	return answer{Results: results}
}

func eventAnswers(traces ptrace.Traces, text string) answer {
	parser, err := ottlspanevent.NewParser(ottlfuncs.StandardConverters[*ottlspanevent.TransformContext](), settings, ottlspanevent.EnablePathContextNames())
	if err != nil {
		panic(err)
	}
	condition, err := parsed(ottlspanevent.ContextName, parser, text)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	results := []string{}
	each(traces, func(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, span ptrace.Span) {
		for _, event := range span.Events().All() {
			row := ottlspanevent.NewTransformContext(resource, scope, span, event)
			results = append(results, said(condition, row))
			row.Close()
		}
	})
	return answer{Results: results}
}

func each(traces ptrace.Traces, visit func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span)) {
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				visit(resource, scope, span)
			}
		}
	}
}

func main() {
	var asked input
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(asked.Traces)
	if err != nil {
		panic(err)
	}
	answers := make([]answer, len(asked.Questions))
	for place, one := range asked.Questions {
		if one.Context == "spanevent" {
			answers[place] = eventAnswers(traces, one.Condition)
		} else {
			answers[place] = spanAnswers(traces, one.Condition)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
