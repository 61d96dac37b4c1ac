package main

import (
	"slices"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestTargetsOfGRPCClients(t *testing.T) {
	for _, c := range []struct {
		client, perClient, all int
		want                   []string
	}{
		{0, 3, 10, []string{"s0", "s1", "s2"}},
		{1, 3, 10, []string{"s0", "s3", "s4"}},
		{5, 3, 10, []string{"s0", "s2", "s3"}},
		{0, 5, 2, []string{"s0", "s1"}},
		{7, 1, 1, []string{"s0"}},
	} {
		if got := targetsOf(c.client, c.perClient, c.all, "s{t}"); !slices.Equal(got, c.want) {
			t.Errorf("client %d dials %v, want %v", c.client, got, c.want)
		}
	}
}

func TestWhatGRPCResourcesName(t *testing.T) {
	hcm, err := anypb.New(&hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
		Rds: &hcmv3.Rds{RouteConfigName: "routes"}}})
	if err != nil {
		t.Fatal(err)
	}
	listener := marshal(t, &listenerv3.Listener{Name: "a:80", ApiListener: &listenerv3.ApiListener{ApiListener: hcm}})
	weighted := &routev3.WeightedCluster{Clusters: []*routev3.WeightedCluster_ClusterWeight{{Name: "c2"}, {Name: "c3"}}}
	routes := marshal(t, &routev3.RouteConfiguration{Name: "routes", VirtualHosts: []*routev3.VirtualHost{{Routes: []*routev3.Route{
		{Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "c1"}}}},
		{Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}}}},
	}}}})
	for _, c := range []struct {
		typeURL, name string
		body          []byte
		want          []string
	}{
		{resource.ListenerType, "a:80", listener, []string{"routes"}},
		{resource.RouteType, "routes", routes, []string{"c1", "c2", "c3"}},
		{resource.EndpointType, "a", assignment(t, "10.0.0.1"), nil},
	} {
		name, deps, err := grpcDeps(c.typeURL, c.body)
		if err != nil || name != c.name || !slices.Equal(deps, c.want) {
			t.Errorf("%s: %q names %v (%v), want %v", c.typeURL, name, deps, err, c.want)
		}
	}
	if _, _, err := grpcDeps(resource.ListenerType, marshal(t, &listenerv3.Listener{Name: "sidecar"})); err == nil {
		t.Error("a listener that is no API listener is taken")
	}
}
