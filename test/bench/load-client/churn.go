package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// churn is a steady stream of changes. Change n is about service n modulo
// services, and a client which sees change n needs no earlier one of that
// service.
type churn struct {
	services, total int
	t0              []atomic.Int64 // of each change, unix nanoseconds; 0 = not made yet
	clients         []churnClient
	left            atomic.Int64 // pairs of client and service without the newest value
	done            chan struct{}
}

// churnClient is what one client has seen.
type churnClient struct {
	mu sync.Mutex
	// By service: the first change that was not seen.
	next []int
	ms   []float64
}

func newChurn(services, total, clients int) *churn {
	ch := &churn{services: services, total: total, t0: make([]atomic.Int64, total),
		clients: make([]churnClient, clients), done: make(chan struct{})}
	for i := range ch.clients {
		ch.clients[i].next = make([]int, services)
		for s := range services {
			ch.clients[i].next[s] = s
		}
	}
	ch.left.Store(int64(clients * min(services, total)))
	return ch
}

// see notes that a client has the value of change n, or newer ones are there.
func (ch *churn) see(client, n int, now time.Time) {
	if n < 0 || n >= ch.total {
		return
	}
	c := &ch.clients[client]
	s := n % ch.services
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.next[s]
	if k > n {
		return
	}
	for ; k <= n; k += ch.services {
		c.ms = append(c.ms, float64(now.UnixNano()-ch.t0[k].Load())/1e6)
	}
	c.next[s] = k
	if k >= ch.total && ch.left.Add(-1) == 0 {
		close(ch.done)
	}
}

// samples lists the latencies of the clients from and up to these numbers.
func (ch *churn) samples(from, to int) (ms []float64) {
	for i := from; i < to; i++ {
		c := &ch.clients[i]
		c.mu.Lock()
		ms = append(ms, c.ms...)
		c.mu.Unlock()
	}
	return ms
}

// mostInFlight triggers may run at once: a server that answers late does not
// slow the changes down.
const mostInFlight = 64

// make fires the changes at their rate.
func (l *load) makeChurn(ctx context.Context, ch *churn) error {
	rate := float64(l.o.churnRate)
	tick := time.NewTicker(min(max(time.Second/time.Duration(l.o.churnRate), 5*time.Millisecond), 10*time.Millisecond))
	defer tick.Stop()
	slots := make(chan struct{}, mostInFlight)
	failed := make(chan error, 1)
	var running sync.WaitGroup
	defer running.Wait()
	start := time.Now()
	for made := 0; made < ch.total; {
		due := min(int(time.Since(start).Seconds()*rate), ch.total)
		if due > made {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			now := time.Now().UnixNano()
			for n := made; n < due; n++ {
				ch.t0[n].Store(now)
			}
			url := strings.NewReplacer("{first}", strconv.Itoa(made), "{count}", strconv.Itoa(due-made)).Replace(l.o.churnURL)
			running.Go(func() {
				defer func() { <-slots }()
				if err := post(ctx, url); err != nil {
					select {
					case failed <- fmt.Errorf("trigger: %w", err):
					default:
					}
				}
			})
			made = due
		}
		select {
		case <-tick.C:
		case e := <-failed:
			return e
		case e := <-l.errs:
			return e
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// churnRun makes all changes of the churn and waits until nobody lacks one.
func (l *load) churnRun(ctx context.Context, rep *report) error {
	o := l.o
	ch := newChurn(o.services, o.churnTotal, o.clients)
	over := make(chan struct{})
	l.slowdown.Store(&over)
	l.churn.Store(ch)
	before, cpu := l.snapshot(), takeSample(o.pid, l.start).CPUSec
	start := time.Now()
	err := l.makeChurn(ctx, ch)
	made := time.Since(start)
	close(over)
	if err != nil {
		return err
	}
	timer := time.NewTimer(o.changeWait)
	defer timer.Stop()
	select {
	case <-ch.done:
	case <-timer.C:
	case e := <-l.errs:
		return e
	case <-ctx.Done():
		return ctx.Err()
	}
	drained := time.Since(start) - made
	diff := l.snapshot().minus(before)
	rep.Churn = &churnReport{Changes: ch.total, Rate: round(float64(ch.total)/made.Seconds(), 1), Lost: ch.left.Load(),
		Latency: distOf(ch.samples(o.slow, o.clients)), Slow: distOf(ch.samples(0, o.slow)), DrainSec: round(drained.Seconds(), 3),
		Payload: diff.payload(), Types: diff.per,
		ServerCPUPer: round((takeSample(o.pid, l.start).CPUSec-cpu)*1000/float64(ch.total), 3)}
	return nil
}
