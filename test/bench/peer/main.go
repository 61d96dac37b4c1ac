// Command peer is a small xDS server on the caches of go-control-plane with a
// made-up mesh. See README.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func name(s int) string { return fmt.Sprintf("outbound|80||svc-%d.mesh.internal", s) }

func addr(s, e, perService int) string {
	k := s*perService + e
	return fmt.Sprintf("10.%d.%d.%d", k/62500%90+1, k/250%250, k%250+1)
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func makeCluster(s int) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name(s),
		ConnectTimeout:       durationpb.New(10 * time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(), ServiceName: name(s)},
		LbPolicy:             clusterv3.Cluster_LEAST_REQUEST,
	}
}

func makeCLA(s int, addrs []string, metadata bool) *endpointv3.ClusterLoadAssignment {
	lbs := make([]*endpointv3.LbEndpoint, len(addrs))
	for i, a := range addrs {
		lb := &endpointv3.LbEndpoint{
			LoadBalancingWeight: wrapperspb.UInt32(1),
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
				Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
					Address: a, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 80}}}}}},
		}
		if metadata {
			st, _ := structpb.NewStruct(map[string]any{"workload": ";default;svc-" + strconv.Itoa(s) + ";v" + strconv.Itoa(i%2+1) + ";"})
			lb.Metadata = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"mesh": st}}
		}
		lbs[i] = lb
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name(s), Endpoints: []*endpointv3.LocalityLbEndpoints{{
		Locality: &corev3.Locality{}, LoadBalancingWeight: wrapperspb.UInt32(uint32(len(lbs))), LbEndpoints: lbs}}}
}

func mustAny(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		log.Fatal(err)
	}
	return a
}

func makeListener() *listenerv3.Listener {
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix:     "outbound_0.0.0.0_80",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads(), RouteConfigName: "80"}},
		HttpFilters: []*hcmv3.HttpFilter{{Name: "envoy.filters.http.router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: mustAny(&routerv3.Router{})}}},
	}
	return &listenerv3.Listener{Name: "0.0.0.0_80",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "0.0.0.0", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 80}}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{Name: "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: mustAny(hcm)}}}}}}
}

// makeRoutes makes one virtual host per service; a canary value puts a route
// with a header match in front of the default route of service 1. The added
// services come after the others.
func makeRoutes(n int, added []string, canary string) *routev3.RouteConfiguration {
	rc := &routev3.RouteConfiguration{Name: "80"}
	for s := range n + len(added) {
		h, target := fmt.Sprintf("svc-%d.mesh.internal", s), name(s)
		if s >= n {
			h = added[s-n] + ".mesh.internal"
			target = "outbound|80||" + h
		}
		rc.VirtualHosts = append(rc.VirtualHosts, &routev3.VirtualHost{Name: h + ":80", Domains: []string{h, h + ":80"},
			Routes: []*routev3.Route{{Name: "default", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: target}, Timeout: durationpb.New(0),
					RetryPolicy: &routev3.RetryPolicy{RetryOn: "connect-failure,refused-stream,unavailable,cancelled", NumRetries: wrapperspb.UInt32(2)}}}}}})
		if s == 1 && canary != "" {
			vh := rc.VirtualHosts[s]
			first := proto.Clone(vh.Routes[0]).(*routev3.Route)
			first.Name = "canary"
			first.Match.Headers = []*routev3.HeaderMatcher{{Name: "x-canary", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
				StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: canary}}}}}
			vh.Routes = append([]*routev3.Route{first}, vh.Routes...)
		}
	}
	return rc
}

type everyNode struct{}

func (everyNode) ID(*corev3.Node) string { return "all" }

// store hides the difference between the two kinds of cache.
type store interface {
	cache() cache.Cache
	setCLA(ctx context.Context, s int, cla *endpointv3.ClusterLoadAssignment) error
	setRoutes(ctx context.Context, rc *routev3.RouteConfiguration) error
	addService(ctx context.Context, c *clusterv3.Cluster, cla *endpointv3.ClusterLoadAssignment, rc *routev3.RouteConfiguration) error
}

type linearStore struct {
	mux           *cache.MuxCache
	cds, eds, rds *cache.LinearCache
}

func (l *linearStore) cache() cache.Cache { return l.mux }
func (l *linearStore) setCLA(_ context.Context, s int, cla *endpointv3.ClusterLoadAssignment) error {
	return l.eds.UpdateResource(name(s), cla)
}

func (l *linearStore) setRoutes(_ context.Context, rc *routev3.RouteConfiguration) error {
	return l.rds.UpdateResource(rc.Name, rc)
}
func (l *linearStore) addService(_ context.Context, c *clusterv3.Cluster, cla *endpointv3.ClusterLoadAssignment, rc *routev3.RouteConfiguration) error {
	if err := l.eds.UpdateResource(c.Name, cla); err != nil {
		return err
	}
	if err := l.cds.UpdateResource(c.Name, c); err != nil {
		return err
	}
	return l.rds.UpdateResource(rc.Name, rc)
}

