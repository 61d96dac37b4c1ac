package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

var typeByShort = map[string]string{
	"cds":  resource.ClusterType,
	"eds":  resource.EndpointType,
	"lds":  resource.ListenerType,
	"rds":  resource.RouteType,
	"vhds": resource.VirtualHostType,
}
var shortByType = map[string]string{
	resource.ClusterType:     "cds",
	resource.EndpointType:    "eds",
	resource.ListenerType:    "lds",
	resource.RouteType:       "rds",
	resource.VirtualHostType: "vhds",
}

type counters struct {
	responses, resources, removed, bytes atomic.Int64
}

// change is one measured change, shared by all clients.
type change struct {
	value   string
	cluster string
	t0      time.Time
	got     []atomic.Int64 // per client, nanoseconds after t0, 0 = not yet
	left    atomic.Int64
	done    chan struct{}
}

type load struct {
	o        *options
	want     map[string]bool
	matchURL string
	start    time.Time
	per      map[string]*counters
	rx, tx   atomic.Int64
	requests atomic.Int64
	reconns  atomic.Int64
	lastRecv atomic.Int64 // unix nanoseconds
	firstNs  atomic.Int64
	synced   chan int
	errs     chan error
	current  atomic.Pointer[change]
	churn    atomic.Pointer[churn]
	running  sync.WaitGroup // of the streams of the first connections
	// Closed when slow clients may read at full speed again; nil before they are slow.
	slowdown atomic.Pointer[chan struct{}]
	events   atomic.Int64 // responses, all types
}

type sub struct {
	names   map[string]bool // subscribed (nil for wildcard)
	list    []string
	have    map[string]struct{}
	held    map[string]string // delta: versions of what the client holds, by name
	nonce   string
	version string
	started bool
	seen    bool // any response
}

type client struct {
	read   int // bytes of the last message
	l      *load
	n      int
	stream grpc.ClientStream
	node   *corev3.Node
	sentN  bool
	subs   map[string]*sub
	// SotW keeps the dependencies of the whole last response; delta by resource.
	depsBy map[string]map[string][]string
	syncAt time.Duration
	inSync bool
	delta  bool
}

func (l *load) tmpl(s string, n int) string {
	ip := fmt.Sprintf("10.%d.%d.%d", 100+n/60000, (n/250)%240, n%250+1)
	return strings.NewReplacer("{n}", strconv.Itoa(n), "{ip}", ip, "{ns}", strconv.Itoa(n%l.o.namespaces)).Replace(s)
}

func newClient(l *load, n int) (*client, error) {
	c := &client{l: l, n: n, delta: l.o.mode == "delta"}
	c.node = &corev3.Node{Id: l.tmpl(l.o.nodeID, n), Cluster: l.tmpl(l.o.nodeClust, n), UserAgentName: l.o.agent}
	if v := versionOf(l.o.agentVer); v != nil {
		c.node.UserAgentVersionType = &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
			Version: &typev3.SemanticVersion{MajorNumber: v[0], MinorNumber: v[1], Patch: v[2]}}}
	}
	if l.o.nodeMeta != "" {
		st := &structpb.Struct{}
		if err := protojson.Unmarshal([]byte(l.tmpl(l.o.nodeMeta, n)), st); err != nil {
			return nil, fmt.Errorf("node metadata: %w", err)
		}
		c.node.Metadata = st
	}
	return c, nil
}

// loop opens the stream, again if the server ends it and -reconnect allows.
func (c *client) loop(ctx context.Context, cc *grpc.ClientConn) error {
	backoff := 250 * time.Millisecond
	for try := 0; ; try++ {
		c.sentN, c.subs, c.depsBy = false, map[string]*sub{}, map[string]map[string][]string{}
		for short := range c.l.want {
			c.subs[typeByShort[short]] = &sub{have: map[string]struct{}{}, held: map[string]string{}}
		}
		err := c.run(ctx, cc)
		if ctx.Err() != nil || try >= c.l.o.reconnect {
			return err
		}
		c.l.reconns.Add(1)
		// Half of the pause is random, as proxies do, so that clients spread out.
		select {
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		case <-ctx.Done():
			return err
		}
		backoff = min(2*backoff, 5*time.Second)
	}
}

func (c *client) takeNode() *corev3.Node {
	if c.sentN {
		return nil
	}
	c.sentN = true
	return c.node
}

func (c *client) send(m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	c.l.requests.Add(1)
	return c.stream.SendMsg(&b)
}

