// Command load-client plays N proxies against any xDS control plane that speaks
// the Aggregated Discovery Service, and measures what they get and when. See
// README.md.
//
// Nothing in here knows about a particular control plane: node identifiers and
// metadata are templates given by flags.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	o := parseFlags()
	if o.bound {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
	}
	l := &load{o: o, want: map[string]bool{}, matchURL: typeByShort[o.matchType], per: map[string]*counters{},
		synced: make(chan int, o.clients), errs: make(chan error, o.clients)}
	for _, t := range strings.Split(o.types, ",") {
		t = strings.TrimSpace(t)
		if typeByShort[t] == "" {
			fatal("-types: %q", t)
		}
		l.want[t] = true
		l.per[t] = &counters{}
	}
	if l.want["eds"] && !l.want["cds"] || l.want["rds"] && !l.want["lds"] {
		fatal("-types: eds needs cds, rds needs lds")
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.total)
	defer cancel()

	rep := &report{Label: o.label, Time: time.Now().UTC().Format(time.RFC3339), Addr: o.addr, Mode: o.mode, Order: o.order,
		Clients: o.clients, Samples: map[string]*sample{}}
	l.start = time.Now()
	err := l.sample(rep, "before")
	if err == nil {
		err = l.run(ctx, rep)
	}
	if err == nil {
		// All clients went at once, and the server has yet to see it.
		time.Sleep(2 * o.quiet)
		if e := l.sample(rep, "gone"); e != nil {
			l.logf("when all were gone: %v", e)
		}
	}
	if err != nil {
		rep.Error = err.Error()
	}
	rep.Samples["end"] = takeSample(o.pid, l.start)
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	_ = enc.Encode(rep)
	if err != nil {
		os.Exit(1)
	}
}

// sample asks the server for its own figures and then for what the system says.
func (l *load) sample(rep *report, name string) error {
	asked := &sample{}
	if err := askServer(l.o.statsURL, asked); err != nil {
		return err
	}
	s := takeSample(l.o.pid, l.start)
	s.Server = asked.Server
	rep.Samples[name] = s
	return nil
}

// dial opens a connection when it is first used. A slow client has a small
// window, so that the server notices soon.
func (l *load) dial(addr string, window int32) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", a)
			if err != nil {
				return nil, err
			}
			return countConn{c, &l.rx, &l.tx}, nil
		}))
}

func (l *load) run(ctx context.Context, rep *report) error {
	o := l.o
	nconn := o.conns
	if nconn <= 0 || nconn > o.clients {
		nconn = o.clients
	}
	conns := make([]*grpc.ClientConn, nconn)
	for i := range conns {
		window := int32(1 << 20)
		if i < o.slow {
			window = 1 << 16
		}
		cc, err := l.dial(o.addr, window)
		if err != nil {
			return err
		}
		defer cc.Close()
		conns[i] = cc
	}
	clients := make([]*client, o.clients)
	for i := range clients {
		c, err := newClient(l, i)
		if err != nil {
			return err
		}
		clients[i] = c
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	l.start = time.Now()
	go func() {
		for i, c := range clients {
			if o.ramp > 0 {
				at := l.start.Add(time.Duration(float64(i) / o.ramp * float64(time.Second)))
				time.Sleep(time.Until(at))
			}
			if runCtx.Err() != nil {
				return
			}
			l.running.Add(1)
			go func() {
				defer l.running.Done()
				if err := c.loop(runCtx, conns[i%nconn]); err != nil && runCtx.Err() == nil {
					l.errs <- fmt.Errorf("client %d: %w", c.n, err)
				}
			}()
		}
	}()

	// Phase 1: initial sync.
	deadline := time.NewTimer(o.syncWait)
	defer deadline.Stop()
	count := 0
	var err error
	for count < o.clients && err == nil {
		select {
		case <-l.synced:
			count++
			if count%100 == 0 || count == o.clients {
				l.logf("%d clients in sync", count)
			}
		case e := <-l.errs:
			err = e
		case <-deadline.C:
			err = fmt.Errorf("sync: %d of %d clients in sync after %s", count, o.clients, o.syncWait)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	t := l.snapshot()
	sr := &syncReport{OK: err == nil, Synced: count, FirstSec: round(float64(l.firstNs.Load())/1e9, 4),
		Payload: t.payload(), WireRx: t.rx, WireTx: t.tx, Responses: t.events, Requests: t.requests, Reconns: l.reconns.Load(), Types: t.per}
	rep.Sync = sr
	if err == nil {
		ms := make([]float64, 0, len(clients))
		for _, c := range clients {
			ms = append(ms, float64(c.syncAt.Nanoseconds())/1e6)
		}
		sr.Client = distOf(ms)
		sr.AllSec = round(sr.Client.Max/1000, 4)
		for _, c := range clients {
			if vh := c.subs[resource.VirtualHostType]; vh != nil && vh.started {
				sr.WithVHDS++
			}
		}
	}
	rep.Samples["in_sync"] = takeSample(o.pid, l.start)
	if err != nil {
		return err
	}
	if err := l.waitQuiet(ctx, o.settle, 10*o.settle+5*time.Second); err != nil {
		return err
	}
	if err := l.sample(rep, "settled"); err != nil {
		return err
	}

	// Phase 2: changes.
	if o.iters > 0 {
		if err := l.changes(ctx, rep); err != nil {
			return err
		}
		if err := l.sample(rep, "after_changes"); err != nil {
			return err
		}
	}
	if o.churnTotal > 0 {
		if err := l.churnRun(ctx, rep); err != nil {
			return err
		}
		if err := l.sample(rep, "after_churn"); err != nil {
			return err
		}
	}
	if o.resumeAddr != "" {
		stop()
		if err := l.resume(ctx, clients, rep); err != nil {
			return err
		}
	}
	if o.hold > 0 {
		select {
		case <-time.After(o.hold):
		case e := <-l.errs:
			return e
		case <-ctx.Done():
		}
		if err := l.sample(rep, "after_hold"); err != nil {
			return err
		}
	}
	return nil
}

// waitQuiet waits until nothing was received for d (or for at most limit).
func (l *load) waitQuiet(ctx context.Context, d, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		idle := time.Since(time.Unix(0, l.lastRecv.Load()))
		if idle >= d || time.Now().After(end) {
			return nil
		}
		select {
		case <-time.After(min(d-idle+time.Millisecond, 50*time.Millisecond)):
		case e := <-l.errs:
			return e
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *load) logf(f string, a ...any) {
	if l.o.verbose {
		fmt.Fprintf(os.Stderr, "%8.3f "+f+"\n", append([]any{time.Since(l.start).Seconds()}, a...)...)
	}
}