type snapshotStore struct {
	sc                                     cache.SnapshotCache
	clusters, endpoints, listeners, routes []types.Resource
	version, routeVersion, clusterVersion  int
}

func (t *snapshotStore) cache() cache.Cache { return t.sc }
func (t *snapshotStore) publish(ctx context.Context) error {
	snap := &cache.Snapshot{}
	// Only what changed gets a new version.
	snap.Resources[types.Cluster] = cache.NewResources(strconv.Itoa(t.clusterVersion), t.clusters)
	snap.Resources[types.Listener] = cache.NewResources("1", t.listeners)
	snap.Resources[types.Route] = cache.NewResources(strconv.Itoa(t.routeVersion), t.routes)
	snap.Resources[types.Endpoint] = cache.NewResources(strconv.Itoa(t.version), t.endpoints)
	return t.sc.SetSnapshot(ctx, "all", snap)
}
func (t *snapshotStore) setCLA(ctx context.Context, s int, cla *endpointv3.ClusterLoadAssignment) error {
	next := append([]types.Resource(nil), t.endpoints...)
	next[s] = cla
	t.endpoints = next
	t.version++
	return t.publish(ctx)
}
func (t *snapshotStore) setRoutes(ctx context.Context, rc *routev3.RouteConfiguration) error {
	t.routes = []types.Resource{rc}
	t.routeVersion++
	return t.publish(ctx)
}

func (t *snapshotStore) addService(ctx context.Context, c *clusterv3.Cluster, cla *endpointv3.ClusterLoadAssignment, rc *routev3.RouteConfiguration) error {
	t.clusters = append(append([]types.Resource(nil), t.clusters...), c)
	t.endpoints = append(append([]types.Resource(nil), t.endpoints...), cla)
	t.routes = []types.Resource{rc}
	t.clusterVersion++
	t.version++
	t.routeVersion++
	return t.publish(ctx)
}

func main() {
	services := flag.Int("services", 100, "number of services")
	endpoints := flag.Int("endpoints", 10, "endpoints per service")
	kind := flag.String("cache", "linear", "linear or snapshot")
	listen := flag.String("listen", "127.0.0.1:0", "xDS address")
	admin := flag.String("http", "127.0.0.1:0", "trigger address")
	metadata := flag.Bool("metadata", true, "put a short metadata entry on each endpoint, as meshes do")
	bound := flag.Bool("until-stdin-ends", false, "end when standard input ends, so as not to outlive who started this")
	flag.Parse()
	if *bound {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	ctx := context.Background()

	start := time.Now()
	addrs := make([][]string, *services)
	var cs, es []types.Resource
	for s := range *services {
		addrs[s] = make([]string, *endpoints)
		for e := range *endpoints {
			addrs[s][e] = addr(s, e, *endpoints)
		}
		cs = append(cs, makeCluster(s))
		es = append(es, makeCLA(s, addrs[s], *metadata))
	}
	ls, rs := []types.Resource{makeListener()}, []types.Resource{makeRoutes(*services, nil, "1")}

	var st store
	switch *kind {
	case "linear":
		mk := func(t string, rr []types.Resource) *cache.LinearCache {
			m := make(map[string]types.Resource, len(rr))
			for _, r := range rr {
				m[cache.GetResourceName(r)] = r
			}
			return cache.NewLinearCache(t, cache.WithInitialResources(m))
		}
		l := &linearStore{cds: mk(resource.ClusterType, cs), eds: mk(resource.EndpointType, es), rds: mk(resource.RouteType, rs)}
		byType := map[string]cache.Cache{
			resource.ClusterType:  l.cds,
			resource.EndpointType: l.eds,
			resource.ListenerType: mk(resource.ListenerType, ls),
			resource.RouteType:    l.rds,
		}
		l.mux = &cache.MuxCache{
			Classify:      func(r *cache.Request) string { return r.GetTypeUrl() },
			ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() },
			Caches:        byType,
		}
		st = l
	case "snapshot":
		t := &snapshotStore{sc: cache.NewSnapshotCache(true, everyNode{}, nil), clusters: cs, endpoints: es, listeners: ls, routes: rs}
		if err := t.publish(ctx); err != nil {
			log.Fatal(err)
		}
		st = t
	default:
		log.Fatalf("-cache %q", *kind)
	}

	gs := grpc.NewServer(grpc.MaxConcurrentStreams(100000), grpc.MaxRecvMsgSize(64<<20))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(gs, server.NewServer(ctx, st.cache(), nil))
	lis, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	triggers, err := net.Listen("tcp", *admin)
	if err != nil {
		log.Fatal(err)
	}
	m := &mesh{st: st, services: *services, endpoints: *endpoints, metadata: *metadata, addrs: addrs, canary: "1"}
	go func() { log.Fatal(http.Serve(triggers, m.handler())) }()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"xds": lis.Addr().(*net.TCPAddr).Port,
		"trigger": triggers.Addr().(*net.TCPAddr).Port, "ready_ms": time.Since(start).Milliseconds(), "go": runtime.Version()})
	log.Fatal(gs.Serve(lis))
}
