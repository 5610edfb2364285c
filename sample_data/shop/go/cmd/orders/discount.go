package main

import (
	"context"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// discount computes what the order costs. Since version 1.9.0 business customers have price lists of their own,
// which are read anew for every order: the regression that the sample data carries.
func (s *service) discount(ctx context.Context, o order) int {
	ctx, span := tracer.Start(ctx, "compute_discount", trace.WithAttributes(attribute.String("customer.kind", o.CustomerKind)))
	defer span.End()
	rng := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(o.ID))), 7))
	time.Sleep(time.Duration(2+rng.ExpFloat64()*3) * time.Millisecond)
	if s.slowPriceList && o.CustomerKind == "business" {
		loadPriceList(ctx, rng)
	}
	return o.Quantity * (500 + o.ProductID*10)
}

func loadPriceList(ctx context.Context, rng *rand.Rand) {
	_, span := tracer.Start(ctx, "load_price_list", trace.WithAttributes(attribute.Int("price_list.rows", 40_000)))
	defer span.End()
	time.Sleep(time.Duration(140+rng.NormFloat64()*20) * time.Millisecond)
}
