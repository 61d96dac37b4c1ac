package main

import (
	"testing"
	"time"
)

// made returns a churn of six changes about two services for two clients, of
// which change n was made n seconds after the start.
func made(start time.Time) *churn {
	ch := newChurn(2, 6, 2)
	for n := range ch.t0 {
		ch.t0[n].Store(start.Add(time.Duration(n) * time.Second).UnixNano())
	}
	return ch
}

func TestNewerValueStandsForOlderOnes(t *testing.T) {
	start := time.Now()
	ch := made(start)
	ch.see(0, 4, start.Add(10*time.Second))
	// Changes 0, 2 and 4 are about the same service.
	want := []float64{10_000, 8000, 6000}
	got := ch.samples(0, 1)
	if len(got) != len(want) {
		t.Fatalf("samples %v, want %v", got, want)
	}
	for i := range want {
		if got[i] < want[i]-1 || got[i] > want[i]+1 {
			t.Errorf("sample %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestValueCountsOnce(t *testing.T) {
	start := time.Now()
	ch := made(start)
	ch.see(0, 2, start.Add(time.Minute))
	for _, n := range []int{2, 0, -1, 6} {
		ch.see(0, n, start.Add(time.Hour))
	}
	if got := ch.samples(0, 2); len(got) != 2 {
		t.Errorf("%d samples, want those of changes 0 and 2", len(got))
	}
}

func TestLostUntilEveryNewestValueWasSeen(t *testing.T) {
	ch := made(time.Now())
	for i, s := range []struct{ client, change int }{{0, 4}, {0, 3}, {0, 5}, {1, 5}} {
		ch.see(s.client, s.change, time.Now())
		if want := []int64{3, 3, 2, 1}[i]; ch.left.Load() != want {
			t.Errorf("after %v: %d left, want %d", s, ch.left.Load(), want)
		}
	}
	select {
	case <-ch.done:
		t.Fatal("done too early")
	default:
	}
	ch.see(1, 4, time.Now())
	select {
	case <-ch.done:
	default:
		t.Fatal("not done")
	}
}

func TestFewerChangesThanServices(t *testing.T) {
	ch := newChurn(100, 3, 2)
	if ch.left.Load() != 6 {
		t.Errorf("%d left, want 6: services without a change are no loss", ch.left.Load())
	}
}