// subscribe sets the names of a type (nil = wildcard) and sends what the
// protocol variant needs for that.
func (c *client) subscribe(typeURL string, names []string) error {
	s := c.subs[typeURL]
	if s == nil {
		return nil
	}
	wildcard := names == nil
	next := map[string]bool{}
	var add, drop []string
	for _, n := range names {
		if !next[n] {
			next[n] = true
			if !s.names[n] {
				add = append(add, n)
			}
		}
	}
	for n := range s.names {
		if !next[n] {
			drop = append(drop, n)
		}
	}
	if s.started && len(add) == 0 && len(drop) == 0 {
		return nil
	}
	if !wildcard && len(next) == 0 && !s.started {
		// Nothing to ask for: an empty list would be a wildcard.
		s.started, s.seen = true, true
		s.names = next
		return nil
	}
	s.started = true
	s.names = next
	for _, n := range drop {
		delete(s.have, n)
	}
	s.list = s.list[:0]
	for n := range next {
		s.list = append(s.list, n)
	}
	sort.Strings(s.list)
	sort.Strings(add)
	if c.l.o.names == "own" {
		own := rand.New(rand.NewPCG(uint64(c.n), 0))
		rest := s.list[min(1, len(s.list)):]
		own.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	if c.delta {
		return c.send(&discoveryv3.DeltaDiscoveryRequest{Node: c.takeNode(), TypeUrl: typeURL,
			ResourceNamesSubscribe: add, ResourceNamesUnsubscribe: drop})
	}
	return c.send(&discoveryv3.DiscoveryRequest{Node: c.takeNode(), TypeUrl: typeURL,
		ResourceNames: s.list, ResponseNonce: s.nonce, VersionInfo: s.version})
}

func (c *client) ack(r *response) error {
	s := c.subs[r.typeURL]
	if c.delta {
		return c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.typeURL, ResponseNonce: r.nonce})
	}
	return c.send(&discoveryv3.DiscoveryRequest{TypeUrl: r.typeURL, ResourceNames: s.list,
		ResponseNonce: r.nonce, VersionInfo: r.version})
}

func (c *client) open(ctx context.Context, cc *grpc.ClientConn) error {
	method := "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
	if c.delta {
		method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	}
	st, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method,
		grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(c.l.o.maxMsg), grpc.MaxCallSendMsgSize(c.l.o.maxMsg))
	c.stream = st
	return err
}

func (c *client) run(ctx context.Context, cc *grpc.ClientConn) error {
	if err := c.open(ctx, cc); err != nil {
		return err
	}
	if c.l.o.style == "grpc" {
		if err := c.subscribe(resource.ListenerType, targetsOf(c.n, c.l.o.targets, c.l.o.targetsAll, c.l.o.targetTmpl)); err != nil {
			return err
		}
		return c.receive(ctx)
	}
	first := resource.ClusterType
	if !c.l.want["cds"] {
		first = resource.ListenerType
	}
	if err := c.subscribe(first, nil); err != nil {
		return err
	}
	if c.l.o.order == "parallel" && first != resource.ListenerType {
		if err := c.subscribe(resource.ListenerType, nil); err != nil {
			return err
		}
	}
	return c.receive(ctx)
}

// receive handles responses until the stream ends.
func (c *client) receive(ctx context.Context) error {
	for {
		c.waitToRead(ctx)
		var raw []byte
		if err := c.stream.RecvMsg(&raw); err != nil {
			return err
		}
		now := time.Now()
		c.read = len(raw)
		if err := c.handle(raw, now); err != nil {
			return err
		}
	}
}

func (c *client) handle(raw []byte, now time.Time) error {
	var r *response
	var err error
	if c.delta {
		r, err = parseDelta(raw)
	} else {
		r, err = parseSotw(raw)
	}
	if err != nil {
		return fmt.Errorf("client %d: %w", c.n, err)
	}
	s := c.subs[r.typeURL]
	if s == nil {
		return fmt.Errorf("client %d: response of a type not asked for: %s", c.n, r.typeURL)
	}
	short := shortByType[r.typeURL]
	cnt := c.l.per[short]
	cnt.responses.Add(1)
	cnt.resources.Add(int64(len(r.items)))
	cnt.removed.Add(int64(len(r.removed)))
	cnt.bytes.Add(int64(len(raw)))
	c.l.events.Add(1)
	c.l.lastRecv.Store(now.UnixNano())
	c.l.firstNs.CompareAndSwap(0, now.Sub(c.l.start).Nanoseconds())
	// After the counters: the last client to see a change ends the wait, and the
	// byte count of the change is read then. The time was taken above.
	if ch := c.l.current.Load(); ch != nil {
		c.look(ch, r, now)
	}
	if ch := c.l.churn.Load(); ch != nil && r.typeURL == resource.EndpointType {
		for _, it := range r.items {
			f, err := factsFor(r.typeURL, it.value)
			if err != nil {
				return fmt.Errorf("client %d: %w", c.n, err)
			}
			ch.see(c.n, f.churn, now)
		}
	}
	s.nonce, s.version, s.seen = r.nonce, r.version, true
	if c.delta {
		for _, it := range r.items {
			s.held[it.name] = it.version
		}
		for _, n := range r.removed {
			delete(s.held, n)
		}
	}
	if err := c.ack(r); err != nil {
		return err
	}

	if c.l.o.style == "grpc" {
		err = c.followGRPC(r)
	} else {
		err = c.followEnvoy(r)
	}
	if err != nil {
		return err
	}
	if !c.inSync && c.ready() {
		c.inSync = true
		c.syncAt = now.Sub(c.l.start)
		c.l.synced <- c.n
	}
	return nil
}

