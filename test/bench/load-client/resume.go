package main

import (
	"context"
	"fmt"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
)

// resume has all clients, whose streams have ended, come to another server with
// what they hold, and waits until nothing more is received. A server which
// sends only what differs has nothing to say, so there is no other end.
func (l *load) resume(ctx context.Context, clients []*client, rep *report) error {
	l.running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	before, cpu := l.snapshot(), takeSample(l.o.resumePid, l.start).CPUSec
	start := time.Now()
	l.lastRecv.Store(start.UnixNano())
	for _, c := range clients {
		cc, err := l.dial(l.o.resumeAddr, 1<<20)
		if err != nil {
			return err
		}
		defer cc.Close()
		go func() {
			if err := c.resume(ctx, cc); err != nil && ctx.Err() == nil {
				l.errs <- fmt.Errorf("client %d: %w", c.n, err)
			}
		}()
	}
	if err := l.waitQuiet(ctx, max(l.o.settle, time.Second), l.o.syncWait); err != nil {
		return err
	}
	diff := l.snapshot().minus(before)
	rep.Resume = &resumeReport{LastSec: round(time.Unix(0, l.lastRecv.Load()).Sub(start).Seconds(), 4), Payload: diff.payload(),
		Requests: diff.requests, ServerCPU: takeSample(l.o.resumePid, l.start).CPUSec - cpu, Types: diff.per}
	return nil
}

// resume asks for everything at once, as a proxy does whose stream broke.
func (c *client) resume(ctx context.Context, cc *grpc.ClientConn) error {
	c.sentN = false
	if err := c.open(ctx, cc); err != nil {
		return err
	}
	for _, short := range []string{"cds", "eds", "lds", "rds", "vhds"} {
		s := c.subs[typeByShort[short]]
		if s == nil || !s.started || short != "cds" && short != "lds" && short != "vhds" && len(s.list) == 0 {
			continue
		}
		s.nonce = ""
		if err := c.send(&discoveryv3.DeltaDiscoveryRequest{Node: c.takeNode(), TypeUrl: typeByShort[short],
			ResourceNamesSubscribe: s.list, InitialResourceVersions: s.held}); err != nil {
			return err
		}
	}
	return c.receive(ctx)
}
