package main

import (
	"context"
	"encoding/json"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const placed = "orders.placed"

type queue struct {
	mu      sync.Mutex // a channel may not be shared by goroutines that publish
	channel *amqp.Channel
}

func dial(url string) (*queue, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	channel, err := connection.Channel()
	if err != nil {
		return nil, err
	}
	_, err = channel.QueueDeclare(placed, false, false, false, false, nil)
	return &queue{channel: channel}, err
}

// publish tells the fulfilment. Go's AMQP client has no instrumentation: the span is made and the context injected
// by hand; on the other side the instrumentation of Python's pika finds it in the message's headers.
func (q *queue) publish(ctx context.Context, o order) error {
	ctx, span := tracer.Start(ctx, placed+" send", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "rabbitmq"),
		attribute.String("messaging.destination.name", placed),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("order.id", o.ID),
	))
	defer span.End()
	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	headers := amqp.Table{}
	for key, value := range carrier {
		headers[key] = value
	}
	body, err := json.Marshal(map[string]any{"order_id": o.ID, "user_id": o.UserID, "quantity": o.Quantity})
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.channel.PublishWithContext(ctx, "", placed, false, false, amqp.Publishing{Headers: headers, Body: body})
}
