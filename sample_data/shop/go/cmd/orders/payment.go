package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const (
	attempts = 3
	patience = 400 * time.Millisecond
	pause    = 30 * time.Millisecond
)

var (
	errDeclined = errors.New("the payment was declined")
	client      = &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
)

// pay charges the customer and tries again when the provider is unavailable or too slow.
func (s *service) pay(ctx context.Context, o order, cents int) error {
	ctx, span := tracer.Start(ctx, "pay", trace.WithAttributes(attribute.String("order.id", o.ID)))
	defer span.End()
	var err error
	for attempt := 1; attempt <= attempts; attempt++ {
		span.SetAttributes(attribute.Int("payment.attempts", attempt))
		if err = s.charge(ctx, o, cents, attempt); err == nil || errors.Is(err, errDeclined) {
			return err
		}
		span.AddEvent("payment attempt failed", trace.WithAttributes(attribute.Int("attempt", attempt)))
		time.Sleep(pause)
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, "payment failed after three attempts")
	return err
}

func (s *service) charge(ctx context.Context, o order, cents, attempt int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(map[string]any{"order_id": o.ID, "attempt": attempt, "cents": cents})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.payments+"/charge", bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPaymentRequired:
		return errDeclined
	default:
		return fmt.Errorf("the payment provider answered %s", answer.Status)
	}
}