// followEnvoy takes in a response and asks for what it names, as Envoy does:
// clusters and listeners by wildcard, the rest by name.
func (c *client) followEnvoy(r *response) error {
	s := c.subs[r.typeURL]
	wild := r.typeURL == resource.ClusterType || r.typeURL == resource.ListenerType
	if wild {
		deps := c.depsBy[r.typeURL]
		if deps == nil || !c.delta {
			deps = make(map[string][]string, len(r.items))
			c.depsBy[r.typeURL] = deps
		}
		for _, it := range r.items {
			f, err := factsFor(r.typeURL, it.value)
			if err != nil {
				return fmt.Errorf("client %d: %w", c.n, err)
			}
			deps[f.name] = f.deps
		}
		for _, n := range r.removed {
			delete(deps, n)
		}
		depType := resource.EndpointType
		if r.typeURL == resource.ListenerType {
			depType = resource.RouteType
		}
		names := make([]string, 0, len(deps))
		for _, d := range deps {
			names = append(names, d...)
		}
		if err := c.subscribe(depType, names); err != nil {
			return err
		}
	} else {
		for _, it := range r.items {
			n := it.name
			if n == "" {
				n = nameOf(it.value)
			}
			s.have[n] = struct{}{}
		}
		for _, n := range r.removed {
			if r.typeURL == resource.VirtualHostType {
				delete(s.have, n)
				continue
			}
			s.have[n] = struct{}{} // answered: does not exist
		}
		if err := c.followVirtualHosts(r); err != nil {
			return err
		}
	}
	// Envoy asks for listeners only once clusters and their endpoints are there.
	if lds := c.subs[resource.ListenerType]; lds != nil && !lds.started && c.clustersReady() {
		return c.subscribe(resource.ListenerType, nil)
	}
	return nil
}

// look notes when a client sees a change.
func (c *client) look(ch *change, r *response, now time.Time) {
	byVHDS := r.typeURL == resource.VirtualHostType && c.l.matchURL == resource.RouteType
	if r.typeURL != c.l.matchURL && !byVHDS || ch.got[c.n].Load() != 0 {
		return
	}
	for _, it := range r.items {
		if ch.cluster != "" && !byVHDS && nameOf(it.value) != ch.cluster {
			continue
		}
		if c.l.shows(it.value, ch.value) {
			ch.got[c.n].Store(max(now.Sub(ch.t0).Nanoseconds(), 1))
			if ch.left.Add(-1) == 0 {
				close(ch.done)
			}
			return
		}
	}
}

// followVirtualHosts asks for virtual hosts as soon as a route configuration
// says that they come by VHDS: by wildcard, once for all, as Envoy does.
func (c *client) followVirtualHosts(r *response) error {
	vh := c.subs[resource.VirtualHostType]
	if r.typeURL != resource.RouteType || vh == nil || vh.started || !c.delta {
		return nil
	}
	for _, it := range r.items {
		f, err := factsFor(r.typeURL, it.value)
		if err != nil {
			return fmt.Errorf("client %d: %w", c.n, err)
		}
		if f.vhds {
			return c.subscribe(resource.VirtualHostType, nil)
		}
	}
	return nil
}

// waitToRead holds a slow client back.
func (c *client) waitToRead(ctx context.Context) {
	over := c.l.slowdown.Load()
	if over == nil || c.n >= c.l.o.slow {
		return
	}
	var enough <-chan time.Time
	if c.l.o.slowRate > 0 {
		enough = time.After(time.Duration(float64(c.read) / float64(c.l.o.slowRate) * float64(time.Second)))
	}
	select {
	case <-enough:
	case <-*over:
	case <-ctx.Done():
	}
}

func (c *client) complete(typeURL string) bool {
	s := c.subs[typeURL]
	if s == nil {
		return true
	}
	if !s.started || !s.seen || len(s.have) < len(s.names) {
		return false
	}
	for n := range s.names {
		if _, ok := s.have[n]; !ok {
			return false
		}
	}
	return true
}

func (c *client) clustersReady() bool {
	if s := c.subs[resource.ClusterType]; s != nil {
		if !s.seen || len(c.depsBy[resource.ClusterType]) < c.l.o.expect {
			return false
		}
		return c.complete(resource.EndpointType)
	}
	return true
}

func (c *client) ready() bool {
	if c.l.o.style == "grpc" {
		return c.grpcReady()
	}
	if !c.clustersReady() {
		return false
	}
	if s := c.subs[resource.ListenerType]; s != nil && !s.seen {
		return false
	}
	if c.subs[resource.ListenerType] == nil {
		return true
	}
	vh := c.subs[resource.VirtualHostType]
	return c.complete(resource.RouteType) && (vh == nil || !vh.started || vh.seen)
}
