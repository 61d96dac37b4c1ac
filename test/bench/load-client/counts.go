package main

type typeCount struct {
	Responses int64 `json:"responses"`
	Resources int64 `json:"resources"`
	Removed   int64 `json:"removed,omitempty"`
	Bytes     int64 `json:"bytes"`
}

type totals struct {
	per      map[string]typeCount
	rx, tx   int64
	events   int64
	requests int64
}

func (l *load) snapshot() totals {
	t := totals{per: map[string]typeCount{}, rx: l.rx.Load(), tx: l.tx.Load(), events: l.events.Load(), requests: l.requests.Load()}
	for k, c := range l.per {
		t.per[k] = typeCount{c.responses.Load(), c.resources.Load(), c.removed.Load(), c.bytes.Load()}
	}
	return t
}

func (t totals) minus(p totals) totals {
	d := totals{per: map[string]typeCount{}, rx: t.rx - p.rx, tx: t.tx - p.tx, events: t.events - p.events, requests: t.requests - p.requests}
	for k, c := range t.per {
		q := p.per[k]
		d.per[k] = typeCount{c.Responses - q.Responses, c.Resources - q.Resources, c.Removed - q.Removed, c.Bytes - q.Bytes}
	}
	return d
}

func (t totals) payload() int64 {
	var n int64
	for _, c := range t.per {
		n += c.Bytes
	}
	return n
}
