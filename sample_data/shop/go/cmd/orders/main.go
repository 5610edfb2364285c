// Orders takes an order: discount, payment, then a message to the fulfilment.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"tracelab.example/shop/internal/telemetry"
)

var tracer = otel.Tracer("shop.orders")

type order struct {
	ID           string `json:"order_id"`
	ProductID    int    `json:"product_id"`
	Quantity     int    `json:"quantity"`
	UserID       string `json:"-"`
	CustomerKind string `json:"-"`
}

type service struct {
	slowPriceList bool
	payments      string
	queue         *queue
}

func (s *service) place(w http.ResponseWriter, r *http.Request) {
	o := order{UserID: r.Header.Get("x-user-id"), CustomerKind: r.Header.Get("x-customer-kind")}
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	trace.SpanFromContext(ctx).SetAttributes(
		attribute.String("order.id", o.ID),
		attribute.String("user.id", o.UserID),
		attribute.String("customer.kind", o.CustomerKind),
	)
	cents := s.discount(ctx, o)
	err := s.pay(ctx, o, cents)
	if err == nil {
		err = s.queue.publish(ctx, o)
	}
	status := statusOf(err)
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"order_id": o.ID, "accepted": status == http.StatusAccepted})
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusAccepted
	case errors.Is(err, errDeclined):
		return http.StatusPaymentRequired
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadGateway
	}
}

func main() {
	defer telemetry.Start(context.Background())()
	q, err := dial(os.Getenv("AMQP_URL"))
	if err != nil {
		log.Fatal(err)
	}
	s := &service{
		// What version 1.9.0 brought: see discount.go.
		slowPriceList: os.Getenv("ORDERS_VERSION") == "1.9.0",
		payments:      os.Getenv("PAYMENTS_URL"),
		queue:         q,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.place)
	telemetry.Serve(mux)
}
