package main

import (
	"math"
	"sort"
)

type dist struct {
	N    int     `json:"n"`
	Min  float64 `json:"min_ms"`
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	Mean float64 `json:"mean_ms"`
}

func round(v float64, d int) float64 {
	p := math.Pow(10, float64(d))
	return math.Round(v*p) / p
}

// distOf uses the nearest-rank definition of a percentile.
func distOf(ms []float64) *dist {
	if len(ms) == 0 {
		return nil
	}
	v := append([]float64(nil), ms...)
	sort.Float64s(v)
	q := func(p float64) float64 {
		i := int(math.Ceil(p*float64(len(v)))) - 1
		return round(v[max(i, 0)], 3)
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return &dist{N: len(v), Min: round(v[0], 3), P50: q(.5), P90: q(.9), P99: q(.99), Max: round(v[len(v)-1], 3), Mean: round(sum/float64(len(v)), 3)}
}
