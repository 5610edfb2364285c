// Payments stands for a payment provider. How a charge goes is written in the order's id.
package main

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"tracelab.example/shop/internal/telemetry"
)

type charge struct {
	OrderID string `json:"order_id"`
	Attempt int    `json:"attempt"`
	Cents   int    `json:"cents"`
}

func answerTo(c charge) int {
	switch kind, _, _ := strings.Cut(c.OrderID, "-"); {
	case kind == "down", kind == "flaky" && c.Attempt == 1:
		return http.StatusServiceUnavailable
	case kind == "declined":
		return http.StatusPaymentRequired
	default:
		return http.StatusOK
	}
}

func handle(w http.ResponseWriter, r *http.Request) {
	var c charge
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	span := trace.SpanFromContext(r.Context())
	span.SetAttributes(attribute.String("order.id", c.OrderID), attribute.Int("payment.cents", c.Cents))
	rng := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(c.OrderID))), uint64(c.Attempt)))
	time.Sleep(time.Duration(25+rng.ExpFloat64()*20) * time.Millisecond)
	if strings.HasPrefix(c.OrderID, "slow-") {
		// Longer than any client waits; the work goes on all the same, so this span outlives its parent.
		span.AddEvent("waiting for the bank")
		time.Sleep(900 * time.Millisecond)
	}
	w.WriteHeader(answerTo(c))
}

func main() {
	defer telemetry.Start(context.Background())()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charge", handle)
	telemetry.Serve(mux)
}
