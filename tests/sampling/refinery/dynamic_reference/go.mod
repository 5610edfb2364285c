module tracelab/dynamic

go 1.20

require github.com/honeycombio/dynsampler-go v0.6.3

replace github.com/honeycombio/dynsampler-go => ./dynsampler
