package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// changes makes one change after the other and waits for each until every
// client has it.
func (l *load) changes(ctx context.Context, rep *report) error {
	o := l.o
	pr := &propReport{}
	rep.Prop = pr
	var lat, ret, all, trig []float64
	var sum totals
	var cpu0 float64
	sum.per = map[string]typeCount{}
	base := int(time.Now().Unix() % 50) // so that runs against the same server differ
	for i := 0; i < o.warmup+o.iters; i++ {
		measured := i >= o.warmup
		k := base*1000 + i
		value := strings.NewReplacer("{hi}", strconv.Itoa((k/250)%250), "{lo}", strconv.Itoa(k%250+1), "{i}", strconv.Itoa(i)).Replace(o.valueTmpl)
		ch := &change{value: value, cluster: o.matchName, got: make([]atomic.Int64, o.clients), done: make(chan struct{})}
		ch.left.Store(int64(o.clients))
		if i == o.warmup {
			cpu0 = takeSample(o.pid, l.start).CPUSec
		}
		before := l.snapshot()
		ch.t0 = time.Now()
		l.current.Store(ch)
		if err := l.fire(ctx, i, value); err != nil {
			return fmt.Errorf("trigger: %w", err)
		}
		took := time.Since(ch.t0)
		timer := time.NewTimer(o.changeWait)
		timedOut := false
		select {
		case <-ch.done:
		case <-timer.C:
			timedOut = true
		case e := <-l.errs:
			timer.Stop()
			return e
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
		if err := l.waitQuiet(ctx, o.quiet, o.changeWait); err != nil {
			return err
		}
		diff := l.snapshot().minus(before)
		l.current.Store(nil)
		cr := changeReport{Value: value, TriggerMs: round(took.Seconds()*1000, 3), Payload: diff.payload(), WireRx: diff.rx, Responses: diff.events, Types: diff.per}
		first, last := math.Inf(1), 0.0
		for n := range ch.got {
			ns := ch.got[n].Load()
			if ns == 0 {
				if measured {
					pr.Missed++
				}
				continue
			}
			cr.Got++
			ms := float64(ns) / 1e6
			first, last = min(first, ms), max(last, ms)
			if measured {
				lat = append(lat, ms)
				ret = append(ret, ms-took.Seconds()*1000)
			}
		}
		if cr.Got > 0 {
			cr.FirstMs, cr.AllMs = round(first, 3), round(last, 3)
		}
		l.logf("change %d %s: trigger %.1f ms, %d clients, first %.1f ms, all %.1f ms, %d responses, %d bytes", i, value, cr.TriggerMs, cr.Got, cr.FirstMs, cr.AllMs, cr.Responses, cr.Payload)
		if measured {
			pr.Changes++
			trig = append(trig, cr.TriggerMs)
			if !timedOut {
				all = append(all, last)
			}
			sum.rx += diff.rx
			sum.events += diff.events
			for t, c := range diff.per {
				s := sum.per[t]
				sum.per[t] = typeCount{s.Responses + c.Responses, s.Resources + c.Resources, s.Removed + c.Removed, s.Bytes + c.Bytes}
			}
			if o.perIter {
				pr.Each = append(pr.Each, cr)
			}
		}
		if i+1 < o.warmup+o.iters {
			select {
			case <-time.After(o.interval):
			case e := <-l.errs:
				return e
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	pr.Latency, pr.FromReturn, pr.All, pr.Trigger = distOf(lat), distOf(ret), distOf(all), distOf(trig)
	n := float64(max(pr.Changes, 1))
	pr.PayloadPer = round(float64(sum.payload())/n, 1)
	pr.PayloadPerCl = round(pr.PayloadPer/float64(o.clients), 1)
	pr.WireRxPer = round(float64(sum.rx)/n, 1)
	pr.ResponsesPer = round(float64(sum.events)/n, 2)
	pr.TypesPerChange = sum.per
	if o.pid > 0 {
		pr.ServerCPUPer = round((takeSample(o.pid, l.start).CPUSec-cpu0)*1000/n, 2)
	}
	return nil
}

// fire makes one change.
func (l *load) fire(ctx context.Context, i int, value string) error {
	return post(ctx, strings.NewReplacer("{value}", value, "{i}", strconv.Itoa(i)).Replace(l.o.trigURL))
}

func post(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(b))
	}
	return nil
}
