// Asks the samplers of dynsampler-go for the rates of arrivals, with a clock that stands still between them.
package main

import (
	"encoding/json"
	"os"

	"github.com/honeycombio/dynsampler-go"
)

type arrival struct {
	Key   string `json:"key"`
	Count int    `json:"count"`
	Time  int64  `json:"time"`
}

type input struct {
	Kind     string          `json:"kind"`
	Sampler  json.RawMessage `json:"sampler"`
	Interval int64           `json:"interval"`
	Arrivals []arrival       `json:"arrivals"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func rates(asked input) []int {
	kinds := map[string]dynsampler.Sampler{
		"average":    &dynsampler.AvgSampleRate{},
		"throughput": &dynsampler.TotalThroughput{},
		"windowed":   &dynsampler.WindowedThroughput{},
		"ema":        &dynsampler.EMASampleRate{},
		"emaflow":    &dynsampler.EMAThroughput{},
	}
	sampler := kinds[asked.Kind]
	check(json.Unmarshal(asked.Sampler, sampler))
	dynsampler.Still(sampler)
	found := []int{}
	tick := asked.Arrivals[0].Time + asked.Interval
	for _, each := range asked.Arrivals {
		for ; tick <= each.Time; tick += asked.Interval {
			dynsampler.At(sampler, tick)
			dynsampler.Tick(sampler)
		}
		dynsampler.At(sampler, each.Time)
		found = append(found, sampler.GetSampleRateMulti(each.Key, each.Count))
		if dynsampler.Burst(sampler) {
			tick = each.Time + asked.Interval
		}
	}
	return found
}

func main() {
	var asked []input
	check(json.NewDecoder(os.Stdin).Decode(&asked))
	told := [][]int{}
	for _, each := range asked {
		told = append(told, rates(each))
	}
	check(json.NewEncoder(os.Stdout).Encode(told))
}
